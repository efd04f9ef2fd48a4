/** Random graphs with all that rules look for, built by fast-check from short lists of choices. */
import fc from "fast-check";
import { sizeOf } from "../../src/core/shape.ts";
import type { Type, Value } from "../../src/graph/op.ts";
import * as o from "../../src/ops/index.ts";

const f64 = (shape: readonly number[]): Type => ({ shape, dtype: "float64" });

/** One step: which builder, which values it takes, and a number to vary it. */
export interface Choice {
  readonly build: number;
  readonly first: number;
  readonly second: number;
  readonly vary: number;
}

const SHAPES = [[], [1], [3], [4], [2, 3], [3, 2], [1, 3], [2, 1], [2, 3, 4], [4, 1, 2]] as const;
const CONSTANTS = [0, 1, -1, 2, 0.5, -0.5, 3, 4];

type Builder = (x: Value, y: Value, vary: number) => Value | null;

const real = (x: Value): Value => (x.dtype === "float64" ? x : o.cast(x, "float64"));
const axisOf = (x: Value, vary: number): number => vary % x.shape.length;
const hasAxes = (x: Value): boolean => x.shape.length > 0;
const constantLike = (x: Value, vary: number): Value => o.scalarLike(x, CONSTANTS[vary % CONSTANTS.length]!);

/** y in the shape of x: as it is, broadcast, or a constant instead. */
function shapedLike(x: Value, y: Value, vary: number): Value {
  if (y.shape.join() === x.shape.join()) return y;
  if (y.shape.length === 0) return o.broadcastTo(y, x.shape, []);
  const axis = x.shape.lastIndexOf(y.shape[0]!);
  if (y.shape.length === 1 && axis >= 0) return o.broadcastTo(y, x.shape, [axis]);
  return constantLike(x, vary);
}

const binary =
  (f: (a: Value, b: Value) => Value): Builder =>
  (x, y, vary) => {
    const other = vary % 3 === 0 ? constantLike(x, vary) : shapedLike(x, y, vary);
    return vary % 2 === 0 ? f(x, other) : f(other, x);
  };
const unary =
  (f: (x: Value) => Value): Builder =>
  (x) =>
    f(x);

const rotate = (x: Value, vary: number): number[] => x.shape.map((_, i) => (i + 1 + (vary % 2)) % x.shape.length);

