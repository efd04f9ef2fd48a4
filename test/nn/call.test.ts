import { describe, expect, test } from "vitest";
import { ArrayDataset } from "../../src/data/index.ts";
import { compile, type Tensor, tensor, zeros } from "../../src/index.ts";
import {
  Dropout,
  Embedding,
  Flatten,
  functionalCall,
  Identity,
  inference,
  init,
  Linear,
  type Mode,
  Module,
  mse,
  Sequential,
  Standardize,
  summary,
} from "../../src/nn/index.ts";
import { sgd } from "../../src/optim/index.ts";
import { predict, score, type Trainable, fit as train } from "../../src/train/index.ts";

/** y = (W a) ⊙ b, by an operation that names what is no tensor. */
class Bilinear extends Module {
  readonly left = new Linear(3, 4);
  forward(a: Tensor, b: Tensor): Tensor {
    return this.left.forward(a).mul(b);
  }
}

/** By a method of its second tensor, which a mode does not have. */
class Crossed extends Module {
  readonly drop = new Dropout(0.5);
  forward(a: Tensor, b: Tensor, mode: Mode): Tensor {
    return b.matmul(this.drop.forward(a, mode).transpose());
  }
}

const here = (error: unknown): string => String((error as Error).message);
async function said(f: () => unknown): Promise<string> {
  try {
    await f();
  } catch (error) {
    return here(error);
  }
  throw new Error("nothing was thrown");
}

describe("a layer that takes two tensors and gets one says so", () => {
  const [bilinear, crossed] = [init(new Bilinear(), 0), init(new Crossed(), 0)];
  const chain = (layer: unknown): Sequential => new Sequential(layer as Linear) as Sequential;

  test("to summary, with what summary wants", async () => {
    expect(await said(() => summary(bilinear, [2, 3]))).toMatch(
      /^Bilinear: forward takes 2 tensors, and got one and the mode {3}at call\.test\.ts:\d+\n {2}why: it uses its argument 2 as a tensor\n {2}help: summary\(model, \[\[1, 3\], \[1, 4\]\]\)/,
    );
    expect(await said(() => summary(crossed, [2, 3]))).toMatch(
      /^Crossed: forward takes at least 2 tensors, and got one and the mode {3}at call\.test\.ts/,
    );
  });

  test("in a chain, with its place", async () => {
    const x = zeros([2, 3]);
    for (const run of [(m: Sequential) => m.forward(x, inference), (m: Sequential) => compile((x: Tensor) => m.forward(x, inference))(x)]) {
      expect(await said(() => run(chain(bilinear)))).toMatch(
        /^layer 0 \(Bilinear\): forward takes 2 tensors, and got one and the mode {3}at call\.test\.ts/,
      );
      expect(await said(() => run(new Sequential(new Identity(), chain(crossed)) as Sequential))).toMatch(
        /^layer 1\.0 \(Crossed\): forward takes at least 2 tensors[\s\S]*layers of a chain take one tensor/,
      );
    }
    // Without a mode too: what stands in its place is asked.
    expect(await said(() => (chain(crossed) as unknown as Identity).forward(x))).toMatch(
      /^layer 0 \(Crossed\): forward takes at least 2 tensors/,
    );
  });

  test("to fit, score and predict", async () => {
    const data = new ArrayDataset({ data: new Float32Array(12), shape: [3] }, { data: new Float32Array(16), shape: [4] });
    const options = { loss: mse, optimizer: sgd(bilinear.parameters(), { lr: 0.1 }), rng: 0, epochs: 1 };
    const model = bilinear as unknown as Trainable;
    const wanted = /^Bilinear: forward takes 2 tensors, and got one and the mode[\s\S]*data sets give one tensor x/;
    expect(await said(() => train(model, data, options))).toMatch(wanted);
    expect(await said(() => score(model, data, { loss: mse }))).toMatch(wanted);
    expect(await said(() => predict(model, zeros([4, 3])))).toMatch(wanted);
  });

  test("and what else goes wrong in it keeps its own words", async () => {
    expect(await said(() => summary(bilinear, [[2, 5], [2, 4]]))).toMatch(/^Linear: the input is \[2, 5\]/); // biome-ignore format: rows
    expect(await said(() => summary(bilinear, [2, 5]))).toMatch(/^Linear: the input is \[2, 5\]/);
  });
});

