import { readFileSync } from "node:fs";
import { arange, compile, Generator, gradcheck, gradgradcheck, gradients, type Tensor, tensor, vmap } from "gradus";
import {
  ColorJitter,
  ElasticTransform,
  inference,
  init,
  type Mode,
  type Module,
  PcaColorShift,
  RandomAffine,
  RandomCrop,
  RandomHorizontalFlip,
  RandomRotation,
  RandomVerticalFlip,
  rotate,
  Sequential,
  Standardize,
  sampleBilinear,
  training,
  translate,
} from "gradus/nn";
import { describe, expect, test } from "vitest";
import { symmetricEigen } from "../../src/nn/augmentation/eigen.ts";

type Layer = Module & { forward(x: Tensor, mode: Mode): Tensor };

const mode = (seed = 0): Mode => training(new Generator(seed));
/** Pictures whose pixels are all different. */
const numbered = (n: number, c: number, h: number, w: number): Tensor => arange(1, 1 + n * c * h * w).reshape([n, c, h, w]);
const noise = (shape: number[], seed = 1): Promise<Tensor> => evaluated(new Generator(seed).uniform(shape));
const evaluated = async (x: Tensor): Promise<Tensor> => tensor(await x.data(), [...x.shape]);
type Picture = number[][];
const pictures = async (x: Tensor): Promise<Picture[][]> => (await x.array()) as unknown as Picture[][];

const rot90 = (a: Picture): Picture => a[0]!.map((_, i) => a.map((row) => row[row.length - 1 - i]!));

/** Every layer, and whether it keeps the shape. */
const LAYERS: Record<string, () => Layer> = {
  RandomCrop: () => new RandomCrop(4, { padding: 2 }),
  RandomHorizontalFlip: () => new RandomHorizontalFlip(),
  RandomVerticalFlip: () => new RandomVerticalFlip(),
  RandomAffine: () => new RandomAffine({ degrees: 30, translate: 0.2, scale: [0.8, 1.2] }),
  RandomRotation: () => new RandomRotation(30, { outside: "edge" }),
  ElasticTransform: () => new ElasticTransform({ alpha: 3, sigma: 1 }),
  ColorJitter: () => new ColorJitter({ brightness: 0.3, contrast: 0.3, saturation: 0.3 }),
  PcaColorShift: () =>
    new PcaColorShift(0.5).adapt({
      covariance: [
        [4, 1, 0],
        [1, 3, 1],
        [0, 1, 2],
      ],
    }),
};

describe.each(Object.entries(LAYERS))("%s", (name, make) => {
  const layer = init(make(), 0);

  test("changes nothing in use, but for the size", async () => {
    const x = await noise([3, 3, 5, 6]);
    const y = layer.forward(x, inference);
    if (name === "RandomCrop") expect(await y.array()).toEqual(await x.at("...,0:4,1:5").array());
    else expect(await y.array()).toEqual(await x.array());
  });

  test("gives the same pictures for the same seed on any number of threads and every target, and others for another", async () => {
    const x = await noise([7, 3, 5, 6]);
    const run = async (device: "native" | "wasm" | "interpreter", threads: number, seed = 4): Promise<ArrayLike<number>> => {
      const rng = new Generator(seed);
      return compile((x: Tensor) => layer.forward(x, training(rng)), device === "interpreter" ? { device } : { device, threads })(x).data();
    };
    const one = await run("wasm", 1);
    expect(await run("wasm", 2)).toEqual(one);
    expect(await run("wasm", 1, 5)).not.toEqual(one);
    for (const other of [await run("interpreter", 1), await run("native", 2)])
      Array.from(other).forEach((value, i) => {
        expect(value).toBeCloseTo(one[i]!, 4);
      });
  });

  test("is cut into the same blocks for any number of threads", async () => {
    const x = await noise([40, 3, 24, 20]);
    const shown = name === "RandomCrop" ? new RandomCrop([22, 20], { padding: 3 }) : layer;
    for (const device of ["wasm", "native"] as const) {
      const [one, two] = [1, 2].map((threads) => {
        const rng = new Generator(4);
        return compile((x: Tensor) => shown.forward(x, training(rng)), { device, threads })(x).data();
      });
      expect(await two).toEqual(await one);
    }
  });

  test("treats pictures apart: each of equal ones becomes another", async () => {
    const one = await noise([1, 3, 5, 6]);
    const many = layer.forward(one.broadcastTo([64, 3, 5, 6]), mode());
    const kinds = new Set((await pictures(many)).map((picture) => JSON.stringify(picture)));
    expect(kinds.size).toBeGreaterThan(name.endsWith("Flip") ? 1 : 15);
  });

  test("keeps float64, and counts in it", () => {
    expect(layer.forward(numbered(2, 3, 5, 6).cast("float64"), mode()).dtype).toBe("float64");
  });

  test("takes batches of any size, of one picture and of none", () => {
    for (const n of [0, 1]) expect(layer.forward(numbered(n, 3, 5, 6), mode()).shape[0]).toBe(n);
  });

  test("wants a mode, and a batch of images", () => {
    expect(() => (layer as any).forward(numbered(1, 3, 5, 6))).toThrow(/forward needs a mode/);
    expect(() => layer.forward(arange(12).reshape([3, 4]), mode())).toThrow(/images are \[n, channels, height, width\]/);
  });
});

