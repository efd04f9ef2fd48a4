/** `repeat` over lanes: a loop that takes as many turns as the busiest lane needs, and none where no lane needs any. */
import { InternalError } from "../../core/errors.ts";
import type { Call, Expr, Repeat, Scalar } from "../../kernel/expr.ts";
import { int, type Vec, vec } from "../../kernel/loop.ts";
import type { Lines } from "./lines.ts";
import { asLane, laneOf, maskFor, scalarToVec } from "./scalar.ts";

/** One operation over operands that are already vectors. */
export function operationToVec(e: Scalar | Repeat | Call, args: readonly Vec[], lines: Lines): Vec {
  if (e.op === "call") throw new InternalError(`${e.callee.name} should have been expanded before it was lowered`);
  return e.op === "repeat" ? repeatToVec(e, args, lines) : scalarToVec(e, args, (v) => lines.vec(v));
}

/** Operands: times, start and what is given. Lanes that are done keep their state. */
function repeatToVec(e: Repeat, args: readonly Vec[], lines: Lines): Vec {
  const lane = laneOf(e.dtype);
  const times = lines.vec(asLane(args[0]!, "i32"));
  const state = vec(lines.fresh("state"), lane);
  const [turns, turn] = [int(lines.fresh("turns")), int(lines.fresh("turn"))];
  const inner = lines.inner();
  const active: Vec = { op: "lt", args: [{ op: "splatInt", value: turn, lane: "i32" }, times], lane: "mask32" };
  const next = evaluate(e.step, [state, ...args.slice(2)], inner);
  const chosen: Vec = { op: "select", args: [asLane(active, maskFor(lane)), next, state], lane };
  lines.statements.push(
    { do: "vec", local: state, value: asLane(args[1]!, lane) },
    { do: "int", local: turns, value: { op: "lane", of: { op: "across", combine: "pmax", args: [times], lane: "i32" }, lane: 0 } },
    { do: "for", local: turn, from: 0, to: turns, step: 1, body: [...inner.statements, { do: "vec", local: state, value: chosen }] },
  );
  return state;
}

/** A step's expression; every node is computed once. */
function evaluate(step: Expr, parameters: readonly Vec[], lines: Lines): Vec {
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
      case "inside":
      case "inRange":
      case "reduce":
        throw new InternalError(`${e.op} in the step of a repetition`);
      default:
        return lines.vec(operationToVec(e, e.args.map(visit), lines));
    }
  };
  return visit(step);
}