test("summary refuses more tensors than a layer takes, which JavaScript would drop in silence", () => {
  class Optional extends Module {
    forward(a: Tensor, b: Tensor = a): Tensor {
      return a.add(b);
    }
  }
  class Many extends Module {
    forward(...xs: unknown[]): Tensor {
      return (xs[0] as Tensor).add(xs[1] as Tensor);
    }
  }
  const three = [[2, 4], [2, 4], [2, 4]]; // biome-ignore format: rows
  expect(() => summary(new Bilinear(), three)).toThrow(/^Bilinear: forward takes 2 arguments, and got 3 tensors {3}at call\.test\.ts:\d+/);
  expect(() => summary(new Sequential(new Linear(4, 2)), three)).toThrow(/^Sequential: forward takes one tensor, and got 3/);
  expect(() => summary(new Linear(4, 2), three)).toThrow(/^Linear: forward takes one tensor, and got 3/);
  expect(summary(new Optional(), three.slice(1))).toContain("[2, 4]");
  expect(summary(new Many(), three)).toContain("[2, 4]");
});

test("called by hand with the mode for its second tensor, its operation says what it got, at the line in forward", () => {
  const call = init(new Bilinear(), 0) as unknown as { forward(x: Tensor, mode: Mode): Tensor };
  expect(() => call.forward(zeros([2, 3]), inference)).toThrow(
    /^mul: the object \{"training":false\} is not a tensor {3}at call\.test\.ts:2\d\n/,
  );
});

test("summary shows a layer of two tensors, of two dtypes, and runs it once", () => {
  let calls = 0;
  class Pair extends Module {
    readonly words = new Embedding(5, 4);
    readonly bilinear = new Bilinear();
    forward(a: Tensor, words: Tensor, mode: Mode): Tensor {
      calls++;
      expect(mode).toBe(inference);
      return this.bilinear.forward(a, this.words.forward(words));
    }
  }
  const text = summary(new Pair(), [[2, 3], [2]], { dtype: ["float32", "int32"] });
  expect(text).toMatch(/Pair +\[2, 4\]\n {2}words \(Embedding\) +\[2, 4\] +20\n {2}bilinear \(Bilinear\) +\[2, 4\]/);
  expect(text).toContain("inputs [2, 3], [2]\n");
  expect(calls).toBe(1);
  expect(() => summary(new Pair(), [[2, 3], [2]], { dtype: ["float32"] })).toThrow(/^summary: 1 dtypes for 2 inputs {3}at call\.test\.ts/);
  expect(() => summary(new Pair(), [[2, 3], [-2]])).toThrow(/^summary: .*size -2.* at call\.test\.ts/);
});

test("layers of one tensor refuse a second, and what is no tensor, with their name and the user's line", () => {
  const [x, id] = [zeros([2, 3]), tensor([1], { dtype: "int32" })];
  const layers: Record<string, { layer: Module; input: Tensor }> = {
    Linear: { layer: init(new Linear(3, 4), 0), input: x },
    Embedding: { layer: init(new Embedding(3, 4), 0), input: id },
    Dropout: { layer: new Dropout(), input: x },
    Identity: { layer: new Identity(), input: x },
    Flatten: { layer: new Flatten(), input: x },
    Standardize: { layer: init(new Standardize(3), 0), input: x },
    Sequential: { layer: new Sequential(new Dropout()), input: x },
  };
  for (const [name, { layer, input }] of Object.entries(layers)) {
    const call = (...inputs: unknown[]) => (layer as unknown as { forward(...inputs: unknown[]): Tensor }).forward(...inputs);
    expect(call(input, inference).shape[0]).toBe(input.shape[0]);
    expect(() => call(input, input, inference)).toThrow(
      new RegExp(`^${name}: forward takes one tensor, and got 2   at call\\.test\\.ts:\\d+`),
    );
    expect(() => call(undefined, inference)).toThrow(/(^|layer 0 \()\w+\)?: .*is no tensor {3}at call\.test\.ts:\d+/);
  }
});

test("functionalCall wants a function, not the model's input", () => {
  const model = init(new Linear(3, 4), 0);
  expect(() => functionalCall(model, {}, zeros([2, 3]) as never)).toThrow(
    /^functionalCall: .* is no function {3}at call\.test\.ts:\d+[\s\S]*\(\) => model\.forward/,
  );
});