describe("the layers in a model", () => {
  test("a chain of them trains with a model, draws once for each step, and is off in use", async () => {
    const model = init(new Sequential(new Standardize(3, { axis: 1 }), new RandomCrop(5, { padding: 1 }), new RandomHorizontalFlip()), 0);
    const x = await noise([4, 3, 5, 5]);
    const rng = new Generator(3);
    const step = compile((x: Tensor) => model.forward(x, training(rng)));
    const [first, second] = [await step(x).data(), await step(x).data()];
    expect(first).not.toEqual(second);
    expect(step.programs).toBe(1);
    expect(await model.forward(x, inference).array()).toEqual(await x.array());
  });

  test("vmap over batches is each batch by itself", async () => {
    const layer = new RandomCrop(3);
    const x = await noise([2, 3, 1, 5, 5]);
    const rotated = vmap((batch: Tensor) => rotate(batch, 90))(x);
    for (const i of [0, 1]) expect((await pictures(rotated.at(i)))[0]).toEqual((await pictures(rotate(x.at(i), 90)))[0]);
    expect(vmap((batch: Tensor) => layer.forward(batch, inference))(x).shape).toEqual([2, 3, 1, 3, 3]);
    // Draws of a mapped function are those of each of its batches.
    const parts = vmap((batch: Tensor) => layer.forward(batch, mode(1)))(x);
    for (const i of [0, 1]) {
      const [whole, crops] = [await pictures(x.at(i)), await pictures(parts.at(i))];
      crops.forEach(([crop], k) => {
        const places = [0, 1, 2].flatMap((top) =>
          [0, 1, 2].map((left) => whole[k]![0]!.slice(top, top + 3).map((row) => row.slice(left, left + 3))),
        );
        expect(places).toContainEqual(crop);
      });
    }
  });
});

describe("rotation", () => {
  test("by quarters of a turn moves pixels and changes none, as NumPy's rot90", async () => {
    const x = numbered(2, 2, 5, 5);
    const [start] = await pictures(x);
    let wanted = start![1]!;
    for (const degrees of [90, 180, 270, 360]) {
      wanted = rot90(wanted);
      expect((await pictures(rotate(x, degrees)))[0]![1]).toEqual(wanted);
      expect((await pictures(rotate(x, degrees - 360)))[0]![1]).toEqual(wanted);
    }
  });

  test("of sides of even length too, and each picture by its own angle", async () => {
    const x = numbered(3, 1, 4, 4);
    const [a, b, c] = await pictures(rotate(x, tensor([0, 90, -90])));
    const [p, q, r] = await pictures(x);
    expect(a![0]).toEqual(p![0]);
    expect(b![0]).toEqual(rot90(q![0]!));
    expect(c![0]).toEqual(rot90(rot90(rot90(r![0]!))));
  });

  test("by 45° reads between pixels, and black or the edge outside", async () => {
    const x = tensor([
      [
        [
          [1, 1, 1],
          [1, 5, 1],
          [1, 1, 1],
        ],
      ],
    ]);
    const [[black]] = (await pictures(rotate(x, 45))) as [[Picture]];
    const [[edge]] = (await pictures(rotate(x, 45, { outside: "edge" }))) as [[Picture]];
    expect(black[1]![1]).toBe(5);
    // The corner is √2 pixels from the centre, on the axis: 0.4142 of a pixel beyond the edge.
    expect(black[0]![0]).toBeCloseTo(2 - Math.SQRT2, 5);
    expect(edge[0]![0]).toBeCloseTo(1, 5);
    // A neighbour of the centre comes from (½√2, ½√2): of the centre remain (1 − ½√2)².
    expect(edge[0]![1]).toBeCloseTo(1 + 4 * (1 - Math.SQRT1_2) ** 2, 5);
  });

  test("is a linear map whose gradient is its adjoint", async () => {
    const x = tensor(await new Generator(2).uniform([1, 2, 4, 3]).data(), [1, 2, 4, 3], { dtype: "float64" });
    expect(await gradcheck((x: Tensor) => rotate(x, 20, { outside: "edge" }).square(), [x])).toMatchObject({ passed: true });
    expect(await gradgradcheck((x: Tensor) => rotate(x, 20).square(), [x])).toMatchObject({ passed: true });
  });
});

