/** Layers that normalise: PyTorch's numbers, running statistics among them, and what they promise besides. */
import { describe, expect, test } from "vitest";
import {
  batchNorm,
  batchStatistics,
  compile,
  full,
  Generator,
  gradcheck,
  gradgradcheck,
  gradients,
  groupNorm,
  instanceNorm,
  layerNorm,
  localResponseNorm,
  rmsNorm,
  type Tensor,
  tensor,
  vmap,
  zeros,
} from "../../src/index.ts";
import * as nn from "../../src/nn/index.ts";
import { type Case, checkCase, expectClose, fixture, type Packed, unpack } from "./fixtures.ts";

interface NormCase extends Case {
  /** What the layer holds besides its parameters, before and after. */
  readonly buffers: Record<string, Packed>;
  readonly more: Record<string, Packed>;
}
const { cases } = fixture("norms.json") as { cases: NormCase[] };
const title = ({ name, options, inputs }: Case): string => `${name} ${JSON.stringify(options)} of ${JSON.stringify(inputs.x!.shape)}`;

type NormLayer = new (...settings: unknown[]) => nn.Module & { forward(x: Tensor, mode: nn.Mode): Tensor };
const rng = new Generator(0);

/** Puts in what is there of a state. */
function load(layer: nn.Module, state: Record<string, Packed>): void {
  const tensors = Object.fromEntries(Object.entries(state).map(([name, packed]) => [name, unpack(packed)]));
  layer.loadStateDict(tensors, { strict: false });
}

function layerOf({ name, options, buffers }: NormCase): InstanceType<NormLayer> {
  const { arguments: settings, training: _, ...rest } = options;
  const Layer = (nn as unknown as Record<string, NormLayer>)[name]!;
  const layer = new Layer(...settings, { ...rest, ...(Layer === (nn.LocalResponseNorm as unknown) ? {} : { dtype: "float64" }) });
  load(layer, buffers);
  return layer;
}

describe("layers that normalise have PyTorch's values and gradients", () => {
  for (const c of cases)
    test(title(c), async () => {
      const layer = layerOf(c);
      const mode = c.options.training ? nn.training(rng) : nn.inference;
      await checkCase(c, ({ x, ...state }) => nn.functionalCall(layer, state, () => layer.forward(x!, mode)));
      // What is called as a function leaves the layer as it was.
      for (const [name, packed] of Object.entries(c.buffers)) await expectClose(layer.namedVariables().get(name)!, packed);
      expect([...layer.namedVariables().keys()].toSorted()).toEqual(
        [...Object.keys(c.inputs).slice(1), ...Object.keys(c.buffers)].toSorted(),
      );

      nn.init(layer, 0);
      load(layer, Object.fromEntries(Object.entries(c.inputs).slice(1)));
      await expectClose(layer.forward(unpack(c.inputs.x!), mode), c.result);
      for (const [name, packed] of Object.entries(c.more)) await expectClose(layer.namedVariables().get(name)!, packed);
    });
});

/** Numbers of mean and deviation as asked for. */
const spread = (shape: readonly number[], mean: number, deviation: number, dtype: "float32" | "float64" = "float64"): Tensor =>
  new Generator(7).normal(shape, mean, deviation, { dtype });
const values = async (x: Tensor): Promise<number[]> => [...(await x.data())];

async function expectNear(x: Tensor, wanted: Tensor, tolerance: number): Promise<void> {
  const [got, right] = [await values(x), await values(wanted)];
  expect(got.length).toBe(right.length);
  for (const [i, v] of got.entries())
    expect(Math.abs(v - right[i]!), `element ${i} is ${v}, should be ${right[i]}`).toBeLessThanOrEqual(tolerance);
}

