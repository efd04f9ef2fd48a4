/** `repeat` over lanes: a loop that takes as many turns as the busiest lane needs, and none where no lane needs any. */
import { InternalError } from "../../core/errors.ts";
import type { Call, Expr, Repeat, Scalar } from "../../kernel/expr.ts";
import { int, type Statement, type Vec, type VecLocal, vec } from "../../kernel/loop.ts";
import { asLane, laneOf, maskFor, scalarToVec } from "./scalar.ts";

/** Where code is written: statements, and names nobody else has. */
export interface Writer {
  readonly statements: Statement[];
  keep(value: Vec): VecLocal;
  fresh(name: string): string;
}

/** One operation over operands that are already vectors. */
export function operationToVec(e: Scalar | Repeat | Call, args: readonly Vec[], writer: Writer): Vec {
  if (e.op === "call") throw new InternalError(`${e.callee.name} should have been expanded before it was lowered`);
  return e.op === "repeat" ? repeatToVec(e, args, writer) : scalarToVec(e, args, (v) => writer.keep(v));
}

/** Operands: times, start and what is given. Lanes that are done keep their state. */
function repeatToVec(e: Repeat, args: readonly Vec[], writer: Writer): Vec {
  const lane = laneOf(e.dtype);
  const times = writer.keep(asLane(args[0]!, "i32"));
  const state = vec(writer.fresh("state"), lane);
  const [turns, turn] = [int(writer.fresh("turns")), int(writer.fresh("turn"))];
  const inner = within(writer);
  const active: Vec = { op: "lt", args: [{ op: "splatInt", value: turn, lane: "i32" }, times], lane: "mask32" };
  const next = evaluate(e.step, [state, ...args.slice(2)], inner);
  const chosen: Vec = { op: "select", args: [asLane(active, maskFor(lane)), next, state], lane };
  writer.statements.push(
    { do: "vec", local: state, value: asLane(args[1]!, lane) },
    { do: "int", local: turns, value: { op: "lane", of: { op: "across", combine: "pmax", args: [times], lane: "i32" }, lane: 0 } },
    { do: "for", local: turn, from: 0, to: turns, step: 1, body: [...inner.statements, { do: "vec", local: state, value: chosen }] },
  );
  return state;
}

/** A writer of an inner body, with names of the same series. */
function within(outer: Writer): Writer {
  const statements: Statement[] = [];
  const keep = (value: Vec): VecLocal => {
    const local = vec(outer.fresh("v"), value.lane);
    statements.push({ do: "vec", local, value });
    return local;
  };
  return { statements, keep, fresh: (name) => outer.fresh(name) };
}

/** A step's expression; every node is computed once. */
function evaluate(step: Expr, parameters: readonly Vec[], writer: Writer): Vec {
  const known = new Map<Expr, Vec>();
  const visit = (e: Expr): Vec => {
    const before = known.get(e);
    if (before) return before;
    const value = compute(e);
    known.set(e, value);
    return value;
  };
  const compute = (e: Expr): Vec => {
    switch (e.op) {
      case "const":
        return { op: "splat", value: e.value, lane: laneOf(e.dtype) };
      case "parameter":
        return parameters[e.index]!;
      case "index":
      case "accumulator":
      case "load":
      case "loadAt":
      case "inRange":
      case "reduce":
        throw new InternalError(`${e.op} in the step of a repetition`);
      default:
        return writer.keep(operationToVec(e, e.args.map(visit), writer));
    }
  };
  return visit(step);
}
