/** Sizes that are no multiple of anything, along every axis of every kind of op. */
import { beforeAll, describe, test } from "vitest";
import { type DType, isFloat } from "../../src/core/dtype.ts";
import { sizeOf } from "../../src/core/shape.ts";
import type { Value } from "../../src/graph/op.ts";
import * as o from "../../src/ops/index.ts";
import { topK } from "../../src/surface/reduce.ts";
import { gradients } from "../../src/transform/gradients.ts";
import { randomNumbers } from "../ops/samples.ts";
import { compileAhead, type TargetCase } from "./harness.ts";
import { onTarget } from "./suite.ts";

/** Makes the arguments of a graph, and numbers for them. */
export class Feeds {
  readonly inputs = new Map<Value, Float64Array>();
  private readonly random = randomNumbers(11);

  /** −2 … 2 for floats and ints, 0 or 1 for bool. */
  tensor(shape: readonly number[], dtype: DType = "float32", numbers?: (i: number) => number): Value {
    const v = o.argument(this.inputs.size, { shape, dtype });
    const draw = (): number =>
      isFloat(dtype)
        ? this.random() * 4 - 2
        : dtype === "bool"
          ? Math.floor(this.random() * 2)
          : Math.floor(this.random() * 5) - (dtype === "int32" ? 2 : 0);
    this.inputs.set(
      v,
      Float64Array.from({ length: sizeOf(shape) }, (_, i) => (numbers ? numbers(i) : draw())),
    );
    return v;
  }

  /** Indices into an axis, with `fromEnd` some from the end. */
  indices(shape: readonly number[], below: number, fromEnd = false): Value {
    return this.tensor(shape, "int32", () => Math.floor(this.random() * (fromEnd ? 2 : 1) * below) - (fromEnd ? below : 0));
  }
}

type Family = (f: Feeds, n: number) => Value[];
const axesOf = (x: Value): number[] => [...x.shape.keys()];

/** [n, 3, 2], [3, n, 2] and [2, 3, n]: the axis of interest first, in the middle and last. */
const placed = (f: Feeds, n: number, dtype?: DType, numbers?: (i: number) => number): { x: Value; axis: number }[] =>
  [[n, 3, 2], [3, n, 2], [2, 3, n]].map((shape, axis) => ({ x: f.tensor(shape, dtype, numbers), axis })); // biome-ignore format: shapes
const along = (f: Feeds, n: number, build: (x: Value, axis: number) => Value[], dtype?: DType, numbers?: (i: number) => number): Value[] =>
  placed(f, n, dtype, numbers).flatMap(({ x, axis }) => build(x, axis));

const ORDERS = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]]; // biome-ignore format: orders

/** Ties, and a NaN in every seventh place. */
const tiesAndNaN = (i: number): number => (i % 7 === 5 ? Number.NaN : (i * 5) % 4);