describe("normalisation in float32", () => {
  const kinds: Record<string, (x: Tensor) => Tensor> = {
    "of batches": (x) => batchNorm(x),
    "of layers": (x) => layerNorm(x, [6, 5]),
    "of groups": (x) => groupNorm(x, 2),
    "of instances": (x) => instanceNorm(x),
  };
  test.each(Object.entries(kinds))("%s keeps its digits where the mean is 10,000 times the deviation", async (_, normalise) => {
    const exact = spread([64, 4, 6, 5], 1e4, 1);
    const x = exact.cast("float32");
    // What float32 makes of the numbers themselves is no loss of the layer's.
    await expectNear(normalise(x), normalise(x.cast("float64")).cast("float32"), 2e-5);
  });

  test("of batches keeps them behind a first number, and a first example, far from all others", async () => {
    const data = await values(spread([640, 2], 0, 1));
    for (const outlier of [1e4, -1e6]) {
      data[0] = outlier;
      const x = tensor(data, [640, 2]).cast("float64");
      const { mean, variance } = batchStatistics(x.cast("float32"));
      const right = batchStatistics(x);
      await expectNear(mean.cast("float64").div(right.mean), full([2], 1, { dtype: "float64" }), 1e-4);
      await expectNear(variance.cast("float64").div(right.variance), full([2], 1, { dtype: "float64" }), 1e-4);
    }
  });

  test("of equal numbers is the bias, and its gradients are finite", async () => {
    for (const value of [0, 7, 12345.678, -1e-30]) {
      const x = full([4, 2, 3], value).tracked();
      for (const normalise of [batchNorm, (v: Tensor) => layerNorm(v, 3), (v: Tensor) => groupNorm(v, 2), instanceNorm]) {
        const y = (normalise as (v: Tensor) => Tensor)(x);
        for (const v of await values(y)) expect(Math.abs(v)).toBeLessThan(1e-2);
        expect((await values(gradients(y.mul(spread([4, 2, 3], 0, 1, "float32")).sum() as Tensor<[]>, x))).every(Number.isFinite)).toBe(
          true,
        );
      }
    }
  });

  test("lets a NaN stay in its channel", async () => {
    const x = tensor([[1, Number.NaN], [2, 3], [6, 5]]); // biome-ignore format: rows
    const y = (await batchNorm(x).array()) as number[][];
    expect(y.every(([a, b]) => Number.isFinite(a) && Number.isNaN(b))).toBe(true);
  });
});

describe("kinds of normalisation that are one another", () => {
  const x = spread([3, 4, 5, 2], 2, 3);
  test("one group is a layer norm over channels and positions, as many as channels an instance norm", async () => {
    await expectNear(groupNorm(x, 1), layerNorm(x, [4, 5, 2]), 1e-12);
    await expectNear(groupNorm(x, 4), instanceNorm(x), 1e-12);
  });

  test("an instance norm is a batch norm of each example, and mapped over examples each is what it is on all", async () => {
    await expectNear(vmap((one: Tensor) => batchNorm(one.unsqueeze(0)).squeeze(0))(x), instanceNorm(x), 1e-12);
    await expectNear(vmap((one: Tensor) => layerNorm(one, [5, 2]))(x), layerNorm(x, [5, 2]), 1e-12);
    await expectNear(vmap((one: Tensor) => localResponseNorm(one.unsqueeze(0), 3).squeeze(0))(x), localResponseNorm(x, 3), 1e-12);
  });

  test("without a mean, a layer norm is a root mean square norm", async () => {
    const centred = x.sub(x.mean(-1, { keepDims: true }));
    await expectNear(rmsNorm(centred, 2, { eps: 1e-5 }), layerNorm(x, 2), 1e-12);
  });

  test("moving and scaling the input changes nothing", async () => {
    for (const normalise of [(v: Tensor) => batchNorm(v, { eps: 0 }), (v: Tensor) => layerNorm(v, [5, 2], { eps: 0 })])
      await expectNear(normalise(x.mul(7).sub(40)), normalise(x), 1e-11);
  });
});

