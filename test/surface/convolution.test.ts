/** Laws of convolutions, over random shapes, strides, dilations, groups and paddings. */
import { describe, expect, test } from "vitest";
import {
  type ConvolutionOptions,
  conv1d,
  conv2d,
  conv3d,
  convolve,
  convTranspose1d,
  convTranspose2d,
  convTranspose3d,
  correlate,
  fold,
  Generator,
  gradcheck,
  gradgradcheck,
  gradients,
  jvp,
  type Tensor,
  tensor,
  unfold,
  vjp,
  vmap,
  zeros,
} from "../../src/index.ts";
import { checkCase, fixture, type Case as PyTorchCase } from "../nn/fixtures.ts";
import { randomNumbers } from "../ops/samples.ts";

const CONV = [conv1d, conv2d, conv3d];
const TRANSPOSED = [convTranspose1d, convTranspose2d, convTranspose3d];

/** Small whole numbers, so that sums are exact and laws hold to the bit. */
function whole(shape: readonly number[], rng: Generator): Tensor {
  return rng.uniform(shape, -4, 4).floor().cast("float64") as Tensor;
}

interface Case {
  readonly axes: number;
  readonly x: readonly number[];
  readonly w: readonly number[];
  readonly options: ConvolutionOptions & { readonly padding: readonly (readonly [number, number])[]; readonly stride: readonly number[]; readonly dilation: readonly number[] }; // biome-ignore format: one line
}

/** A convolution that has a result, of 1, 2 or 3 axes. */
function randomCase(seed: number): Case {
  const random = randomNumbers(seed);
  const upTo = (n: number): number => Math.floor(random() * n);
  const axes = 1 + (seed % 3);
  const groups = 1 + upTo(3);
  const [within, out] = [1 + upTo(2), groups * (1 + upTo(2))];
  const each = <T>(f: (i: number) => T): T[] => Array.from({ length: axes }, (_, i) => f(i));
  const kernel = each(() => 1 + upTo(4));
  const stride = each(() => 1 + upTo(3));
  const dilation = each(() => 1 + upTo(3));
  const padding = each(() => [upTo(4) - 1, upTo(4) - 1] as [number, number]);
  const size = each((i) => Math.max(1, dilation[i]! * (kernel[i]! - 1) + 1 - padding[i]![0] - padding[i]![1]) + upTo(4));
  return {
    axes,
    x: [1 + upTo(2), groups * within, ...size],
    w: [out, within, ...kernel],
    options: { stride, dilation, padding, groups },
  };
}

const SEEDS = Array.from({ length: 30 }, (_, i) => i);
const numbers = async (x: Tensor): Promise<number[]> => Array.from((await x.data()) as Float64Array, (n) => n + 0);
const inner = (a: Tensor, b: Tensor): Promise<number> => a.mul(b).sum().item() as Promise<number>;

describe("⟨conv x, y⟩ = ⟨x, convᵀ y⟩: a transposed convolution is the adjoint", () => {
  test.each(SEEDS)("of random case %i, and so is its gradient", async (seed) => {
    const { axes, x: shape, w: kernel, options } = randomCase(seed);
    const rng = new Generator(seed);
    const [x, w] = [whole(shape, rng), whole(kernel, rng)];
    const y = CONV[axes - 1]!(x, w, options);
    const dy = whole(y.shape, rng);
    // What the stride leaves open of the size of x.
    const outputPadding = options.stride.map((s, i) => {
      const [before, after] = options.padding[i]!;
      return (shape[i + 2]! + before + after - options.dilation[i]! * (kernel[i + 2]! - 1) - 1) % s;
    });
    const back = TRANSPOSED[axes - 1]!(dy, w, { ...options, outputPadding });
    expect(back.shape).toEqual(shape);
    expect(await inner(y, dy)).toBe(await inner(x, back));
    const tracked = x.tracked();
    const dx = gradients(CONV[axes - 1]!(tracked, w, options).mul(dy).sum(), tracked);
    expect(await numbers(dx)).toEqual(await numbers(back));
  });
});