interface Sample {
  readonly shape: number[];
  readonly size: number[];
  readonly outside: "zero" | "edge";
  readonly x: number[];
  readonly rows: number[];
  readonly columns: number[];
  readonly y: number[];
  readonly dx: number[];
}
const SAMPLES = JSON.parse(readFileSync(new URL("../fixtures/sample.json", import.meta.url), "utf8")) as Sample[];

describe("bilinear sampling", () => {
  test.each(SAMPLES)("of $shape at $size places, with $outside outside, is PyTorch's, and so is its gradient", async (sample) => {
    const { shape, size, outside } = sample;
    const x = tensor(sample.x, shape);
    const places = [shape[0]!, ...size];
    const y = (x: Tensor): Tensor => sampleBilinear(x, tensor(sample.rows, places), tensor(sample.columns, places), { outside });
    const tracked = x.tracked();
    for (const [found, wanted] of [
      [await y(x).data(), sample.y],
      [await gradients(y(tracked).square().sum(), tracked).data(), sample.dx],
    ] as const) {
      expect(found).toHaveLength(wanted.length);
      wanted.forEach((value, i) => {
        expect(found[i]).toBeCloseTo(value, 4);
      });
    }
  });

  test("reads no pixel that does not count: NaN and infinities stay where they are", async () => {
    const x = tensor([[[[Number.NaN, 1, Number.POSITIVE_INFINITY, 2]]]]);
    expect(await translate(x, 0, 1).array()).toEqual([[[[0, Number.NaN, 1, Number.POSITIVE_INFINITY]]]]);
    expect(await translate(x, 0, -1.5).array()).toEqual([[[[Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 1, 0]]]]);
    expect(await translate(x, 0, 9).array()).toEqual([[[[0, 0, 0, 0]]]]);
    const [crop] = await pictures(new RandomCrop([1, 4], { padding: 4 }).forward(x.broadcastTo([1, 1, 1, 4]), mode(3)));
    for (const value of crop![0]!.flat()) expect([0, 1, 2, Number.NaN, Number.POSITIVE_INFINITY]).toContainEqual(value);
    expect(await new RandomHorizontalFlip(1).forward(x, mode()).array()).toEqual([[[[2, Number.POSITIVE_INFINITY, 1, Number.NaN]]]]);
  });
});

describe("translation", () => {
  test("by whole pixels moves them and changes none", async () => {
    const [[moved]] = (await pictures(translate(numbered(1, 1, 3, 4), 1, -2))) as [[Picture]];
    expect(moved).toEqual([
      [0, 0, 0, 0],
      [3, 4, 0, 0],
      [7, 8, 0, 0],
    ]);
    const [[edge]] = (await pictures(translate(numbered(1, 1, 3, 4), 1, -2, { outside: "edge" }))) as [[Picture]];
    expect(edge).toEqual([
      [3, 4, 4, 4],
      [3, 4, 4, 4],
      [7, 8, 8, 8],
    ]);
  });

  test("by half a pixel is the mean of two, and far outside is black", async () => {
    const [[half]] = (await pictures(translate(numbered(1, 1, 1, 4), 0, 0.5))) as [[Picture]];
    expect(half).toEqual([[0.5, 1.5, 2.5, 3.5]]);
    const [[far]] = (await pictures(translate(numbered(1, 1, 1, 4), 1e9, -1e9))) as [[Picture]];
    expect(far).toEqual([[0, 0, 0, 0]]);
  });

  test("a picture of one pixel stays where it is, and moves out", async () => {
    expect((await pictures(rotate(numbered(1, 1, 1, 1), 77)))[0]).toEqual([[[1]]]);
    expect((await pictures(translate(numbered(1, 1, 1, 1), 1, 0)))[0]).toEqual([[[0]]]);
  });

  test("places between pixels may be asked for in another size", async () => {
    const rows = tensor([[[0, 0.5]]]);
    const y = sampleBilinear(numbered(1, 1, 2, 2), rows, tensor([[[1, 0]]]));
    expect(await y.array()).toEqual([[[[2, 2]]]]);
  });
});