describe("normalisation", () => {
  const f64 = (...shape: number[]): Tensor => spread(shape, 1, 2);
  const kinds: Record<string, [f: (x: Tensor, weight: Tensor, bias: Tensor) => Tensor, shape: number[], channels: number]> = {
    "of batches": [(x, weight, bias) => batchNorm(x, { weight, bias }), [3, 2, 2], 2],
    "of batches of 1 position": [(x, weight, bias) => batchNorm(x, { weight, bias }), [40, 2], 2],
    "by statistics": [(x, weight, bias) => batchNorm(x, { mean: bias, variance: weight.square(), weight, bias }), [3, 2], 2],
    "of layers": [(x, weight, bias) => layerNorm(x, 3, { weight, bias }), [2, 3], 3],
    "of groups": [(x, weight, bias) => groupNorm(x, 2, { weight, bias }), [2, 4, 1], 4],
    "of instances": [(x, weight, bias) => instanceNorm(x, { weight, bias }), [2, 2, 3], 2],
    "of root mean squares": [(x, weight, bias) => rmsNorm(x, 3, { weight }).add(bias), [2, 3], 3],
    "of local responses": [(x, weight, bias) => localResponseNorm(x, 2, { alpha: 0.7 }).add(weight.mul(bias).sum()), [2, 3, 1], 3],
  };
  test.each(Object.entries(kinds))(
    "%s has the gradients that differences measure, of second order too",
    async (_, [f, shape, channels]) => {
      const point = [f64(...shape), f64(channels), f64(channels).neg()];
      expect(await gradcheck(f, point)).toMatchObject({ passed: true });
      expect(await gradgradcheck(f, point)).toMatchObject({ passed: true });
    },
  );

  test("of statistics that were measured has their gradients", async () => {
    const f = (x: Tensor): Tensor => {
      const { mean, variance } = batchStatistics(x);
      return mean.mul(variance);
    };
    expect(await gradcheck(f, [f64(4, 2, 3)])).toMatchObject({ passed: true });
    expect(await gradgradcheck(f, [f64(4, 2, 3)])).toMatchObject({ passed: true });
  });

  test("of no examples is empty where statistics are not the batch's, and an error where they are", async () => {
    const none = zeros([0, 2, 3]);
    for (const y of [layerNorm(none, 3), groupNorm(none, 2), instanceNorm(none), rmsNorm(none, [2, 3]), localResponseNorm(none, 2)]) {
      expect(y.shape).toEqual([0, 2, 3]);
      expect((await y.data()).length).toBe(0);
    }
    expect((await batchNorm(none, { mean: zeros([2]), variance: zeros([2]) }).data()).length).toBe(0);
    expect(() => batchNorm(none)).toThrow(/^batchNorm: \[0, 2, 3\] has no numbers for each channel/);
  });

  test("refuses what goes wrong in silence: weights of other sizes, half the statistics, an eps below 0", () => {
    const x = zeros([2, 3, 4]) as Tensor;
    expect(() => batchNorm(x, { weight: zeros([4]) })).toThrow(/^batchNorm: weight is \[4\][\s\S]*must be \[3\]/);
    expect(() => batchNorm(x, { mean: zeros([3]) })).toThrow(/mean without variance/);
    expect(() => batchNorm(x, { mean: zeros([1]), variance: zeros([3]) })).toThrow(/^batchNorm: mean is \[1\]/);
    expect(() => batchNorm(x, { mean: zeros([3]), variance: zeros([1]) })).toThrow(/^batchNorm: variance is \[1\]/);
    expect(() => layerNorm(x, 4, { bias: zeros([3]) })).toThrow(/^layerNorm: bias is \[3\]/);
    expect(() => layerNorm(x, 3)).toThrow(/^layerNorm: the input is \[2, 3, 4\][\s\S]*end in \[3\]/);
    expect(() => layerNorm(x, [])).toThrow(/no axes to normalise over/);
    expect(() => groupNorm(x, 2)).toThrow(/3 channels .* do not divide into 2 groups/);
    expect(() => instanceNorm(zeros([2, 3, 1]) as Tensor)).toThrow(/more than one position/);
    expect(() => new nn.BatchNorm1d(3, { eps: -1 })).toThrow(/^BatchNorm1d: eps is -1/);
    expect(() => new nn.BatchNorm1d(3, { momentum: 2 })).toThrow(/^BatchNorm1d: momentum is 2 {3}at norms\.test\.ts/);
    expect(() => new nn.BatchNorm1d(0)).toThrow(/^BatchNorm1d: numFeatures is 0/);
    expect(() => new nn.BatchNorm2d(3, { momentums: 1 } as object)).toThrow(/no option "momentums"[\s\S]*did you mean momentum/);
    expect(() => new nn.GroupNorm(3, 4)).toThrow(/4 channels do not divide into 3 groups/);
    expect(() => new nn.LocalResponseNorm(0)).toThrow(/^LocalResponseNorm: size is 0/);
    expect(() => new nn.LayerNorm([4, 0])).toThrow(/^LayerNorm: normalizedShape/);
    expect(() => nn.init(new nn.BatchNorm2d(3), 0).forward(zeros([2, 4, 5, 5]), nn.inference)).toThrow(
      /^BatchNorm2d: the input is \[2, 4, 5, 5\][\s\S]*4 channels, the layer was made for 3[\s\S]*new BatchNorm2d\(4\)/,
    );
    expect(() => nn.init(new nn.BatchNorm2d(3), 0).forward(zeros([2, 3]), nn.inference)).toThrow(
      /must be \[examples, channels, height, width\]/,
    );
    // @ts-expect-error the mode is required
    expect(() => nn.init(new nn.BatchNorm1d(3), 0).forward(zeros([2, 3]))).toThrow(/^BatchNorm1d: forward needs a mode/);
  });
});