/** Cross-correlation, said with loops. */
function byLoops(x: number[][][][], w: number[][][][], { stride, dilation, padding, groups = 1 }: Case["options"]): number[][][][] {
  const [sy, sx] = stride as [number, number];
  const [dy, dx] = dilation as [number, number];
  const [[top, bottom], [left, right]] = padding as [[number, number], [number, number]];
  const [h, wide, kh, kw] = [x[0]![0]!.length, x[0]![0]![0]!.length, w[0]![0]!.length, w[0]![0]![0]!.length];
  const [within, per] = [w[0]!.length, w.length / groups];
  const rows = Math.floor((h + top + bottom - dy * (kh - 1) - 1) / sy) + 1;
  const columns = Math.floor((wide + left + right - dx * (kw - 1) - 1) / sx) + 1;
  return x.map((image) =>
    w.map((kernels, o) =>
      Array.from({ length: rows }, (_, r) =>
        Array.from({ length: columns }, (_, c) => {
          let sum = 0;
          for (let i = 0; i < within; i++)
            for (let p = 0; p < kh; p++)
              for (let q = 0; q < kw; q++)
                sum +=
                  (image[Math.floor(o / per) * within + i]![sy * r + dy * p - top]?.[sx * c + dx * q - left] ?? 0) * kernels[i]![p]![q]!;
          return sum;
        }),
      ),
    ),
  );
}

test("conv2d is what loops say", async () => {
  for (const seed of SEEDS.filter((n) => n % 3 === 1)) {
    const { x: shape, w: kernel, options } = randomCase(seed);
    const rng = new Generator(seed);
    const [x, w] = [whole(shape, rng), whole(kernel, rng)];
    const wanted = byLoops((await x.array()) as number[][][][], (await w.array()) as number[][][][], options);
    expect(await numbers(conv2d(x, w, options))).toEqual(wanted.flat(3).map((n) => n + 0));
  }
});

describe("Two sequences", () => {
  const { sequences } = fixture("conv.json") as {
    sequences: { a: number[]; b: number[]; mode: "full" | "same" | "valid"; convolve: number[]; correlate: number[] }[];
  };
  test("convolve and correlate as NumPy's do, in every mode, whichever is longer", async () => {
    for (const { a, b, mode, ...wanted } of sequences) {
      expect(await numbers(convolve(tensor(a), tensor(b), mode))).toEqual(wanted.convolve);
      expect(await numbers(correlate(tensor(a), tensor(b), mode))).toEqual(wanted.correlate);
    }
  });

  test("are convolved in full, and correlated where the second fits, if nothing is said", async () => {
    const [a, b] = [tensor([1, 2, 3]), tensor([1, 0])];
    expect(await convolve(a, b).array()).toEqual([1, 2, 3, 0]);
    expect(await correlate(a, b).array()).toEqual([1, 2]);
  });

  test("may be whole numbers, and smooth a sensor", async () => {
    const ints = tensor([1, 2, 3], { dtype: "int32" });
    expect(convolve(ints, ints).dtype).toBe("int32");
    expect(await convolve(ints, ints).array()).toEqual([1, 4, 10, 12, 9]);
    expect(await convolve(tensor([3, 3, 9, 3, 3]), tensor([1, 1, 1]).div(3), "valid").array()).toEqual([5, 5, 5]);
  });

  test("are refused where they are none", () => {
    expect(() => convolve(zeros([0]), zeros([2]))).toThrow(/^convolve: \[0\] with \[2\]/);
    expect(() => convolve(zeros([2]), zeros([2, 2]))).toThrow(/^convolve: \[2\] with \[2, 2\].*\n {2}why: both have the same axes/);
    expect(() => correlate(zeros([]), zeros([]))).toThrow(/^correlate: \[\] with \[\]/);
    expect(() => convolve(zeros([2]), zeros([2]), "all" as "full")).toThrow(
      /^convolve: the mode is "all".*\n {2}help: "full", "same" or "valid"/,
    );
  });
});