describe("cropping", () => {
  test("gives parts of the picture with black around it, each place about equally often", async () => {
    const [height, width, padding] = [3, 4, 1];
    const one = numbered(1, 2, height, width);
    const [padded] = await pictures(
      one.pad([
        [padding, padding],
        [padding, padding],
      ]),
    );
    const part = (top: number, left: number): Picture[] =>
      padded!.map((plane) => plane.slice(top, top + height).map((row) => row.slice(left, left + width)));
    const wanted = new Map<string, number>();
    for (let top = 0; top <= 2; top++) for (let left = 0; left <= 2; left++) wanted.set(JSON.stringify(part(top, left)), 0);
    const count = 4500;
    const crops = new RandomCrop([height, width], { padding }).forward(one.broadcastTo([count, 2, height, width]), mode(1));
    for (const crop of await pictures(crops)) {
      const found = JSON.stringify(crop);
      expect(wanted.has(found)).toBe(true);
      wanted.set(found, wanted.get(found)! + 1);
    }
    // 500 each; five deviations.
    for (const times of wanted.values()) expect(Math.abs(times - count / 9)).toBeLessThan(5 * Math.sqrt((count / 9) * (8 / 9)));
  });

  test("equals slicing where there is one place, and the middle is taken in use", async () => {
    const x = numbered(2, 1, 5, 6);
    expect(await new RandomCrop([5, 6]).forward(x, mode()).array()).toEqual(await x.array());
    expect(await new RandomCrop([3, 2]).forward(x, inference).array()).toEqual(await x.at("...,1:4,2:4").array());
    expect(new RandomCrop([7, 8], { padding: 1 }).forward(x, inference).shape).toEqual([2, 1, 7, 8]);
  });

  test("of pictures that are too small is refused with the sizes", () => {
    expect(() => new RandomCrop(8, { padding: 1 }).forward(numbered(1, 1, 5, 9), mode())).toThrow(/5 × 9, with a padding of \[1, 1\]/);
    expect(() => new RandomCrop(8).forward(numbered(1, 1, 5, 9), inference)).toThrow(/parts of 8 × 8 do not fit/);
  });

  test.each<[string, () => unknown, RegExp]>([
    ["a size of 0", () => new RandomCrop(0), /height is 0/],
    ["a size of a half", () => new RandomCrop([2, 1.5]), /width is 1.5/],
    ["a negative padding", () => new RandomCrop(2, { padding: -1 }), /padding -1/],
    ["a misspelt option", () => new RandomCrop(2, { pad: 1 } as never), /no option "pad"/],
    ["a probability above 1", () => new RandomHorizontalFlip(1.5), /p is 1.5/],
    ["a range the wrong way round", () => new RandomAffine({ degrees: [3, 1] }), /degrees is \[3,1\]|degrees is \[3, 1\]/],
    ["a scale of 0", () => new RandomAffine({ scale: [0, 1] }), /scale is \[0, 1\]/],
    ["moving by more than the picture", () => new RandomAffine({ translate: 2 }), /translate is \[2, 2\]/],
    ["an outside that there is not", () => new RandomRotation(3, { outside: "black" as never }), /"zero" or "edge"/],
    ["a deviation of 0", () => new ElasticTransform({ sigma: 0 }), /sigma 0/],
    ["a negative factor", () => new ColorJitter({ contrast: [-1, 1] }), /contrast is \[-1, 1\]/],
    ["a negative strength", () => new PcaColorShift(-1), /deviation of -1/],
  ])("%s is refused", (_, make, message) => {
    expect(make).toThrow(message);
  });
});

