import { describe, expect, test } from "vitest";
import {
  compile,
  Generator,
  gradcheck,
  gradgradcheck,
  gradients,
  logAddExp,
  OutOfRangeError,
  type Tensor,
  tensor,
  variable,
  vmap,
  zeros,
} from "../../src/index.ts";
import { type CtcOptions, ctc } from "../../src/nn/index.ts";
import { errorOf } from "../tensor/error-of.ts";
import { expectClose, fixture, type Packed, unpack } from "./fixtures.ts";

interface Case {
  readonly options: CtcOptions & Record<string, unknown>;
  readonly logits: Packed;
  readonly targets: Packed;
  readonly result: Packed;
  readonly weights: Packed;
  readonly gradient: Packed;
}
const { cases } = fixture("ctc.json") as { cases: Case[] };
const ints = (x: number[] | number[][]): Tensor => tensor(x, { dtype: "int32" });

describe("ctc has PyTorch's values and gradients", () => {
  for (const c of cases)
    test(`of ${c.logits.shape} with labels ${c.targets.shape}: ${JSON.stringify(c.options)}`, async () => {
      const logits = variable(unpack(c.logits));
      const losses = compile(
        () => {
          const y = ctc(logits.logSoftmax(-1), unpack(c.targets), c.options) as Tensor;
          return { y, slope: gradients(y.mul(unpack(c.weights)).sum(), logits) };
        },
        { device: "wasm" },
      );
      const { y, slope } = losses() as { y: Tensor; slope: Tensor };
      await expectClose(y, c.result);
      await expectClose(slope, c.gradient);
    });
});

/** −log of the sum over all sequences of classes that collapse to the labels. */
function bruteForce(probabilities: readonly (readonly number[])[], labels: readonly number[], blank: number): number {
  const classes = probabilities[0]!.length;
  let total = 0;
  for (let code = 0; code < classes ** probabilities.length; code++) {
    const path = probabilities.map((_, t) => Math.floor(code / classes ** t) % classes);
    const collapsed = path.filter((label, t) => label !== path[t - 1]).filter((label) => label !== blank);
    if (collapsed.join() === labels.join()) total += path.reduce((p, label, t) => p * probabilities[t]![label]!, 1);
  }
  return -Math.log(total);
}

describe("ctc is the sum over all alignments", () => {
  const rng = new Generator(2);
  for (const [labels, steps, blank] of [
    [[], 3, 0], [[1], 1, 0], [[1, 1], 3, 0], [[1, 1], 5, 0], [[2, 1, 2], 4, 0], [[0, 1, 1, 0], 6, 2], [[0], 4, 1], [[1, 2, 1], 3, 0],
  ] as [number[], number, number][]) // biome-ignore format: a line
    test(`of [${labels}] over ${steps} steps with blank ${blank}`, async () => {
      const logs = rng.normal([steps, 3], 0, 1, { dtype: "float64" }).logSoftmax(-1);
      const wanted = bruteForce((await logs.exp().array()) as number[][], labels, blank);
      expect(wanted).toBeGreaterThan(0);
      const got = await ctc(logs, tensor(labels, [labels.length], { dtype: "int32" }), { blank, reduction: "none" }).item();
      expect(Math.abs(got - wanted)).toBeLessThan(1e-12 * Math.max(1, wanted));
    });
});

test("logAddExp adds probabilities given as logarithms, without overflow and with a gradient at −∞", async () => {
  const x = variable(tensor([0, Number.NEGATIVE_INFINITY, 1000, Number.POSITIVE_INFINITY]));
  const sums = logAddExp(x, x.sub(1), tensor(Number.NEGATIVE_INFINITY));
  const both = Math.log(1 + Math.exp(-1));
  expect(await sums.array()).toEqual([
    expect.closeTo(both),
    Number.NEGATIVE_INFINITY,
    expect.closeTo(1000 + both, 3),
    Number.POSITIVE_INFINITY,
  ]);
  expect((await gradients(sums.at(":3").sum(), x).array()).slice(0, 3)).toEqual([expect.closeTo(1), 0, expect.closeTo(1)]);
  expect(logAddExp(x, x.reshape([4, 1])).shape).toEqual([4, 4]);
  expect(() => logAddExp(ints([1]), ints([2]))).toThrow("logAddExp: needs float32 or float64, not int32");
});

