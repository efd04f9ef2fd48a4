/** Whole runs: the same bits on any number of threads, the same numbers on every target, and memory that does not grow. */
import { compile, type Device, Generator, type Tensor, type TypedArray, tensor, variable, zeros } from "gradus";
import { crossEntropy, Dropout, init, Linear, relu, Sequential, training } from "gradus/nn";
import { adam, sgd } from "gradus/optim";
import { describe, expect, test } from "vitest";
import { EagerPrograms, eagerPrograms } from "../../src/run/eager.ts";
import { theHeap } from "../../src/run/engine.ts";

interface Run {
  readonly device?: Device;
  readonly threads?: number;
  readonly steps: number;
  readonly seed?: number;
  readonly optimize?: 0 | 1;
  readonly batch?: number;
}

/** Trains 64 → 96 → 10 on random numbers; sizes are large enough for threads to share the work. */
async function train({ device = "wasm", threads = 1, steps, seed = 0, optimize = 1, batch = 250 }: Run): Promise<TypedArray[]> {
  const rng = new Generator(seed);
  const model = init(new Sequential(new Linear(64, 96), relu, new Dropout(0.2), new Linear(96, 10)), rng.fork("init"));
  const optimizer = sgd(model.parameters(), { lr: 0.05, momentum: 0.9 });
  const noise = rng.fork("noise");
  const step = compile(
    (x: Tensor, y: Tensor) => {
      const loss = crossEntropy(model.forward(x, training(noise)), y);
      optimizer.minimize(loss);
      return loss;
    },
    { device, threads, optimize },
  );
  const data = rng.fork("data");
  const x = data.normal([batch, 64]);
  const y = data.uniform([batch], 0, 10).floor().cast("int32");
  for (let i = 0; i < steps; i++) await step(x, y).item();
  return Promise.all(model.parameters().map((p) => p.data()));
}

function largestDifference(a: readonly TypedArray[], b: readonly TypedArray[]): number {
  let worst = 0;
  a.forEach((x, i) => {
    for (let j = 0; j < x.length; j++) worst = Math.max(worst, Math.abs(x[j]! - b[i]![j]!));
  });
  return worst;
}

describe("runs that repeat", () => {
  test("one and two threads give the same bits after 100 steps", async () => {
    const one = await train({ threads: 1, steps: 100 });
    expect(await train({ threads: 2, steps: 100 })).toEqual(one);
  });

  test("one and two threads give the same bits after 100 steps of native code", async (context) => {
    const one = await native({ threads: 1, steps: 100 });
    if (!one) return context.skip("there is no C compiler");
    expect(await native({ threads: 2, steps: 100 })).toEqual(one);
  });

  test("the same seed gives the same bits, another seed other ones", async () => {
    const first = await train({ steps: 10, seed: 4 });
    expect(await train({ steps: 10, seed: 4 })).toEqual(first);
    expect(largestDifference(await train({ steps: 10, seed: 5 }), first)).toBeGreaterThan(0.01);
  });

  test("interpreter, wasm, native and the unoptimised program agree after 20 steps", async () => {
    const exact = await train({ device: "interpreter", batch: 17, steps: 20 });
    expect(largestDifference(await train({ batch: 17, steps: 20 }), exact)).toBeLessThan(1e-4);
    expect(largestDifference(await train({ batch: 17, steps: 20, optimize: 0 }), exact)).toBeLessThan(1e-4);
    const compiled = await native({ threads: 2, batch: 17, steps: 20 });
    if (compiled) expect(largestDifference(compiled, exact)).toBeLessThan(1e-4);
  });

  test("training step by step without compile gives the numbers of the compiled one", async () => {
    const path = async (wrap: (f: () => Tensor) => () => Tensor): Promise<unknown> => {
      const w = variable(
        [
          [0.5, -0.5],
          [0.25, 1],
        ],
        { name: "w" },
      );
      const optimizer = adam([w], { lr: 0.1 });
      const x = tensor([
        [1, 2],
        [3, -1],
      ]);
      const step = wrap(() => {
        const loss = x.matmul(w).tanh().square().sum() as Tensor<[]>;
        optimizer.minimize(loss);
        return loss;
      });
      const losses: number[] = [];
      for (let i = 0; i < 15; i++) losses.push(await step().item());
      return [losses, await w.array()];
    };
    const [losses, w] = (await path((f) => f)) as [number[], number[][]];
    const [compiledLosses, compiledW] = (await path((f) => compile(f))) as [number[], number[][]];
    losses.forEach((loss, i) => {
      expect(loss).toBeCloseTo(compiledLosses[i]!, 5);
    });
    w.flat().forEach((v, i) => {
      expect(v).toBeCloseTo(compiledW.flat()[i]!, 5);
    });
  });
});