describe("BatchNorm", () => {
  const batches = Array.from({ length: 6 }, (_, i) => spread([8, 3], i, 1 + i, "float32"));

  test("refuses a batch of one number per channel in training, leaves its statistics, and takes it in use", async () => {
    const layer = nn.init(new nn.BatchNorm1d(2), 0);
    expect(() => layer.forward(tensor([[1, 2]]), nn.training(rng))).toThrow(
      /^BatchNorm1d: \[1, 2\] has one number for each channel[\s\S]*at least two[\s\S]*larger batch/,
    );
    expect(await layer.numBatchesTracked!.item()).toBe(0);
    expect(await layer.forward(tensor([[1, 2]]), nn.inference).array()).toEqual([[1, 2].map((v) => Math.fround(v / Math.sqrt(1 + 1e-5)))]);
    expect(layer.forward(zeros([1, 2, 5]), nn.training(rng)).shape).toEqual([1, 2, 5]);
  });

  test("trains weight and bias and not its statistics, which are saved all the same under PyTorch's names", () => {
    const layer = nn.init(new nn.BatchNorm2d(3), 0);
    expect(layer.parameters()).toEqual([layer.weight, layer.bias]);
    expect(Object.keys(layer.stateDict())).toEqual(["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]);
    expect([...new nn.BatchNorm2d(3, { affine: false, trackRunningStats: false }).namedVariables()]).toEqual([]);
  });

  test("counts in compiled steps what it counts in plain ones, and goes on from its state to the bit", async () => {
    const make = () => nn.init(new nn.Sequential(new nn.BatchNorm1d(3), new nn.Linear(3, 2), new nn.BatchNorm1d(2, { momentum: null })), 0);
    const stateOf = async (model: nn.Module) =>
      Object.fromEntries(await Promise.all([...model.namedVariables()].map(async ([name, v]) => [name, await values(v)] as const)));
    const [plain, compiled, stopped] = [make(), make(), make()];
    const stepOf = (model: ReturnType<typeof make>) => compile((x: Tensor) => model.forward(x, nn.training(rng)).square().sum());
    const step = stepOf(compiled);
    for (const x of batches) {
      await plain.forward(x, nn.training(rng)).data();
      await step(x).item();
    }
    const [a, b] = [await stateOf(plain), await stateOf(compiled)];
    expect(Object.keys(a)).toContain("2.num_batches_tracked");
    for (const [name, numbers] of Object.entries(a)) for (const [i, v] of numbers.entries()) expect(b[name]![i]).toBeCloseTo(v, 4);
    expect(b["2.num_batches_tracked"]).toEqual([6]);

    const half = stepOf(stopped);
    for (const x of batches.slice(0, 3)) await half(x).item();
    const resumed = make();
    resumed.loadStateDict(stopped.stateDict());
    const rest = stepOf(resumed);
    for (const x of batches.slice(3)) await rest(x).item();
    expect(await stateOf(resumed)).toEqual(b);
  });

  test("with momentum null has the means of all batches", async () => {
    const layer = nn.init(new nn.BatchNorm1d(3, { momentum: null }), 0);
    for (const x of batches) layer.forward(x, nn.training(rng));
    const all = batches.map((x) => batchStatistics(x));
    const mean = all
      .map(({ mean }) => mean as Tensor)
      .reduce((x, y) => x.add(y))
      .div(6);
    const variance = all
      .map(({ variance }) => variance as Tensor)
      .reduce((x, y) => x.add(y))
      .div(6);
    await expectNear(layer.runningMean!, mean, 1e-5);
    await expectNear(layer.runningVar!.div(variance), full([3], 1), 1e-5);
  });

  test("answers in use for each example alone, and is mapped over examples", async () => {
    const layer = nn.init(new nn.BatchNorm1d(3), 0);
    for (const x of batches) layer.forward(x, nn.training(rng));
    const all = layer.forward(batches[0]!, nn.inference);
    const first = layer.forward(batches[0]!.at("0:1"), nn.inference);
    expect(await values(first)).toEqual((await values(all)).slice(0, 3));
    const each = vmap((x: Tensor) => layer.forward(x.unsqueeze(0), nn.inference).squeeze(0))(batches[0]!);
    expect(await values(each)).toEqual(await values(all));
  });

  test("mapped in training has statistics of each example's own, if they are handed to it", async () => {
    const layer = nn.init(new nn.BatchNorm1d(2, { dtype: "float64" }), 0);
    const x = spread([3, 2, 5], 4, 2);
    const state = layer.stateDict();
    const one = (v: Tensor): Tensor =>
      nn.functionalCall(layer, state, () => {
        layer.forward(v.unsqueeze(0), nn.training(rng));
        return layer.runningMean!.value;
      });
    await expectNear(vmap(one)(x), x.mean(-1).mul(0.1), 1e-12);
  });
});