describe("Columns of what lies under a window", () => {
  const { columns } = fixture("conv.json") as { columns: PyTorchCase[] };
  for (const c of columns) {
    const { outputSize, kernelSize, ...options } = c.options;
    test(`are PyTorch's, with gradients: ${c.name} ${JSON.stringify(c.options)}`, () =>
      checkCase(c, ({ x }) => (c.name === "fold" ? fold(x!, outputSize, kernelSize, options) : unfold(x!, kernelSize, options))));
  }

  test("make a convolution a product, with axes in front of the channels or none", async () => {
    const rng = new Generator(0);
    const [x, w] = [whole([2, 2, 3, 7, 6], rng), whole([4, 3, 2, 3], rng)];
    const y = w.reshape([4, 18]).matmul(unfold(x, [2, 3], { stride: 2 }));
    expect(await numbers(y)).toEqual(await numbers(conv2d(x, w, { stride: 2 })));
    expect(unfold(zeros([3, 224, 224]), 16, { stride: 16 }).shape).toEqual([768, 196]);
    expect(fold(zeros([0, 12, 9]), 4, 2).shape).toEqual([0, 3, 4, 4]);
  });

  test("are refused where they are none of such an image", () => {
    expect(() => fold(zeros([2, 13, 9]), 4, 2)).toThrow(/^fold: the input is \[2, 13, 9\].*\n {2}why: it is \[…, channels · 4, 9\]/);
    expect(() => unfold(zeros([4, 4]), 2)).toThrow(/^unfold: the input is \[4, 4\]/);
    expect(() => unfold(zeros([1, 4, 4]), 5)).toThrow(/^unfold: a kernel that reaches over 5 does not fit into axis 1/);
  });
});

/** Two tensors of one rank, small and of whole numbers. */
function pair(seed: number): [Tensor, Tensor, Tensor] {
  const rng = new Generator(seed);
  const random = randomNumbers(seed);
  const rank = 1 + (seed % 3);
  const make = (): Tensor => whole(Array.from({ length: rank }, () => 1 + Math.floor(random() * 5)), rng); // biome-ignore format: one line
  return [make(), make(), make()];
}

describe("Convolution", () => {
  test("is commutative, in every mode", async () => {
    for (const seed of SEEDS) {
      const [a, b] = pair(seed);
      for (const mode of ["full", "same", "valid"] as const)
        expect(await numbers(convolve(a, b, mode))).toEqual(await numbers(convolve(b, a, mode)));
    }
  });

  test("is associative, distributes over sums, and has an identity, where all is kept", async () => {
    for (const seed of SEEDS) {
      const [a, b, c] = pair(seed);
      expect(await numbers(convolve(convolve(a, b), c))).toEqual(await numbers(convolve(a, convolve(b, c))));
      const other = whole(b.shape, new Generator(seed + 100));
      expect(await numbers(convolve(a, b.add(other)))).toEqual(await numbers(convolve(a, b).add(convolve(a, other))));
      expect(await numbers(convolve(a, tensor(1, { dtype: "float64" }).reshape(a.shape.map(() => 1))))).toEqual(await numbers(a));
    }
  });

  test("is correlation with one of the two flipped", async () => {
    for (const seed of SEEDS) {
      const [a, b] = pair(seed);
      expect(await numbers(convolve(a, b))).toEqual(await numbers(correlate(a, b.flip(), "full")));
      expect(await numbers(correlate(a, b, "full"))).toEqual(await numbers(convolve(a, b.flip())));
    }
  });

  test("of one channel is conv1d, conv2d, conv3d with the kernel flipped and full padding", async () => {
    for (const seed of SEEDS) {
      const [a, b] = pair(seed);
      const slid = CONV[a.shape.length - 1]!(a.unsqueeze(0), b.flip().unsqueeze(0).unsqueeze(0), { padding: "full" });
      expect(await numbers(slid)).toEqual(await numbers(convolve(a, b)));
    }
  });

  test("is equivariant to translation, and not to rotation", async () => {
    for (const seed of SEEDS) {
      const rng = new Generator(seed);
      const [x, w] = [whole([1, 2, 6, 7], rng), whole([3, 2, 3, 3], rng)];
      // Where nothing is shifted out: a margin of zeros, as wide as the shift.
      const image = x.pad([[2, 2], [2, 2]]); // biome-ignore format: pairs
      const shift = (t: Tensor): Tensor => t.pad([[1, -1], [2, -2]]); // biome-ignore format: pairs
      const moved = conv2d(shift(image), w, { padding: "full" });
      expect(await numbers(moved)).toEqual(await numbers(shift(conv2d(image, w, { padding: "full" }))));
    }
    const turn = (t: Tensor): Tensor => t.transpose().flip(-1) as Tensor;
    const edge = tensor([[1, 0, -1], [1, 0, -1], [1, 0, -1]], { dtype: "float64" }).reshape([1, 1, 3, 3]); // biome-ignore format: rows
    const picture = whole([1, 1, 5, 5], new Generator(3));
    expect(await numbers(conv2d(turn(picture), edge))).not.toEqual(await numbers(turn(conv2d(picture, edge))));
    expect(await numbers(conv2d(turn(picture), turn(edge)))).toEqual(await numbers(turn(conv2d(picture, edge))));
  });
});