const FAMILIES: Record<string, Family> = {
  "elementwise chains": (f, n) =>
    along(f, n, (x) => [
      o.mul(o.tanh(x), o.exp(o.neg(o.abs(x)))),
      o.select(o.lt(x, o.zerosLike(x)), o.sigmoid(x), x),
      o.cast(o.lt(o.zerosLike(x), x), "int32"),
    ]),
  reductions: (f, n) =>
    along(f, n, (x, axis) => [
      o.sum(x, [axis]),
      o.max(x, [axis]),
      o.min(x, [axis]),
      o.product(x, [axis]),
      o.mean(x, axesOf(x)),
      o.sum(
        x,
        axesOf(x).filter((a) => a !== axis),
      ),
    ]),
  "reductions of int32": (f, n) => along(f, n, (x, axis) => [o.sum(x, [axis]), o.max(x, [axis]), o.min(x, axesOf(x))], "int32"),
  "reductions of uint32": (f, n) =>
    along(
      f,
      n,
      (x, axis) => [o.max(x, [axis]), o.min(x, [axis]), o.sum(x, axesOf(x))],
      "uint32",
      (i) => (i * 2654435761) % 2 ** 32,
    ),
  softmax: (f, n) => along(f, n, (x, axis) => [o.softmax(x, axis), o.logSoftmax(x, axis), o.logSumExp(x, [axis])]),
  "normalised rows": (f, n) =>
    along(f, n, (x, axis) => {
      const spread = (y: Value): Value =>
        o.broadcastTo(
          y,
          x.shape,
          axesOf(x).filter((a) => a !== axis),
        );
      const centred = o.sub(x, spread(o.mean(x, [axis])));
      const variance = o.mean(o.mul(centred, centred), [axis]);
      return [o.div(centred, o.sqrt(o.add(spread(variance), o.scalarLike(x, 0.1))))];
    }),
  "argmax with ties and NaN": (f, n) =>
    along(f, n, (x, axis) => [o.argmax(x, axis), o.argmin(x, axis), o.max(x, [axis])], "float32", tiesAndNaN),
  "argmax of float64 and int32": (f, n) => [
    ...along(f, n, (x, axis) => [o.argmax(x, axis)], "float64", tiesAndNaN),
    ...along(f, n, (x, axis) => [o.argmin(x, axis)], "int32"),
  ],
  // In whatever order the axes lie in memory: the first extreme is that of the axes as they are named.
  "argmax among several axes with ties and NaN": (f, n) =>
    along(
      f,
      n,
      (x, axis) => {
        const others = axesOf(x).filter((a) => a !== axis);
        return ORDERS.flatMap((order) => {
          const y = o.transpose(x, order);
          return [o.argmax(y, axesOf(y)), o.argmin(y, others), o.argmax(y, [0, 1]), o.argmin(y, [0, 2]), o.max(y, [1, 2])];
        });
      },
      "float32",
      tiesAndNaN,
    ),
  "argmax among the axes of float64 and int32": (f, n) => [
    ...along(f, n, (x) => [o.argmax(o.transpose(x, [2, 1, 0]), [0, 1])], "float64", tiesAndNaN),
    ...along(f, n, (x) => [o.argmin(o.transpose(x, [1, 0, 2]), [0, 1, 2])], "int32"),
    ...along(
      f,
      n,
      (x, axis) => [o.argmax(o.reshape(x, [n, 6]), axis === 1 ? [0, 1] : 0)],
      "float32",
      () => Number.NEGATIVE_INFINITY,
    ),
  ],
  moves: (f, n) =>
    along(f, n, (x, axis) => [
      o.add(o.transpose(x, [2, 0, 1]), o.scalarLike(o.transpose(x, [2, 0, 1]), 1)),
      o.neg(o.reshape(o.transpose(x, [1, 2, 0]), [6, n])),
      o.flip(x, [axis]),
      o.exp(
        o.slice(x, {
          starts: x.shape.map(() => 0),
          steps: x.shape.map((_, a) => (a === axis ? 2 : 1)),
          sizes: x.shape.map((d, a) => (a === axis ? Math.ceil(d / 2) : d)),
        }),
      ),
    ]),
  "concat and pad": (f, n) =>
    along(f, n, (x, axis) => [
      o.concat([o.neg(x), x, o.flip(x, [axis])], axis),
      o.pad(o.exp(x), {
        low: x.shape.map((_, a) => (a === axis ? 2 : 0)),
        high: [1, 0, 1],
        interior: x.shape.map((_, a) => (a === axis ? 1 : 0)),
        value: 0.5,
      }),
    ]),
  windows: (f, n) =>
    n < 3
      ? []
      : along(f, n, (x, axis) => {
          const seen = o.windows(x, { axis, size: 3, stride: 2, dilation: 1 });
          return [o.max(seen, [axis + 1]), o.fold(o.tanh(seen), { axis, size: 3, stride: 2, dilation: 1, length: n })];
        }),
  "pools with ties": (f, n) =>
    n > 60
      ? []
      : [2, 3].flatMap((size) => {
          const x = f.tensor([2, n + 3, 7], "float32", (i) => (i * 5) % 4);
          const cut = (v: Value, axis: number): Value => o.windows(v, { axis, size, stride: 2, dilation: 1 });
          const y = o.max(cut(cut(x, 1), 3), [2, 4]);
          const first = gradients(o.sum(o.square(y), axesOf(y)), [x])[0]!;
          return [y, first, gradients(o.sum(o.square(first), axesOf(x)), [x])[0]!];
        }),
  gather: (f, n) =>
    along(f, n, (x, axis) => [
      o.gather(x, f.indices([4, 5], n, true), { axis, fromEnd: true }),
      o.exp(o.takeAlong(x, f.indices(x.shape.with(axis, 3), n), axis)),
    ]),
  "gather of many": (f, n) => [
    o.gather(f.tensor([7, 3]), f.indices([n], 7, true), { fromEnd: true }),
    o.gather(f.tensor([2, 7]), f.indices([2, n], 7), { batch: 1 }),
  ],
  scatter: (f, n) => [
    o.scatterAdd(f.tensor([n, 3]), f.indices([17], n, true), f.tensor([17, 3]), { fromEnd: true }),
    o.scatterAdd(f.tensor([3, n]), f.indices([40], 3), f.tensor([40, n])),
    o.scatterAdd(f.tensor([2, n]), f.indices([2, 9], n), f.tensor([2, 9]), { batch: 1 }),
  ],
  "cumsum and cumprod": (f, n) =>
    along(f, n, (x, axis) => [o.cumsum(x, axis), o.cumsum(x, axis, { reverse: true, exclusive: true }), o.cumprod(o.cos(x), axis)]),
  "argsort and topK": (f, n) =>
    along(
      f,
      n,
      (x, axis) => [o.argsort(x, axis), o.argsort(x, axis, { descending: true }), topK(x, Math.min(3, n), axis).values],
      "float32",
      tiesAndNaN,
    ),
  "matrix products": (f, n) => [
    o.matmul(f.tensor([n, 5]), f.tensor([5, 3])),
    o.matmul(f.tensor([3, n]), f.tensor([n, 5])),
    o.relu(o.matmul(f.tensor([17, 9]), f.tensor([9, n]))),
    o.matmul(f.tensor([n, n]), f.tensor([n, n])),
  ],
  "transposed and batched products": (f, n) => [
    o.einsum("ki,kj->ij", f.tensor([17, n]), f.tensor([17, 33])),
    o.einsum("ik,jk->ij", f.tensor([33, 19]), f.tensor([n, 19])),
    o.einsum("ki,jk->ji", f.tensor([n, 20]), f.tensor([21, n])),
    o.tanh(o.matmul(f.tensor([3, n, 17]), f.tensor([3, 17, 11]))),
    o.einsum("bhqd,bhkd->bhqk", f.tensor([2, 3, n, 8]), f.tensor([2, 3, 5, 8])),
    o.einsum("qbhd,kbhd->bhqk", f.tensor([n, 2, 3, 8]), f.tensor([9, 2, 3, 8])),
  ],
  "products with vectors": (f, n) => [
    o.matmul(f.tensor([n, 17]), f.tensor([17, 1])),
    o.matmul(f.tensor([1, n]), f.tensor([n, 17])),
    o.einsum("i,j->ij", f.tensor([n]), f.tensor([19])),
    o.dot(f.tensor([n]), f.tensor([n])),
  ],
  "products with an epilogue": (f, n) => {
    const y = o.matmul(f.tensor([n, 64]), f.tensor([64, 40]));
    const bias = o.broadcastTo(f.tensor([40]), y.shape, [1]);
    return [o.relu(o.add(y, bias)), o.sum(o.mul(y, y), [0]), o.softmax(y, 1)];
  },
  "products of slices and reshapes": (f, n) => {
    const x = f.tensor([n, 3, 32]);
    const gates = o.matmul(o.reshape(x, [n * 3, 32]), f.tensor([32, 24]));
    return [o.reshape(gates, [n, 3, 24]), o.tanh(o.sliceAxis(gates, 1, 8, 8)), o.transpose(o.reshape(gates, [n, 3, 4, 6]), [2, 0, 1, 3])];
  },
  "bytes and bools": (f, n) =>
    along(
      f,
      n,
      (x) => {
        const picture = o.cast(x, "float32");
        const truth = o.lt(picture, o.scalarLike(picture, 100));
        return [
          o.div(picture, o.scalarLike(picture, 255)),
          truth,
          o.cast(o.add(picture, picture), "uint8"),
          o.cast(truth, "uint8"),
          o.logicalNot(truth),
          o.flip(truth, [0]),
        ];
      },
      "uint8",
      (i) => (i * 37) % 256,
    ),
  "mixed widths": (f, n) =>
    along(f, n, (x, axis) => {
      const [wide, whole, sign] = [o.cast(x, "float64"), o.cast(x, "int32"), o.cast(x, "uint32")];
      return [
        o.add(wide, o.cast(whole, "float64")),
        o.cast(o.sum(wide, [axis]), "float32"),
        o.select(o.lt(wide, o.zerosLike(wide)), x, o.neg(x)),
        o.cast(o.lt(wide, o.zerosLike(wide)), "int32"),
        o.cast(sign, "float64"),
      ];
    }),
  // No larger: the interpreter takes n³ steps as well.
  "factors and solutions": (f, size) => {
    const n = Math.min(size, 67);
    const [x, batch] = [f.tensor([n, n]), f.tensor([3, n, n], "float64")];
    const away = (v: Value): Value => o.add(o.mul(v, o.scalarLike(v, n ** -0.5)), o.mul(o.identityLike(v), o.scalarLike(v, 3)));
    const square = o.mul(o.matmul(batch, o.matrixTranspose(batch)), o.scalarLike(batch, 1 / n));
    const l = o.cholesky(o.add(square, o.identityLike(square)));
    const upper = { upper: true, transpose: false, unit: false, label: "solve" };
    return [
      o.solve(o.flip(away(x), [0]), f.tensor([n, 5])),
      o.inverseOf(o.flip(away(x), [1])),
      o.logdet(away(batch)),
      l,
      o.triangularSolve(l, f.tensor([3, n, 37], "float64"), { ...upper, upper: false, transpose: true }),
      o.triangularSolve(away(x), f.tensor([n, 150]), upper),
    ];
  },
  // Of equally large pivots the first is taken: all in the first column are 1 or −1.
  "pivots that are equal": (f, n) =>
    n > 17 ? [] : [o.lu(o.concat([f.tensor([n, 1], "float32", (i) => (i % 3 === 0 ? 1 : -1)), f.tensor([n, n - 1])], 1))],
  positions: (f, n) =>
    along(f, n, (x, axis) => [o.add(o.iota(x.shape, axis, "float32"), x), o.lt(o.iota(x.shape, axis), o.iota(x.shape, (axis + 1) % 3))]),
};