describe("mirrors", () => {
  test.each([
    ["left for right", RandomHorizontalFlip, (picture: Picture) => picture.map((row) => row.toReversed())],
    ["upside down", RandomVerticalFlip, (picture: Picture) => picture.toReversed()],
  ] as const)("turn about p of the pictures %s, and leave the others", async (_, Flip, wanted) => {
    const one = numbered(1, 1, 2, 3);
    const [[plain]] = (await pictures(one)) as [[Picture]];
    const all = await pictures(new Flip(0.3).forward(one.broadcastTo([2000, 1, 2, 3]), mode(2)));
    const flipped = all.filter(([picture]) => JSON.stringify(picture) === JSON.stringify(wanted(plain))).length;
    const kept = all.filter(([picture]) => JSON.stringify(picture) === JSON.stringify(plain)).length;
    expect(flipped + kept).toBe(2000);
    expect(Math.abs(flipped - 600)).toBeLessThan(5 * Math.sqrt(2000 * 0.3 * 0.7));
    expect((await pictures(new Flip(1).forward(one, mode())))[0]).toEqual([wanted(plain)]);
    expect((await pictures(new Flip(0).forward(one, mode())))[0]).toEqual([plain]);
  });
});

describe("elastic distortion", () => {
  test("moves nothing with α = 0, and a plain picture not at all within it", async () => {
    const x = await noise([2, 3, 6, 5]);
    const still = await new ElasticTransform({ alpha: 0 }).forward(x, mode()).data();
    Array.from(await x.data()).forEach((value, i) => {
      expect(still[i]).toBeCloseTo(value, 6);
    });
    const plain = await new ElasticTransform({ alpha: 5, sigma: 1, outside: "edge" }).forward(x.mul(0).add(7), mode()).data();
    for (const value of plain) expect(value).toBeCloseTo(7, 4);
  });

  test("displaces by α times noise smoothed with a Gaussian: the deviation is that of its weights", async () => {
    const [n, side, alpha, sigma] = [40, 25, 0.5, 2];
    // A picture whose value is its column shows by how much the middle pixel was moved.
    const ramp = arange(0, side).reshape([1, 1, 1, side]).broadcastTo([n, 1, side, side]);
    const y = await new ElasticTransform({ alpha, sigma, outside: "edge" }).forward(ramp, mode(6)).at(":, 0, 12, 12").data();
    const weights = Array.from({ length: 17 }, (_, i) => Math.exp(-((i - 8) ** 2) / (2 * sigma * sigma)));
    const total = weights.reduce((a, b) => a + b);
    const squares = weights.reduce((sum, w) => sum + (w / total) ** 2, 0);
    // The variance of uniform noise in [−1, 1) is 1/3; smoothing along both axes multiplies it by Σw² twice.
    const wanted = alpha * Math.sqrt(1 / 3) * squares;
    const found = Math.sqrt(Array.from(y).reduce((sum, value) => sum + (value - 12) ** 2, 0) / n);
    expect(found / wanted).toBeGreaterThan(0.6);
    expect(found / wanted).toBeLessThan(1.5);
  });
});