/** Undefined where there is no C compiler. */
async function native(run: Run): Promise<TypedArray[] | undefined> {
  try {
    return await train({ ...run, device: "native" });
  } catch (error) {
    if (/compiler|native/.test(String(error))) return undefined;
    throw error;
  }
}

describe("memory", () => {
  /** Programs made and heap bytes added by `times` rounds, after a first few. */
  async function growth(
    times: number,
    round: (i: number) => Promise<unknown>,
  ): Promise<{ programs: number; heap: number; megabytes: number }> {
    for (let i = 0; i < 20; i++) await round(i);
    const [programs, heap, before] = [eagerPrograms().made, theHeap().used, process.memoryUsage().rss];
    for (let i = 20; i < times; i++) await round(i);
    return {
      programs: eagerPrograms().made - programs,
      heap: theHeap().used - heap,
      megabytes: (process.memoryUsage().rss - before) / 2 ** 20,
    };
  }

  test("100,000 evaluations with ever new numbers make no new program and keep the heap flat", async () => {
    const x = tensor([1, 2, 3]);
    const { programs, heap, megabytes } = await growth(100_000, async (i) => x.mul(i).sum().item());
    expect(programs).toBe(0);
    // Less is possible: what other tests left may be released meanwhile.
    expect(heap).toBeLessThanOrEqual(0);
    expect(megabytes).toBeLessThan(250);
  }, 120_000);

  test("a cell that is assigned from itself and read 2,000 times keeps no history", async () => {
    const w = variable(new Float32Array(1000) as any);
    const { programs, heap } = await growth(2000, async () => {
      w.assign(w.add(1));
      return w.data();
    });
    expect((await w.data())[0]).toBe(2000);
    expect(programs).toBe(0);
    expect(heap).toBeLessThanOrEqual(0);
  });

  test("calls of a compiled function whose results are kept or dropped keep the heap flat", async () => {
    const f = compile((x: Tensor) => x.mul(2));
    const kept: Tensor[] = [];
    const { heap } = await growth(2000, async (i) => {
      const y = f(tensor(new Float32Array(500).fill(i)));
      if (i % 100 === 0) kept.push(y);
    });
    expect(heap).toBeLessThanOrEqual(0);
    expect(await Promise.all(kept.map(async (y) => (await y.data())[499]))).toEqual(kept.map((_, i) => 200 * i));
  });

  test("programs of graphs that do not come again are dropped, and their memory with them", () => {
    const runtime = new EagerPrograms(4);
    const evaluate = (length: number): void => {
      let x = zeros([100]).add(1);
      for (let k = 0; k < length; k++) x = x.sin();
      runtime.realiseNow([x]);
    };
    for (let length = 1; length <= 4; length++) evaluate(length);
    const used = theHeap().used;
    for (let length = 5; length <= 12; length++) evaluate(length);
    expect([runtime.made, runtime.kept]).toEqual([12, 4]);
    // Longer chains have slightly longer tables; eight programs that stayed would be more than 3,000 bytes.
    expect(theHeap().used - used).toBeLessThan(1000);
    evaluate(12);
    expect(runtime.made).toBe(12);
  });
});