const SIZES = [1, 3, 5, 17, 250];

const ODD: Record<string, Family> = {
  "no elements": (f) => {
    const x = f.tensor([3, 0, 2]);
    return [
      o.exp(x),
      o.sum(x, [1]),
      o.product(x, [1]),
      o.sum(x, [0]),
      o.concat([x, f.tensor([3, 2, 2])], 1),
      o.matmul(f.tensor([4, 0]), f.tensor([0, 5])),
      o.reshape(x, [0]),
      o.logSumExp(x, [1]),
      o.cumsum(x, 1),
      o.argsort(x, 1),
      o.pad(x, { low: [0, 1, 0], high: [0, 1, 0], interior: [0, 0, 0], value: 3 }),
    ];
  },
  "nothing taken and nothing added": (f) => [
    o.gather(f.tensor([3, 2]), f.indices([0], 3)),
    o.scatterAdd(f.tensor([3, 2]), f.indices([0], 3), f.tensor([0, 2])),
    o.matmul(f.tensor([0, 4]), f.tensor([4, 3])),
  ],
  scalars: (f) => {
    const [x, y] = [f.tensor([]), f.tensor([])];
    return [
      o.add(x, y),
      o.exp(x),
      o.broadcastTo(x, [3, 17]),
      o.sum(o.broadcastTo(x, [250]), [0]),
      o.reshape(x, [1, 1]),
      o.cast(x, "float64"),
      o.lt(x, y),
    ];
  },
  "six axes": (f) => {
    const x = f.tensor([2, 3, 2, 3, 2, 3]);
    return [
      o.tanh(o.transpose(x, [5, 3, 1, 0, 2, 4])),
      o.sum(x, [0, 2, 4]),
      o.max(x, [1, 3, 5]),
      o.softmax(x, 2),
      o.flip(x, [0, 5]),
      o.reshape(o.transpose(x, [1, 0, 3, 2, 5, 4]), [6, 6, 6]),
      o.sum(o.transpose(x, [5, 4, 3, 2, 1, 0]), [1, 3]),
    ];
  },
  "long sums": (f) => {
    const x = f.tensor([50_000]);
    return [
      o.sum(x, [0]),
      o.mean(o.mul(x, x), [0]),
      o.max(x, [0]),
      o.argmax(x, 0),
      o.sum(f.tensor([3, 20_000]), [1]),
      o.sum(f.tensor([20_000, 3]), [0]),
    ];
  },
};

export function shapeSuite(target: TargetCase): void {
  const families = Object.entries(FAMILIES).flatMap(([name, family]) =>
    (target.slow ? [17, 250] : SIZES).map((n) => ({ title: `${name} at ${n}`, family, n, slack: 1 })),
  );
  const odd = Object.entries(ODD).map(([name, family]) => ({ title: name, family, n: 0, slack: 4 }));
  onTarget({ ...target, quick: false }, (device, compare) => {
    describe("Sizes", () => {
      const cases = [...families, ...odd].map(({ title, family, n, slack }) => {
        const feeds = new Feeds();
        return { title, outputs: family(feeds, n), inputs: feeds.inputs, slack };
      });
      beforeAll(
        () =>
          compileAhead(
            device(),
            cases.map(({ outputs }) => outputs),
          ),
        120_000,
      );
      test.each(cases)("$title give what the interpreter gives.", ({ outputs, inputs, slack }) => {
        if (target.apart) for (const y of outputs) compare([y], inputs, slack);
        compare(outputs, inputs, slack);
      });
    });
  });
}