describe("Derivatives", () => {
  const f64 = (shape: readonly number[], seed: number): Tensor => new Generator(seed).normal(shape).cast("float64") as Tensor;
  const elements = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);
  // Differences take an evaluation for each element, those of second order one for each two.
  const some = SEEDS.filter((seed) => elements(randomCase(seed).x) * elements(randomCase(seed).w) < 1500);

  test.each(some)("of random case %i are what differences measure, of second order and mixed too", async (seed) => {
    const { axes, x: shape, w: kernel, options } = randomCase(seed);
    const transposable = { stride: options.stride, dilation: options.dilation, groups: options.groups! };
    const [x, w, bias] = [f64(shape, 1), f64(kernel, 2), f64([kernel[0]!], 3)];
    const direct = (x: Tensor, w: Tensor, bias: Tensor): Tensor => CONV[axes - 1]!(x, w, { ...options, bias }).tanh();
    expect(await gradcheck(direct, [x, w, bias])).toMatchObject({ passed: true });
    expect(await gradgradcheck(direct, [x, w, bias])).toMatchObject({ passed: true });
    const back = (y: Tensor, w: Tensor): Tensor => TRANSPOSED[axes - 1]!(y, w, transposable).tanh();
    const y = f64([1, kernel[0]!, ...shape.slice(2).map(() => 2)], 4);
    expect(await gradcheck(back, [y, w])).toMatchObject({ passed: true });
    expect(await gradgradcheck(back, [y, w])).toMatchObject({ passed: true });
  });

  test("forwards and backwards agree: ⟨J v, u⟩ = ⟨v, Jᵀ u⟩", async () => {
    for (const seed of some) {
      const { axes, x: shape, w: kernel, options } = randomCase(seed);
      const [x, w, v] = [f64(shape, 1), f64(kernel, 2), f64(shape, 3)];
      const f = (x: Tensor): Tensor => CONV[axes - 1]!(x, w, options).tanh();
      const [y, moved] = jvp(f, [x], [v]);
      const u = f64(y.shape, 4);
      const [dx] = vjp(f, x)[1](u) as unknown as [Tensor];
      expect(await inner(moved as Tensor, u)).toBeCloseTo(await inner(v, dx), 10);
    }
  });
});

describe("A batch of convolutions", () => {
  test("over images, over kernels, or over both, is each of them", async () => {
    for (const seed of SEEDS) {
      const { axes, x: shape, w: kernel, options } = randomCase(seed);
      const rng = new Generator(seed);
      const [xs, ws] = [whole([3, ...shape], rng), whole([3, ...kernel], rng)];
      const conv = (x: Tensor, w: Tensor): Tensor => CONV[axes - 1]!(x, w, options);
      const at = (t: Tensor, i: number): Tensor => t.at(i) as Tensor;
      for (const [batched, each] of [
        [vmap(conv)(xs, ws), [0, 1, 2].map((i) => conv(at(xs, i), at(ws, i)))],
        [vmap((x: Tensor) => conv(x, at(ws, 0)))(xs), [0, 1, 2].map((i) => conv(at(xs, i), at(ws, 0)))],
        [vmap((w: Tensor) => conv(at(xs, 0), w))(ws), [0, 1, 2].map((i) => conv(at(xs, 0), at(ws, i)))],
      ] as [Tensor, Tensor[]][]) {
        const wanted = (await Promise.all(each.map(numbers))).flat();
        expect(await numbers(batched)).toEqual(wanted);
      }
    }
  });
});
