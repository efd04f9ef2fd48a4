/** A body that runs a known number of times, and carries values from turn to turn. */
import { isFloat } from "../core/dtype.ts";
import { ArgumentError, ShapeError } from "../core/errors.ts";
import { showShape, sizeOf } from "../core/shape.ts";
import { substitute } from "../graph/body.ts";
import { apply, type Body, type Elementwise, type Nested, type NestedAttributes, type Value, type Vjp } from "../graph/op.ts";
import { descendants, topological } from "../graph/walk.ts";
import { repeat } from "./batch.ts";
import { add } from "./elementwise.ts";
import { bound, zerosLike } from "./leaf.ts";
import { moveAxis } from "./move.ts";
import { checkSame, closed, now, result, TOKEN, typeOf } from "./nested.ts";
import { checkCount } from "./rules.ts";

export interface LoopAttributes extends NestedAttributes {
  readonly length: number;
  /** From the last turn to the first; turn t still takes element t of what is walked along, and its results still stand at t. */
  readonly reverse: boolean;
  /** Inputs: the carries' first values, what is walked along, what all turns share. Parameters: the same for one turn. */
  readonly carries: number;
  readonly walked: number;
}

export interface LoopOptions {
  readonly length: number;
  readonly reverse?: boolean;
}
export interface Turn {
  /** The next values of the carries. */
  readonly carry: readonly Value[];
  /** What is kept of every turn. */
  readonly kept?: readonly Value[];
}
export interface LoopResults {
  /** The carries after the last turn. */
  readonly final: Value[];
  /** [length, …] for each value that is kept. */
  readonly kept: Value[];
}

/**
 * `step` once for each position of the first axis of `xs`: from the carries, which begin as `init`, and from the elements of `xs` at this position, the
 * next carries and what is kept of the turn. Values from outside may be used freely: all turns share them. To know the number of the turn,
 * walk along an iota.
 *
 * Errors: carries whose type changes, xs of another length.
 */
export function loop(
  init: readonly Value[],
  xs: readonly Value[],
  step: (carry: readonly Value[], x: readonly Value[]) => Turn,
  { length, reverse = false }: LoopOptions,
): LoopResults {
  const since = now();
  const carry = init.map(bound);
  const x = xs.map((v) => bound({ shape: v.shape.slice(1), dtype: v.dtype }));
  const turn = step(carry, x);
  if (turn.carry.length !== init.length)
    throw new ArgumentError(`loop: a turn takes ${init.length} carries and gives ${turn.carry.length}`, {
      help: "give a next value for each",
    });
  const kept = turn.kept ?? [];
  const { bodies, captured } = closed(since, [{ parameters: [...carry, ...x], results: [...turn.carry, ...kept] }]);
  const token = make(bodies[0]!, [...init, ...xs, ...captured], { length, reverse, carries: init.length, walked: xs.length });
  return {
    final: init.map((_, i) => result(token, i)),
    kept: kept.map((_, i) => result(token, init.length + i)),
  };
}

/** The loop, which keeps of each turn what its gradient will ask for as well: its carries, and what is costly to compute again. */
function make(body: Body, inputs: readonly Value[], attributes: Omit<LoopAttributes, "bodies">): Value {
  const { parameters, results } = body;
  const order = topological(results);
  const inside = descendants(parameters, order);
  const saved = new Set([...parameters.slice(0, attributes.carries), ...order.filter((v) => inside.has(v) && isWorthKeeping(v))]);
  for (const v of results.slice(attributes.carries)) saved.delete(v);
  return apply(loopOp, inputs, { ...attributes, bodies: [{ parameters, results: [...results, ...saved] }] });
}

const isWorthKeeping = ({ op }: Value): boolean =>
  op.kind === "contract" ||
  op.kind === "reduce" ||
  op.kind === "result" ||
  (op.kind === "elementwise" && (op as Elementwise).costly === true);