describe("ctc", () => {
  const rng = new Generator(7);
  test("has the slopes of finite differences, and so have these", async () => {
    const x = tensor(await rng.normal([5, 2, 3], 0, 1, { dtype: "float64" }).data(), [5, 2, 3], { dtype: "float64" });
    const f = (logits: Tensor): Tensor => ctc(logits.logSoftmax(-1), ints([[1, 1], [2, 0]]), { inputLengths: [5, 3], targetLengths: [2, 1] }); // biome-ignore format: rows
    expect(await gradcheck(f, [x])).toMatchObject({ passed: true });
    expect(await gradgradcheck(f, [x])).toMatchObject({ passed: true });
  });

  test("of labels that do not fit is ∞, or 0 if asked, with a gradient of 0; others keep theirs", async () => {
    const x = variable(rng.normal([2, 2, 3]));
    const labels = ints([[1, 1], [1, 2]]); // biome-ignore format: rows
    const losses = ctc(x.logSoftmax(-1), labels, { reduction: "none" });
    expect(await losses.array()).toEqual([Number.POSITIVE_INFINITY, expect.any(Number)]);
    const slopes = (await gradients(ctc(x.logSoftmax(-1), labels, { reduction: "sum", zeroInfinity: true }), x).array()) as number[][][];
    expect(slopes.map((step) => step[0])).toEqual([[0, 0, 0], [0, 0, 0]]); // biome-ignore format: rows
    expect(slopes.every((step) => step[1]!.every((d) => Number.isFinite(d) && d !== 0))).toBe(true);
    expect(await gradients(ctc(x.logSoftmax(-1), labels, { reduction: "sum" }), x).array()).toEqual(slopes);
  });

  test("of a class with probability 0 is finite where another path is, without a gradient of NaN", async () => {
    const logs = variable(tensor([[[0, Number.NEGATIVE_INFINITY]], [[Math.log(0.5), Math.log(0.5)]]])); // biome-ignore format: rows
    expect(await ctc(logs, ints([[1]]), { reduction: "sum" }).item()).toBeCloseTo(Math.log(2), 6);
    const slope = await gradients(ctc(logs, ints([[1]]), { reduction: "sum" }), logs).data();
    expect([...slope]).toEqual([-1, 0, 0, -1]);
  });

  test("takes lengths as tensors, numbers or one for all, and labels beyond them may be anything", async () => {
    const logs = rng.normal([6, 2, 4]).logSoftmax(-1);
    const wanted = await ctc(logs, ints([[1, 1], [2, 3]]), { targetLengths: [2, 1], inputLengths: 5, reduction: "none" }).data(); // biome-ignore format: rows
    for (const padding of [0, 3, -7, 99])
      expect(await ctc(logs, ints([[1, 1], [2, padding]]), { targetLengths: ints([2, 1]), inputLengths: ints([5, 5]), reduction: "none" }).data()).toEqual(wanted); // biome-ignore format: rows
    expect(await ctc(logs, ints([1, 1, 2]), { targetLengths: [2, 1], inputLengths: [5, 5], reduction: "none" }).data()).toEqual(wanted);
  });

  test("under vmap is what it is for each part", async () => {
    const logs = rng.normal([3, 5, 2, 3]).logSoftmax(-1);
    const labels = ints([[1, 2], [2, 2]]); // biome-ignore format: rows
    const all = await vmap((x: Tensor) => ctc(x, labels, { reduction: "sum" }) as Tensor)(logs).data();
    for (const i of [0, 1, 2]) expect(all[i]).toBeCloseTo(await ctc(logs.at(i), labels, { reduction: "sum" }).item(), 4);
  });

  test("refuses what is no label or no length, with the user's line", async () => {
    const logs = zeros([4, 2, 3]);
    const wrong: [() => unknown, string][] = [
      [() => ctc(zeros([4]), ints([1])), "ctc: the log-probabilities are [4]"],
      [() => ctc(logs, zeros([2, 1])), "ctc: the labels are float32"],
      [() => ctc(logs, ints([[1], [1], [1]])), "ctc: the labels are [3, 1] for 2 examples"],
      [() => ctc(logs, ints([1, 2, 1]), { targetLengths: [1, 1] }), "2 lengths make 2 labels"],
      [() => ctc(logs, ints([[1], [1]]), { blank: 3 }), "ctc: blank is 3"],
      [() => ctc(logs, ints([[1], [1]]), { targetLengths: [1, 2] }), "ctc: targetLengths is [1, 2]"],
      [() => ctc(logs, ints([[1], [1]]), { inputLengths: 5 }), "ctc: inputLengths is 5"],
      [() => ctc(logs, ints([[1], [1]]), { inputLengths: ints([4]) }), "ctc: inputLengths is [1]"],
      [() => ctc(logs, ints([[1], [1]]), { zeroinfinity: true } as never), 'there is no option "zeroinfinity"'],
    ];
    for (const [call, text] of wrong) {
      expect(call).toThrow(text);
      expect(call).toThrow("at ctc.test.ts:");
    }
    for (const late of [
      () => ctc(logs, ints([[1], [3]])),
      () => ctc(logs, ints([[1], [0]])),
      () => ctc(logs, ints([[1], [1]]), { inputLengths: ints([4, 5]) }),
      () => ctc(logs, ints([[1], [1]]), { targetLengths: ints([1, 2]) }),
    ])
      expect(await errorOf(() => late().item())).toBeInstanceOf(OutOfRangeError);
  });
});
