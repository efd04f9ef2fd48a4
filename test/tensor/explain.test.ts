import { compile, conv2d, einsum, explain, Generator, gradients, ones, type Tensor, tensor, variable, zeros } from "gradus";
import { crossEntropy, Dropout, init, Linear, mse, relu, Sequential, training } from "gradus/nn";
import { adam, sgd } from "gradus/optim";
import { describe, expect, test } from "vitest";

const model = (inputs: number, hidden: number, outputs: number) =>
  init(new Sequential(new Linear(inputs, hidden), relu, new Linear(hidden, outputs)), 0);

function trainingStep(net: Sequential = model(20, 8, 3), device: "wasm" | "interpreter" = "wasm") {
  const optimizer = adam(net.parameters(), { lr: 0.1 });
  return compile(
    (x: Tensor, y: Tensor) => {
      const loss = crossEntropy(net.forward(x), y);
      optimizer.minimize(loss);
      return loss;
    },
    { device },
  );
}
const batch = (n: number, inputs = 20) => [zeros([n, inputs]), zeros([n], { dtype: "int32" })] as const;

describe("what a training step is made of", () => {
  test("its arguments, parameters, loss and gradients have names", async () => {
    const { nodes, dot, text } = await explain(trainingStep(), ...batch(4));
    const names = nodes.flatMap((node) => node.name ?? []);
    const parameters = ["0.weight", "0.bias", "2.weight", "2.bias"];
    expect(names.toSorted()).toEqual(["x", "y", "loss", ...parameters, ...parameters.map((name) => `∂loss/∂${name}`)].toSorted());
    for (const name of names) expect(dot).toContain(`label="${name}\\n`);
    expect(dot).not.toMatch(/label="(tensor|argument|variable)/);
    expect(text).toMatch(/── forward\n[\s\S]*── backward\n[\s\S]*── update\n/);
    expect(text).toMatch(/argument 0 : float32 \[4, 20\] {3}x/);
    expect(text).toMatch(/ {3}∂loss\/∂0\.weight {3}explain\.test\.ts:\d+/);
  });

  test("each node knows its part, its line, and the node of its gradient", async () => {
    const { nodes } = await explain(trainingStep(), ...batch(4));
    const at = (name: string) => nodes.find((node) => node.name === name)!;
    for (const name of ["0.weight", "0.bias", "2.weight", "2.bias"]) {
      const node = at(name);
      expect(node.part).toBe("forward");
      expect(nodes[node.gradient!]!.name).toBe(`∂loss/∂${name}`);
      expect(nodes[node.gradient!]!.part).toBe("backward");
    }
    expect(at("y").gradient).toBeUndefined();
    const hidden = nodes.find((node) => node.operation === "relu")!;
    expect(hidden.site).toMatch(/^explain\.test\.ts:\d+$/);
    // ∂loss/∂H is the product that goes back through the second layer.
    expect(nodes[hidden.gradient!]).toMatchObject({ operation: "matmul", shape: [4, 8], part: "backward" });
    for (const node of nodes) if (node.gradient !== undefined) expect(nodes[node.gradient]!.shape).toEqual(node.shape);
    nodes.forEach((node, i) => {
      for (const input of node.inputs) expect(input).toBeLessThan(i);
    });
  });

  test("each contraction says which kernel it became, and if not a tiled product, why not", async () => {
    const { contractions, text } = await explain(trainingStep(model(200, 100, 3)), ...batch(64, 200));
    expect(contractions.map(({ what, kernel, why }) => [what, kernel, why])).toEqual([
      ["matmul [64, 200] · [100, 200]ᵀ", "tiled product, 64 × 100 sums of 200 terms", ""],
      ["matmul [64, 100] · [3, 100]ᵀ", "tiled product, 64 × 3 sums of 100 terms", ""],
      ["matmul [3, 100]ᵀ · [64, 3]ᵀ", "plain loops", "sums of 3 terms are too short to pack operands for"],
      ["matmul [64, 200]ᵀ · [64, 100]", "tiled product, 200 × 100 sums of 64 terms", ""],
      ["matmul [64, 100]ᵀ · [64, 3]", "tiled product, 100 × 3 sums of 64 terms", ""],
    ]);
    for (const { site } of contractions) expect(site).toMatch(/^explain\.test\.ts:\d+$/);
    expect(text).toContain("\nmatmul [3, 100]ᵀ · [64, 3]ᵀ: plain loops (sums of 3 terms are too short");
    expect(text).toMatch(/\nkernels\n0 relu: product of float32 m<64 n<100 k<200\n {4}c = Σk x\[200·m \+ k\] · 0\.weight/);
  });

  test("a contraction is written as a product that could be called so, or with the letters of einsum", async () => {
    const what = async (text: string, a: number[], b: number[]): Promise<string> => {
      const f = compile((x: Tensor, y: Tensor) => einsum(text, x, y) as Tensor, { device: "wasm" });
      return (await explain(f, zeros(a) as Tensor, zeros(b) as Tensor)).contractions.map((c) => c.what).join();
    };
    expect(await what("ik,kj->ij", [2, 3], [3, 4])).toBe("matmul [2, 3] · [3, 4]");
    expect(await what("ki,jk->ij", [3, 2], [4, 3])).toBe("matmul [3, 2]ᵀ · [4, 3]ᵀ");
    expect(await what("ki,k->i", [3, 2], [3])).toBe("matmul [3, 2]ᵀ · [3]");
    expect(await what("k,jk->j", [3], [4, 3])).toBe("matmul [3] · [4, 3]ᵀ");
    expect(await what("bik,bjk->bij", [5, 2, 3], [5, 4, 3])).toBe("matmul [5, 2, 3] · [5, 4, 3]ᵀ");
    expect(await what("ibk,bkj->bij", [2, 5, 3], [5, 3, 4])).toBe("einsum abc,bcd->bad [2, 5, 3] · [5, 3, 4]");
    expect(await what("nijab,cab->ncij", [2, 6, 6, 3, 3], [8, 3, 3])).toBe("einsum abcde,fde->afbc [2, 6, 6, 3, 3] · [8, 3, 3]");
  });

  test("why a contraction runs in plain loops is said of vectors, whole numbers, and where nothing is optimised, not of sums in pieces", async () => {
    const whys = async (f: (...args: any[]) => unknown, args: unknown[], optimize: 0 | 1 = 1): Promise<string> => {
      const told = await explain(compile(f as (x: Tensor) => Tensor, { device: "wasm", optimize }) as never, ...(args as never[]));
      return told.contractions.map(({ why }) => why).join();
    };
    const matmul = (x: Tensor, y: Tensor) => x.matmul(y);
    expect(await whys(matmul, [zeros([64, 64]), zeros([64, 64])], 0)).toBe("optimisation is off");
    expect(await whys(matmul, [zeros([640, 640]), zeros([640])])).toMatch(/^a matrix times a vector/);
    expect(await whys(matmul, [zeros([64, 64], { dtype: "int32" }), zeros([64, 64], { dtype: "int32" })])).toMatch(
      /floats, and this is int32$/,
    );
    const swapped = (x: Tensor, y: Tensor) => einsum("mlk,nkl->mn", x, y);
    expect(await whys(swapped, [zeros([40, 5, 20]), zeros([40, 20, 5])])).toBe("");
  });

  test("of a convolution it is said what the rows of its tiles are, forwards and for both gradients", async () => {
    const kernels = async (images: number): Promise<string[]> => {
      const [w, v] = [variable(zeros([16, 8, 3, 3])), variable(zeros([8, 16, 3, 3]))];
      const step = (x: Tensor): unknown => {
        const y = conv2d(conv2d(x, w, { padding: 1 }).relu(), v, { padding: 1 });
        return gradients(y.pow(2).sum() as Tensor<[]>, [w, v]);
      };
      const { contractions } = await explain(compile(step as never, { device: "wasm" }) as never, zeros([images, 8, 12, 12]) as never);
      return contractions.map(({ kernel }) => kernel.replace(/^.*terms, /, ""));
    };
    expect(new Set(await kernels(8))).toEqual(new Set(["images as rows", "taps and channels as rows"]));
    expect(new Set(await kernels(7))).toEqual(new Set(["pixels as rows", "taps and channels as rows"]));
  });

  test("a line is known however deep the layer lies in chains", async () => {
    const deep = init(new Sequential(new Sequential(new Sequential(new Sequential(new Linear(20, 8), relu))), new Linear(8, 3)), 0);
    const { nodes } = await explain(trainingStep(deep), ...batch(4));
    const sites = nodes.filter((node) => node.name !== "x" && node.name !== "y").map((node) => node.site);
    expect(new Set(sites.map((site) => site.replace(/\d+$/, "n")))).toEqual(new Set(["explain.test.ts:n"]));
  });

  test("each node knows the kernels it is computed in, which are shown as loops and as the target's code", async () => {
    const { nodes, kernels, sources } = await explain(trainingStep(), ...batch(4));
    expect(sources).toHaveLength(kernels.length);
    expect(new Set(nodes.flatMap((node) => node.kernels)).size).toBeGreaterThan(3);
    const exp = nodes.find((node) => node.operation === "exp")!;
    expect(exp.kernels.length).toBeGreaterThan(0);
    for (const k of exp.kernels) {
      expect(kernels[k]).toMatch(new RegExp(`^kernel ${k}\n.* {3}4 lanes\n`));
      expect(sources[k]).toMatch(/^\(func \$0[\s\S]*f32x4\.mul/);
    }
    expect(nodes.find((node) => node.name === "x")!.kernels).toEqual([]);
  });

  test("a convolution's gradients cost what it costs, each: zeros at borders and between elements are no work", async () => {
    const [weight, next] = [variable(ones([8, 3, 5, 5])), variable(ones([4, 8, 6, 6]))];
    const optimizer = sgd([weight, next], { lr: 0.1 });
    const step = compile((x: Tensor) => {
      const loss = conv2d(conv2d(x, weight, { stride: 2, padding: 2 }), next)
        .square()
        .sum();
      optimizer.minimize(loss);
      return loss;
    });
    const { parts } = await explain(step, ones([2, 3, 12, 12]));
    const [first, second] = [2 * (2 * 8 * 6 * 6) * (3 * 5 * 5), 2 * (2 * 4) * (8 * 6 * 6)];
    expect(parts.forward.flops - first - second).toBeLessThan(100);
    // Nothing goes back through the first one to x.
    expect(parts.backward.flops - first - 2 * second).toBeLessThan(100);
    expect(parts.backward.flops).toBeGreaterThanOrEqual(first + 2 * second);
  });

  test("forward and backward are counted apart: once and at most twice the multiplications of the weights", async () => {
    const [inputs, hidden, outputs, n] = [200, 100, 10, 32];
    const { parts, flops, bytes } = await explain(trainingStep(model(inputs, hidden, outputs)), ...batch(n, inputs));
    const weights = inputs * hidden + hidden * outputs;
    expect(parts.forward.flops / (2 * weights * n)).toBeCloseTo(1, 1);
    // Nothing goes back through the first layer to x.
    expect(parts.backward.flops / (2 * weights * n)).toBeCloseTo(1 + (hidden * outputs) / weights, 1);
    expect(parts.forward.flops + parts.backward.flops + parts.update.flops).toBe(flops);
    // At least the hidden units' values; and no more than the whole step, by much.
    expect(parts.forward.bytes).toBeGreaterThanOrEqual(4 * n * hidden);
    expect(parts.forward.bytes).toBeLessThan(1.5 * bytes);
  });

  test("operations grow with weights × batch, memory with batch × hidden units", async () => {
    const cost = (hidden: number, n: number) => explain(trainingStep(model(64, hidden, 10)), ...batch(n, 64));
    const [one, moreExamples, mostExamples, moreUnits] = [
      await cost(256, 256),
      await cost(256, 512),
      await cost(256, 768),
      await cost(512, 256),
    ];
    for (const more of [moreExamples, moreUnits])
      for (const part of ["forward", "backward"] as const) {
        const times = more.parts[part].flops / one.parts[part].flops;
        expect(times).toBeGreaterThan(1.9);
        expect(times).toBeLessThan(2.1);
      }
    const hiddenUnits = 4 * 256 * 256;
    const [growth, more] = [moreExamples.bytes - one.bytes, mostExamples.bytes - moreExamples.bytes];
    expect(growth).toBeGreaterThanOrEqual(hiddenUnits);
    expect(growth).toBeLessThan(5 * hiddenUnits);
    expect(more / growth).toBeCloseTo(1, 1);
    expect(moreUnits.bytes - one.bytes).toBeLessThan(5 * hiddenUnits);
  });

  test("a function that minimises nothing is all forward", async () => {
    const w = variable([1, 2], { name: "w" });
    const { parts, nodes, flops } = await explain(
      compile((x: Tensor) => gradients(x.mul(w).square().sum(), [w])[0]!),
      tensor([3, 4]),
    );
    expect(parts.forward.flops).toBe(flops);
    expect([parts.backward, parts.update]).toEqual([{ flops: 0 }, { flops: 0 }]);
    expect(new Set(nodes.map((node) => node.part))).toEqual(new Set(["forward"]));
  });

  test("accuracy is forward, a captured tensor and a random key are called so, records have their paths", async () => {
    const rng = new Generator(0);
    const net = init(new Sequential(new Linear(4, 3), new Dropout(0.5)), 0);
    const optimizer = sgd(net.parameters(), { lr: 0.1 });
    const offset = tensor([1, 2, 3]);
    const step = compile((batch: { x: Tensor; y: Tensor }, rate: Tensor) => {
      const out = net.forward(batch.x, training(rng)).add(offset).mul(rate);
      const loss = mse(out, batch.y);
      optimizer.minimize(loss);
      return { loss, largest: out.max() };
    });
    const { nodes } = await explain(step, { x: zeros([2, 4]), y: zeros([2, 3]) }, 2);
    const names = nodes.flatMap((node) => node.name ?? []);
    expect(names).toEqual(
      expect.arrayContaining(["batch.x", "batch.y", "rate", "captured tensor", "random key", "loss", "∂loss/∂0.weight"]),
    );
    expect(nodes.find((node) => node.operation === "max")!.part).toBe("forward");
  });

  test("the interpreter has no kernels", async () => {
    const { nodes, kernels, sources, parts } = await explain(trainingStep(undefined, "interpreter"), ...batch(4));
    expect([kernels, sources, nodes.flatMap((node) => node.kernels)]).toEqual([[], [], []]);
    expect(parts.backward.flops).toBeGreaterThan(0);
  });
});