/** Results: the carries after the last turn, then the histories, [length, …], of all other results of the body. */
export const loopOp: Nested<LoopAttributes> = {
  kind: "nested",
  name: "loop",
  infer(inputs, { bodies, length, carries, walked }) {
    const { parameters, results } = bodies[0]!;
    checkCount("loop", "the length", length, 0);
    inputs.forEach((x, i) => {
      const inTurn = i >= carries && i < carries + walked;
      if (inTurn && x.shape[0] !== length)
        throw new ShapeError(`loop: ${length} turns along an axis of ${showShape(x.shape)}`, {
          why: "each turn takes one element of its first axis",
        });
      checkSame("loop", `input ${i}`, inTurn ? { shape: x.shape.slice(1), dtype: x.dtype } : x, parameters[i]!);
      if (i < carries) checkSame("loop", `carry ${i}`, x, results[i]!);
    });
    return TOKEN;
  },
  results: ({ bodies, length, carries }) =>
    bodies[0]!.results.map((y, i) => (i < carries ? typeOf(y) : { shape: [length, ...y.shape], dtype: y.dtype })),
  times: ({ length }) => length,
  compute(inputs, { bodies: [body], length, reverse, carries, walked }, run) {
    const histories = body!.results.slice(carries).map((y) => new Float64Array(length * sizeOf(y.shape)));
    let carry = inputs.slice(0, carries);
    for (let i = 0; i < length; i++) {
      const t = reverse ? length - 1 - i : i;
      const x = inputs
        .slice(carries, carries + walked)
        .map((all) => all.subarray((t * all.length) / length, ((t + 1) * all.length) / length));
      const turn = run(body!, [...carry, ...x, ...inputs.slice(carries + walked)]);
      carry = turn.slice(0, carries);
      turn.slice(carries).forEach((y, k) => {
        histories[k]!.set(y, t * y.length);
      });
    }
    return [...carry, ...histories];
  },
  vjp: (dys, token, wanted, vjp) => backwards(dys, token, wanted, vjp),
  batch(inputs, batched, { attributes }, size, batchGraph) {
    const { bodies, length, carries, walked, ...rest } = attributes as LoopAttributes;
    const { parameters, results } = bodies[0]!;
    // All carries get the axis: which of them could do without is only known at the end.
    const has = inputs.map((_, i) => i < carries || batched[i]!);
    const given = inputs.map((x, i) => {
      if (i < carries) return batched[i] ? x : repeat(x, size);
      return batched[i] && i < carries + walked ? moveAxis(x, 0, 1) : x;
    });
    const stands = parameters.map((p, i) => (has[i] ? bound({ shape: [size, ...p.shape], dtype: p.dtype }) : p));
    const replaced = new Map(parameters.flatMap((p, i) => (has[i] ? [[p, stands[i]!] as const] : [])));
    const body = { parameters: stands, results: batchGraph(results, replaced, size) };
    const made = apply(loopOp, given, { ...rest, bodies: [body], length, carries, walked });
    return results.map((_, i) => (i < carries ? result(made, i) : moveAxis(result(made, i), 1, 0)));
  },
};

/**
 * The gradient of a loop: a loop the other way, whose turn is the gradient of a turn. It carries the gradients of the carries, and sums up those of
 * what all turns share; those of what is walked along it keeps. What it needs of the turns it walks along as their histories, or computes again.
 */
function backwards(dys: readonly (Value | null)[], token: Value, wanted: readonly boolean[], vjp: Vjp): (Value | null)[] {
  const { bodies, length, reverse, carries, walked } = token.attributes as LoopAttributes;
  const { parameters, results } = bodies[0]!;
  const { inputs } = token;
  const floatAt = (i: number): boolean => isFloat(parameters[i]!.dtype);
  const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
  const carried = range(0, carries).filter(floatAt);
  const along = range(carries, carries + walked).filter((i) => wanted[i] && floatAt(i));
  const shared = range(carries + walked, inputs.length).filter((i) => wanted[i] && floatAt(i));
  const given = range(carries, results.length).filter((i) => dys[i] && isFloat(results[i]!.dtype));

  const dCarry = carried.map((i) => bound(parameters[i]!));
  const totals = shared.map((i) => bound(parameters[i]!));
  const dGiven = given.map((i) => bound(results[i]!));
  const asked = [...carried, ...along, ...shared];
  const found = vjp(
    [...carried, ...given].map((i) => results[i]!),
    [...dCarry, ...dGiven],
    asked.map((i) => parameters[i]!),
  );
  const gradient = (i: number): Value => found[asked.indexOf(i)] ?? zerosLike(parameters[i]!);
  const next = [...carried.map(gradient), ...shared.map((i, k) => add(totals[k]!, gradient(i)))];

  // What the turn kept stands for itself; below it nothing is computed again.
  const isKept = (v: Value): boolean => v.op.kind !== "leaf" || parameters.slice(0, carries).includes(v);
  const histories = new Map(range(carries, results.length).flatMap((i) => (isKept(results[i]!) ? [[results[i]!, i] as const] : [])));
  const stands = new Map([...histories.keys()].flatMap((v) => (v.op.kind === "leaf" ? [] : [[v, bound(v)] as const])));
  const turn = substitute([...next, ...along.map(gradient)], stands);
  const used = new Set(topological(turn));
  const remembered = [...histories].flatMap(([v, i]) => {
    const stand = stands.get(v) ?? v;
    return used.has(stand) ? [[stand, result(token, i)] as const] : [];
  });
  const again = range(carries, inputs.length).filter((i) => used.has(parameters[i]!));
  const walkedAgain = again.filter((i) => i < carries + walked);
  const backward = make(
    {
      parameters: [...dCarry, ...totals, ...dGiven, ...remembered.map(([stand]) => stand), ...again.map((i) => parameters[i]!)],
      results: turn,
    },
    [
      ...carried.map((i) => dys[i] ?? zerosLike(inputs[i]!)),
      ...shared.map((i) => zerosLike(inputs[i]!)),
      ...given.map((i) => dys[i]!),
      ...remembered.map(([, history]) => history),
      ...again.map((i) => inputs[i]!),
    ],
    {
      length,
      reverse: !reverse,
      carries: carried.length + shared.length,
      walked: given.length + remembered.length + walkedAgain.length,
    },
  );
  const order = [...carried, ...shared, ...along];
  return inputs.map((_, i) => (order.includes(i) ? result(backward, order.indexOf(i)) : null));
}
