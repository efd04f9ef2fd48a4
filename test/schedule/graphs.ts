/** Random graphs over matrices of odd sizes, with what fusion has to decide about: shared values, several readers, reductions, products, moves. */
import fc from "fast-check";
import type { DType } from "../../src/core/dtype.ts";
import { sizeOf } from "../../src/core/shape.ts";
import type { Value } from "../../src/graph/op.ts";
import * as o from "../../src/ops/index.ts";

/** One step: which builder, which values it takes, and a number to vary it. */
export interface Choice {
  readonly build: number;
  readonly first: number;
  readonly second: number;
  readonly vary: number;
}

type Builder = (x: Value, y: Value, vary: number) => Value | null;

const SHAPES = [[17, 5], [5, 17], [40, 33], [33, 40], [1, 40], [250, 3], [5, 5], [17]] as const; // biome-ignore format: a list

const axis = (x: Value, vary: number): number => vary % x.shape.length;
const rest = (x: Value, a: number): number[] => [...x.shape.keys()].filter((k) => k !== a);
const like = (x: Value, y: Value): Value => (y.shape.join() === x.shape.join() ? y : o.scalarLike(x, 0.75));
const spread = (y: Value, x: Value, a: number): Value => o.broadcastTo(y, x.shape, rest(x, a));
const matrix = (x: Value): boolean => x.shape.length === 2;

/** Whole numbers below n; in float64 they depend on x. In float32 rounding might swap two of the sorted. */
function indicesFrom(x: Value, n: number): Value {
  if (x.dtype === "float32") {
    const at = o.iota([sizeOf(x.shape)], 0);
    return o.mod(o.mul(at, o.scalarLike(at, 7)), o.scalarLike(at, n));
  }
  const order = o.argsort(o.reshape(x, [sizeOf(x.shape)]), 0);
  return o.mod(order, o.scalarLike(order, n));
}

const BUILDERS: readonly Builder[] = [
  (x, y) => o.add(x, like(x, y)),
  (x, y) => o.mul(x, like(x, y)),
  (x, y) => o.sub(like(x, y), x),
  (x, y) => o.maximum(x, like(x, y)),
  (x) => o.tanh(x),
  (x) => o.exp(o.neg(o.abs(x))),
  (x) => o.relu(x),
  (x, y) => o.select(o.lt(x, like(x, y)), o.neg(x), like(x, y)),
  (x, _, vary) => spread(o.sum(x, [axis(x, vary)]), x, axis(x, vary)),
  (x, _, vary) => o.sub(x, spread(o.mean(x, [axis(x, vary)]), x, axis(x, vary))),
  (x, _, vary) => o.softmax(x, axis(x, vary)),
  (x, _, vary) => o.max(x, [axis(x, vary)]),
  (x, _, vary) => o.sum(o.mul(x, x), [axis(x, vary)]),
  (x) => o.sum(x, [...x.shape.keys()]),
  (x) => (matrix(x) ? o.transpose(x, [1, 0]) : null),
  (x) => o.reshape(x, [sizeOf(x.shape)]),
  (x) => (matrix(x) ? o.reshape(x, [...x.shape].reverse()) : null),
  (x, _, vary) => o.flip(x, [axis(x, vary)]),
  (x, y, vary) => (sizeOf(x.shape) < 2000 ? o.concat([x, like(x, y), o.neg(x)], axis(x, vary)) : null),
  (x, _, vary) => (x.shape[axis(x, vary)]! > 2 ? o.sliceAxis(x, axis(x, vary), 1, x.shape[axis(x, vary)]! - 2) : null),
  (x, _, vary) =>
    sizeOf(x.shape) < 2000
      ? o.pad(x, {
          low: x.shape.map((_s, a) => (a + vary) % 3),
          high: x.shape.map(() => 1),
          interior: x.shape.map((_s, a) => (a === 0 ? vary % 2 : 0)),
          value: 0.5,
        })
      : null,
  (x, y) => (matrix(x) && matrix(y) && x.shape[1] === y.shape[0] ? o.tanh(o.matmul(x, y)) : null),
  (x, y) => (matrix(x) && matrix(y) && x.shape[1] === y.shape[1] ? o.tanh(o.einsum("ik,jk->ij", x, y)) : null),
  (x, y) => (matrix(x) && matrix(y) && x.shape[0] === y.shape[0] ? o.tanh(o.einsum("ki,kj->ij", x, y)) : null),
  (x) => (matrix(x) ? o.sigmoid(o.einsum("ik,jk->ji", x, x)) : null),
  (x, _, vary) => o.gather(x, indicesFrom(o.sliceAxis(x, axis(x, vary), 0, 1), x.shape[0]!)),
  (x, y) => (sizeOf(x.shape) < 500 ? o.scatterAdd(like(x, y), indicesFrom(o.sum(x, rest(x, 0)), x.shape[0]!), x) : null),
  (x, _, vary) => o.cumsum(x, axis(x, vary), { reverse: vary % 2 === 0, exclusive: vary % 3 === 0 }),
  (x, _, vary) => o.mul(o.cast(o.lt(o.iota(x.shape, axis(x, vary)), o.filled(7, x.shape, "int32")), x.dtype), x),
];

export const choices = (most: number): fc.Arbitrary<Choice[]> =>
  fc.array(fc.record({ build: fc.nat(BUILDERS.length - 1), first: fc.nat(1000), second: fc.nat(1000), vary: fc.nat(100) }), {
    minLength: 1,
    maxLength: most,
  });

/** What nothing uses, and every seventh value besides, are the outputs. Arguments are numbered from `first` on. */
export function buildGraph(steps: readonly Choice[], dtype: DType, first = 0): { leaves: Value[]; outputs: Value[] } {
  const leaves = SHAPES.map((shape, i) => o.argument(first + i, { shape, dtype }));
  const values: Value[] = [...leaves];
  const used = new Set<Value>();
  const pick = (n: number): Value => values[n % 3 === 0 ? n % values.length : values.length - 1 - (n % Math.min(5, values.length))]!;
  for (const { build, first, second, vary } of steps) {
    const [x, y] = [pick(first), pick(second)];
    const made = x.shape.length === 0 || sizeOf(x.shape) > 5000 ? null : BUILDERS[build]!(x, y, vary);
    if (!made) continue;
    values.push(made);
    used.add(x).add(y);
  }
  const made = values.slice(leaves.length);
  return { leaves, outputs: made.filter((v, i) => !used.has(v) || i % 7 === 3) };
}

export const numbersFor = (leaves: readonly Value[]): Map<Value, Float64Array> =>
  new Map(leaves.map((v, k) => [v, Float64Array.from({ length: sizeOf(v.shape) }, (_, i) => Math.sin(i * 1.37 + k) * 1.5)]));