const BUILDERS: readonly Builder[] = [
  binary(o.add),
  binary(o.sub),
  binary(o.mul),
  binary(o.add),
  binary(o.mul),
  binary(o.maximum),
  binary((a, b) => o.div(a, o.add(o.mul(b, b), o.scalarLike(b, 1)))),
  unary(o.neg),
  unary(o.abs),
  unary((x) => o.abs(o.neg(x))),
  unary(o.relu),
  unary(o.tanh),
  unary(o.sin),
  (x, _, vary) =>
    o.pow(o.add(o.abs(o.tanh(x)), o.scalarLike(x, 0.5)), o.scalarLike(x, [2, 0.5, -1, 3, -2, 1, 0, 4, -0.5, 1.5][vary % 10]!)),
  (x, _, vary) => o.mul(o.mul(x, constantLike(x, vary)), constantLike(x, vary + 3)),
  binary((a, b) => o.select(o.lt(a, b), a, b)),
  binary((a, b) => o.select(o.logicalNot(o.lt(a, b)), o.neg(a), b)),
  (x) => o.cast(o.cast(o.lt(x, o.zerosLike(x)), "int32"), "float64"),
  (x) => o.reshape(x, [sizeOf(x.shape)]),
  (x) => o.reshape(x, [1, ...x.shape]),
  (x) => o.reshape(x, [...x.shape].reverse()),
  (x, _, vary) => (x.shape.length > 1 ? o.transpose(x, rotate(x, vary)) : null),
  (x) => o.transpose(x, [...x.shape.keys()].reverse()),
  (x, _, vary) => (sizeOf(x.shape) < 40 ? o.broadcastTo(x, [...x.shape, 2 + (vary % 2)], [...x.shape.keys()]) : null),
  (x) => (sizeOf(x.shape) < 40 ? o.repeat(x, 2) : null),
  (x) =>
    sizeOf(x.shape) < 40
      ? o.broadcastTo(
          x,
          x.shape.map((d) => (d === 1 ? 2 : d)),
        )
      : null,
  (x, _, vary) => (hasAxes(x) ? o.sum(x, [axisOf(x, vary)]) : null),
  (x) => o.sum(x, [...x.shape.keys()]),
  (x, _, vary) => (hasAxes(x) && x.shape[axisOf(x, vary)]! > 0 ? o.max(x, [axisOf(x, vary)]) : null),
  (x, _, vary) => (hasAxes(x) ? o.mean(x, [axisOf(x, vary)]) : null),
  (x, _, vary) => (hasAxes(x) ? o.softmax(x, axisOf(x, vary)) : null),
  (x, _, vary) => (hasAxes(x) ? real(o.argmax(x, axisOf(x, vary))) : null),
  (x, _, vary) => {
    if (!hasAxes(x)) return null;
    const axis = axisOf(x, vary);
    const start = vary % x.shape[axis]!;
    return o.sliceAxis(x, axis, start, Math.max(1, x.shape[axis]! - start - (vary % 2)));
  },
  (x, _, vary) => (hasAxes(x) ? o.flip(x, [axisOf(x, vary)]) : null),
  (x, _, vary) => (hasAxes(x) && sizeOf(x.shape) < 40 ? padAxis(x, axisOf(x, vary), vary % 3, (vary >> 1) % 3, (vary >> 2) % 2) : null),
  (x, y, vary) => {
    if (!hasAxes(x)) return null;
    const axis = axisOf(x, vary);
    const other = shapedLike(x, y, vary);
    return o.add(padAxis(x, axis, 0, x.shape[axis]!, 0), padAxis(other, axis, x.shape[axis]!, 0, 0));
  },
  (x, y, vary) => (hasAxes(x) && sizeOf(x.shape) < 40 ? o.concat([x, shapedLike(x, y, vary)], axisOf(x, vary)) : null),
  (x, _, vary) => {
    if (!hasAxes(x) || x.shape[axisOf(x, vary)]! < 2) return null;
    const axis = axisOf(x, vary);
    return o.concat([o.sliceAxis(x, axis, 0, 1), o.sliceAxis(x, axis, 1, x.shape[axis]! - 1)], axis);
  },
  (x, y) => (x.shape.length === 2 && y.shape.length === 2 && x.shape[1] === y.shape[0] ? o.matmul(x, y) : null),
  (x) => (x.shape.length === 2 ? o.einsum("ij,kj->ki", x, x) : null),
  (x) => (x.shape.length === 2 ? o.einsum("ij,ij->i", x, x) : null),
  (x, y) => (x.shape.length === 1 && y.shape.length === 1 ? o.einsum("i,j->ij", x, y) : null),
  (x, _, vary) => {
    const d = x.shape.at(-1);
    return d === undefined || x.shape.length > 3 ? null : o.einsum("...j,jk->...k", x, o.filled(CONSTANTS[vary % 8]!, [d, 3], "float64"));
  },
  (x) => {
    if (x.shape.length !== 2) return null;
    const [m, k] = x.shape as [number, number];
    return o.sum(
      o.mul(
        o.broadcastTo(x, [m, k, 4], [0, 1]),
        o.broadcastTo(
          o.constant(
            Float64Array.from({ length: k * 4 }, (_, i) => i / 5 - 1),
            [k, 4],
            "float64",
          ),
          [m, k, 4],
          [1, 2],
        ),
      ),
      [1],
    );
  },
  (x) => (x.shape.length === 2 ? o.transpose(o.einsum("ij,kj->ik", x, x), [1, 0]) : null),
  (x, _, vary) => {
    if (!hasAxes(x)) return null;
    const axis = axisOf(x, vary);
    return o.sliceAxis(padAxis(x, axis, 1 + (vary % 2), 2, 0), axis, 1, x.shape[axis]!);
  },
  (x, _, vary) => {
    const axis = x.shape.findIndex((d) => d > 1);
    if (axis < 0 || x.shape.length > 3) return null;
    const seen = o.windows(x, { axis, size: 2, stride: 1 + (vary % 2), dilation: 1 });
    const other = seen.shape.length - 1;
    if (other <= axis + 1) return seen;
    return vary % 4 < 2 ? padAxis(seen, other, 1, vary % 3, 0) : o.sliceAxis(seen, other, 0, Math.max(1, seen.shape[other]! - 1));
  },
  (x) => o.custom(o.exp(o.tanh(x)), [x], (dy) => [dy]),
  (x) => o.stopGradient(x),
  (x, _, vary) => (hasAxes(x) ? o.cumsum(x, axisOf(x, vary)) : null),
];

function padAxis(x: Value, axis: number, low: number, high: number, interior: number): Value {
  const at = (n: number): number[] => x.shape.map((_, d) => (d === axis ? n : 0));
  return o.pad(x, { low: at(low), high: at(high), interior: at(interior), value: 0 });
}

export const choices = (length: number, least = 1): fc.Arbitrary<Choice[]> =>
  fc.array(fc.record({ build: fc.nat(BUILDERS.length - 1), first: fc.nat(1000), second: fc.nat(1000), vary: fc.nat(1000) }), {
    minLength: least,
    maxLength: length,
  });

export interface RandomGraph {
  readonly leaves: Value[];
  readonly outputs: Value[];
}

/** Values that nothing uses are the outputs. */
export function buildGraph(steps: readonly Choice[]): RandomGraph {
  const leaves = SHAPES.map((shape, i) => o.argument(i, f64(shape)));
  const values = [...leaves];
  const used = new Set<Value>();
  for (const { build, first, second, vary } of steps) {
    const [x, y] = [pick(values, first), pick(values, second)];
    const made = x.shape.length < 6 && sizeOf(x.shape) <= 200 ? BUILDERS[build]!(x, y, vary) : null;
    if (!made) continue;
    values.push(made);
    used.add(x).add(y);
  }
  return { leaves, outputs: values.filter((v) => !used.has(v) && !leaves.includes(v)) };
}

/** Later values are likelier, so that graphs grow deep. */
const pick = (values: readonly Value[], n: number): Value =>
  values[n % 3 === 0 ? n % values.length : values.length - 1 - (n % Math.min(4, values.length))]!;

/** The numbers of each leaf. */
export function numbersFor(leaves: readonly Value[], special: readonly number[] = []): Map<Value, number[]> {
  return new Map(
    leaves.map((v, k) => [
      v,
      Array.from({ length: sizeOf(v.shape) }, (_, i) => special[(i * 3 + k) % special.length] ?? Math.sin(i * 1.37 + k) * 1.5),
    ]),
  );
}