describe("colours", () => {
  test("brightness multiplies, contrast spreads from the mean grey, saturation from the grey of each pixel", async () => {
    const x = tensor([[[[0.1, 0.3]], [[0.2, 0.4]], [[0.3, 0.8]]]]);
    const greys = [0.299 * 0.1 + 0.587 * 0.2 + 0.114 * 0.3, 0.299 * 0.3 + 0.587 * 0.4 + 0.114 * 0.8];
    const of = async (options: object): Promise<number[]> => Array.from(await new ColorJitter(options).forward(x, mode()).data());
    const plain = Array.from(await x.data());
    const near = (found: number[], wanted: number[]): void =>
      found.forEach((value, i) => {
        expect(value).toBeCloseTo(wanted[i]!, 5);
      });
    near(
      await of({ brightness: [2, 2] }),
      plain.map((v) => 2 * v),
    );
    near(
      await of({ contrast: [3, 3] }),
      plain.map((v) => 3 * v - 2 * ((greys[0]! + greys[1]!) / 2)),
    );
    near(await of({ saturation: [0, 0] }), [...greys, ...greys, ...greys]);
    expect(await of({})).toEqual(plain);
  });

  test("factors are uniform in their range", async () => {
    const y = await new ColorJitter({ brightness: 0.4 })
      .forward(arange(1, 2).reshape([1, 1, 1, 1]).broadcastTo([3000, 1, 1, 1]), mode(8))
      .data();
    const [low, high] = [Math.min(...y), Math.max(...y)];
    expect(low).toBeGreaterThanOrEqual(0.6);
    expect(low).toBeLessThan(0.61);
    expect(high).toBeLessThan(1.4);
    expect(high).toBeGreaterThan(1.39);
    expect(Array.from(y).reduce((a, b) => a + b) / 3000).toBeCloseTo(1, 1);
  });

  test("saturation of grey pictures is refused", () => {
    expect(() => new ColorJitter({ saturation: 1 }).forward(numbered(1, 1, 2, 2), mode())).toThrow(/three channels/);
  });

  test("principal axes are those of the covariance, the longest first", () => {
    // Rotations of diagonal matrices have known axes.
    const [c, s] = [Math.cos(0.4), Math.sin(0.4)];
    const { values, vectors } = symmetricEigen([
      [c * c * 1 + s * s * 9, (1 - 9) * c * s, 0],
      [(1 - 9) * c * s, s * s * 1 + c * c * 9, 0],
      [0, 0, 4],
    ]);
    [9, 4, 1].forEach((value, k) => {
      expect(values[k]).toBeCloseTo(value, 12);
    });
    const column = (k: number): number[] => vectors.map((row) => row[k]!);
    [
      [-s, c, 0],
      [0, 0, 1],
      [c, s, 0],
    ].forEach((axis, k) => {
      column(k).forEach((v, i) => {
        expect(v).toBeCloseTo(axis[i]!, 12);
      });
    });
    expect(
      symmetricEigen([
        [0, 0],
        [0, 0],
      ]).values,
    ).toEqual([0, 0]);
    expect(symmetricEigen([[2]])).toEqual({ values: [2], vectors: [[1]] });
  });

  test("the shift is one colour for a picture, along the axes, with deviation sd · λ on each", async () => {
    const layer = init(new PcaColorShift(0.5), 0).adapt({
      covariance: [
        [4, 0, 0],
        [0, 0, 0],
        [0, 0, 1],
      ],
    });
    const y = await pictures(layer.forward(tensor(new Float32Array(4000 * 3 * 2), [4000, 3, 1, 2]), mode(3)));
    const sd = [0, 1, 2].map((k) => Math.sqrt(y.reduce((sum, picture) => sum + picture[k]![0]![0]! ** 2, 0) / 4000));
    expect(sd[0]! / 2).toBeCloseTo(1, 1);
    expect(sd[1]).toBe(0);
    expect(sd[2]! / 0.5).toBeCloseTo(1, 1);
    for (const [red] of y) expect(red![0]![0]).toBe(red![0]![1]);
    expect(Object.keys(layer.stateDict())).toEqual(["components"]);
    expect(layer.parameters()).toEqual([]);
  });

  test("a covariance that is none is refused, and pictures of other channels", () => {
    const layer = new PcaColorShift();
    expect(() =>
      layer.adapt({
        covariance: [
          [1, 2, 0],
          [0, 1, 0],
          [0, 0, 1],
        ],
      }),
    ).toThrow(/symmetric/);
    expect(() => layer.adapt({ covariance: [[1]] })).toThrow(/3 × 3/);
    expect(() => init(layer, 0).forward(numbered(1, 1, 2, 2), mode())).toThrow(/made for 3 channels/);
  });
});

describe("standardisation along an axis", () => {
  test("is that of the channels of images, and its inverse undoes it", async () => {
    const layer = init(new Standardize(2, { axis: 1 }), 0).adapt({ mean: [1, 10], std: [2, 5] });
    const x = numbered(1, 2, 1, 3);
    expect(await layer.forward(x).array()).toEqual([[[[0, 0.5, 1]], [[-1.2, -1, -0.8].map(Math.fround)]]]);
    const back = init(new Standardize(2, { axis: -3, inverse: true }), 0).adapt({ mean: [1, 10], std: [2, 5] });
    Array.from(await back.forward(layer.forward(x)).data()).forEach((value, i) => {
      expect(value).toBeCloseTo(i + 1, 5);
    });
    expect(() => layer.forward(numbered(1, 3, 1, 3))).toThrow(/axis 1 must have the 2 features/);
  });
});
