/** A network of convolutions of every kind, trained: the same bits on any number of threads, the same numbers on every target. */
import { describe, expect, test } from "vitest";
import { compile, type Device, Generator, type Tensor, type TypedArray } from "../../src/index.ts";
import { Conv2d, ConvTranspose2d, init, LocallyConnected2d, relu, Sequential } from "../../src/nn/index.ts";
import { sgd } from "../../src/optim/index.ts";

interface Run {
  readonly device?: Device;
  readonly threads?: number;
  readonly optimize?: 0 | 1;
  readonly batch?: number;
}

/** Learns to give images back: strided, in groups, depthwise, 1×1, locally connected, transposed with as many and with unlike many taps for each phase. */
async function train({ device = "wasm", threads = 1, optimize = 1, batch = 9 }: Run): Promise<TypedArray[]> {
  const rng = new Generator(3);
  const model = init(
    new Sequential(
      new Conv2d(3, 16, 3, { stride: 2, padding: 1 }),
      relu,
      new Conv2d(16, 20, 5, { padding: "same", groups: 2 }),
      new Conv2d(20, 20, 3, { padding: "same", groups: 20 }),
      new Conv2d(20, 17, 1, { stride: 1 }),
      relu,
      new LocallyConnected2d(17, 8, [7, 6], 3, { padding: 1 }),
      new ConvTranspose2d(8, 16, 4, { stride: 2, padding: 1 }),
      relu,
      new Conv2d(16, 8, 3, { stride: 2, dilation: 2, padding: 2 }),
      new ConvTranspose2d(8, 3, 3, { stride: 2, padding: 1, outputPadding: [0, 1] }),
    ),
    rng.fork("init"),
  );
  const optimizer = sgd(model.parameters(), { lr: 0.02 });
  const step = compile(
    (x: Tensor) => {
      const loss = model.forward(x).sub(x).square().mean();
      optimizer.minimize(loss);
      return loss;
    },
    { device, threads, optimize },
  );
  const x = rng.normal([batch, 3, 13, 12]) as Tensor;
  for (let i = 0; i < 3; i++) await step(x).item();
  return Promise.all(model.parameters().map((p) => p.data()));
}

const largestDifference = (a: readonly TypedArray[], b: readonly TypedArray[]): number =>
  Math.max(...a.flatMap((x, i) => Array.from(x, (v, j) => Math.abs(v - b[i]![j]!))));

/** Of native code, or nothing where there is no compiler. */
async function native(run: Run): Promise<TypedArray[] | undefined> {
  try {
    return await train({ ...run, device: "native" });
  } catch (error) {
    if ((error as Error).name === "DeviceError") return undefined;
    throw error;
  }
}

describe("A network of convolutions", () => {
  test("has the same bits on one thread and on two", async () => {
    expect(await train({ threads: 2 })).toEqual(await train({ threads: 1 }));
  });

  test("has the same bits on one thread and on two in native code", { tags: ["slow"] }, async (context) => {
    const one = await native({ threads: 1 });
    if (!one) return context.skip("there is no C compiler");
    expect(await native({ threads: 2 })).toEqual(one);
  });

  test("has the interpreter's numbers on every target, optimised or not", async () => {
    const exact = await train({ device: "interpreter", batch: 2 });
    expect(largestDifference(await train({ batch: 2 }), exact)).toBeLessThan(1e-5);
    expect(largestDifference(await train({ batch: 2, optimize: 0 }), exact)).toBeLessThan(1e-5);
    const compiled = await native({ batch: 2, threads: 2 });
    if (compiled) expect(largestDifference(compiled, exact)).toBeLessThan(1e-5);
  });
});
