import {
  arange,
  customGradient,
  einsum,
  Generator as G,
  type Generator,
  grad,
  gradcheck,
  gradgradcheck,
  gradients,
  hessian,
  hvp,
  jacobian,
  jvp,
  stack,
  stopGradient,
  type Tensor,
  tensor,
  valueAndGrad,
  variable,
  vjp,
  vmap,
  where,
  zeros,
} from "gradus";
import { describe, expect, test } from "vitest";

const f64 = (x: number | number[]): Tensor => tensor(x as never, { dtype: "float64" });

describe("gradients", () => {
  test("the answer is the tree that was asked for, and can be differentiated again", async () => {
    const W = variable(
      [
        [1, 2],
        [3, 4],
      ],
      { name: "W" },
    );
    const b = variable([1, 1], { name: "b" });
    const loss = tensor([[1, 2]])
      .matmul(W)
      .add(b)
      .square()
      .sum();
    const g = gradients(loss, { W, rest: [b] });
    expect(await g.W.array()).toEqual([
      [16, 22],
      [32, 44],
    ]);
    expect(await g.rest[0]!.array()).toEqual([16, 22]);
    const [again] = gradients(g.W.square().sum(), [b]);
    expect(await again!.array()).toEqual([320, 440]);
    expect(await gradients(b.pow(3).sum(), b).array()).toEqual([3, 3]);
  });

  test("what y does not reach is named, or zero on request", async () => {
    const a = variable(1, { name: "a" });
    const c = variable([1, 2], { name: "c" });
    expect(() => gradients(a.square(), { a, c })).toThrow("gradients: y does not depend on c");
    const g = gradients(a.square(), { a, c }, { unused: "zero" });
    expect(await g.c.array()).toEqual([0, 0]);
    const h = variable(1);
    expect(() => gradients(a.square(), { inner: [h] })).toThrow(/does not depend on inner\[0\]/);
  });

  test("y must be a float scalar", () => {
    const w = variable([1, 2]);
    expect(() => gradients(w.mul(2) as never, w)).toThrow(/y is \[2\], not a scalar[\s\S]*y\.sum\(\)/);
    expect(() => gradients(w.sum().cast("int32"), w)).toThrow(/int32 has no gradient/);
    const i = variable(tensor(1, { dtype: "int32" }), { name: "i" });
    expect(() => gradients(w.sum(), i)).toThrow(/i is int32, and has no gradient/);
  });

  test("a plain tensor is told about tracked, and a tracked one has its gradient even after it was computed", async () => {
    const x = tensor([1, 2]);
    expect(() => gradients(x.square().sum(), x)).toThrow(/a plain tensor[\s\S]*x\.tracked\(\)/);
    const t = x.add(1).tracked();
    const y = t.square().sum();
    await t.array();
    await y.item();
    expect(await gradients(y, t).array()).toEqual([4, 6]);
  });

  test("intermediate tensors can be asked for too", async () => {
    const w = variable(3);
    const h = w.square();
    expect(await gradients(h.mul(h), h).item()).toBe(18);
  });

  test("edge conventions: ties are shared, ends of a clip pass, kinks are 0, the root at 0 is infinite", async () => {
    const at = async (f: (x: Tensor) => Tensor, x: number): Promise<number> => grad((v: Tensor) => f(v).sum())(f64(x)).item();
    expect(await at((x) => x.maximum(0), 0)).toBe(0.5);
    expect(await at((x) => x.minimum(0), 0)).toBe(0.5);
    expect(await at((x) => x.clip(0, 1), 0)).toBe(1);
    expect(await at((x) => x.clip(0, 1), 1)).toBe(1);
    expect(await at((x) => x.clip(0, 1), -1e-30)).toBe(0);
    expect(await at((x) => x.clip(-Infinity, 1), NaN)).toBe(0);
    expect(await at((x) => x.clip(-Infinity, Infinity), NaN)).toBe(1);
    expect(await at((x) => x.elu(2), 0)).toBe(2);
    expect(await at((x) => x.relu(), 0)).toBe(0);
    expect(await at((x) => x.abs(), 0)).toBe(0);
    expect(await at((x) => x.sqrt(), 0)).toBe(Infinity);
    expect(await at((x) => x.softplus(), 0)).toBe(0.5);
    expect(await at((x) => x.norm(), 0)).toBe(0);
    expect(await at((x) => x.round(), 0.3)).toBe(0);
    expect(await at((x) => where(x.gt(0), x.sqrt(), 0), 0)).toBeNaN();
    expect(await at((x) => where(x.gt(0), where(x.gt(0), x, 1).sqrt(), 0), 0)).toBe(0);
  });

  test("detach and stopGradient are constants", async () => {
    const w = variable(3);
    expect(await gradients(w.mul(w.detach()), w).item()).toBe(3);
    expect(await gradients(w.mul(stopGradient({ w }).w), w).item()).toBe(3);
    expect(w.mul(2).detach().isTracked).toBe(false);
  });
});

describe("transformations of functions", () => {
  test("grad nests, and does not confuse its argument with the same tensor captured", async () => {
    expect(await grad(grad((x: Tensor) => x.pow(3)))(tensor(2)).item()).toBe(12);
    const c = tensor(3);
    expect(await grad((x: Tensor) => x.mul(c))(c).item()).toBe(3);
    expect(await grad((x: Tensor) => grad((y: Tensor) => x.mul(y))(x))(tensor(5)).item()).toBe(1);
  });

  test("grad gives zeros for what is not used, and takes trees and plain numbers", async () => {
    const g = grad((p: { a: Tensor; b: Tensor }, s: Tensor) => p.a.mul(s).sum());
    const { a, b } = g({ a: tensor([1, 2]), b: tensor([3]) }, tensor(4));
    expect(await a.array()).toEqual([4, 4]);
    expect(await b.array()).toEqual([0]);
    expect(await grad((x: Tensor) => x.square())(3 as never).item()).toBe(6);
    const [y, d] = valueAndGrad((x: Tensor) => x.square().sum())(tensor([3]));
    expect([await y.item(), await d.item()]).toEqual([9, 6]);
    expect(() => grad((x: Tensor) => x as never)(tensor([1]))).toThrow(/grad: y is \[1\], not a scalar/);
  });

  test("jvp and vjp multiply with the Jacobian from either side", async () => {
    const f = (x: Tensor): Tensor => x.square().mul(tensor([1, 2], { dtype: "float64" }));
    const [, moved] = jvp(f, [f64([1, 2])], [f64([1, 10])]);
    expect(await moved.array()).toEqual([2, 80]);
    const [y, pull] = vjp(f, f64([1, 2]));
    expect(await y.array()).toEqual([1, 8]);
    expect(await (pull(f64([1, 10])) as Tensor[])[0]!.array()).toEqual([2, 80]);
    expect(() => jvp(f, [f64([1, 2])], [f64([1])])).toThrow(/\[1\] for \[2\]/);
  });

  test("jacobian and hessian have the shapes of both sides", async () => {
    const f = (x: Tensor): Tensor => x.unsqueeze(1).mul(x);
    expect(jacobian(f)(zeros([3])).shape).toEqual([3, 3, 3]);
    const rosenbrock = (x: Tensor): Tensor =>
      x.at("1:").sub(x.at(":-1").square()).square().mul(100).sum().add(x.at(":-1").sub(1).square().sum());
    expect(await hessian(rosenbrock)(f64([1, 1, 1])).array()).toEqual([
      [802, -400, 0],
      [-400, 1002, -400],
      [0, -400, 200],
    ]);
    expect(await hvp(rosenbrock, f64([1, 1, 1]), f64([1, 0, 1])).array()).toEqual([802, -800, 200]);
  });

  test("the Hessian of a power is symmetric where the exponent is 0, and 0 where the base is 0 too", async () => {
    const h = (a: number, b: number) => hessian((v: Tensor) => v.at(0).pow(v.at(1)))(f64([a, b])).array() as Promise<number[][]>;
    const log = Math.log(2);
    expect(await h(2, 0)).toEqual([[0, 0.5], [0.5, expect.closeTo(log * log, 12)]]); // biome-ignore format: rows
    expect(await h(0.25, 0)).toEqual([[0, 4], [4, expect.closeTo(4 * log * log, 12)]]); // biome-ignore format: rows
    const [[, right], [left]] = (await h(2, 1.5)) as [[number, number], [number, number]];
    expect(right).toBeCloseTo(left, 14);
    expect(right).toBeCloseTo(Math.SQRT2 * (1 + 1.5 * log), 12);
    expect(await h(0, 0)).toEqual([[0, 0], [0, 0]]); // biome-ignore format: rows
    const flat = (a: number) => grad((x: Tensor) => x.pow(f64(0)))(f64(a)).item();
    for (const a of [0, 1e-320, 3, -2, Infinity, NaN]) expect(Math.abs(await flat(a)), String(a)).toBe(0);
  });

  test("std of equal numbers has the gradient 0, whatever they are", async () => {
    for (const dtype of ["float32", "float64"] as const)
      for (const number of [3, 0.1, -1e-3, 1 / 3, 12345.678])
        for (const n of [2, 3, 7, 100]) {
          const x = tensor(new Array<number>(n).fill(number), { dtype });
          expect(await x.variance().item()).toBe(0);
          expect(await x.std().item()).toBe(0);
          expect(new Set(await grad((v: Tensor) => v.std())(x).array())).toEqual(new Set([0]));
        }
    const rows = tensor([[1, 1], [1, 3]], { dtype: "float64" }); // biome-ignore format: rows
    expect(await grad((v: Tensor) => v.std(1).sum())(rows).array()).toEqual([[0, 0], [-Math.SQRT1_2, Math.SQRT1_2].map((k) => expect.closeTo(k, 14))]); // biome-ignore format: rows
  });

  test("slopes of elu, selu and expm1 keep their digits far left", async () => {
    const x = f64([-10, -15, -17, -20, -40, -700]);
    const exact = [-10, -15, -17, -20, -40, -700].map(Math.exp);
    const [alpha, scale] = [1.6732632423543772, 1.0507009873554805];
    const near = (factor: number) => exact.map((e) => expect.closeTo((e * factor) / (e * factor), 12));
    const slope = async (f: (v: Tensor) => Tensor, factor: number) =>
      ((await grad((v: Tensor) => f(v).sum())(x).array()) as number[]).map((g, i) => g / (exact[i]! * factor));
    expect(await slope((v) => v.elu(), 1)).toEqual(near(1));
    expect(await slope((v) => v.elu(0.5), 0.5)).toEqual(near(0.5));
    expect(await slope((v) => v.selu(), alpha * scale)).toEqual(near(1));
    expect(await slope((v) => v.expm1(), 1)).toEqual(near(1));
  });

  test("a gradient of one's own is used, and can itself be differentiated", async () => {
    const clipped = customGradient(
      (x: Tensor) => x.gt(0).cast("float64"),
      (dy, _y, x) => [dy.mul(x.square())],
    );
    expect(await grad((x: Tensor) => clipped(x).sum())(f64([3, -1])).array()).toEqual([9, 1]);
    expect(await grad(grad((x: Tensor) => clipped(x)))(f64(3)).item()).toBe(6);
    const wrong = customGradient(
      (x: Tensor) => x.square(),
      () => [f64([1, 2])],
    );
    expect(() => grad((x: Tensor) => wrong(x))(f64(1))).toThrow(/gradient/);
  });
});

describe("the composed functions against differences", () => {
  const functions: Record<string, (x: Tensor) => Tensor> = {
    softplus: (x) => x.softplus(),
    gelu: (x) => x.gelu(),
    geluTanh: (x) => x.gelu("tanh"),
    elu: (x) => x.elu(),
    selu: (x) => x.selu(),
    silu: (x) => x.silu(),
    mish: (x) => x.mish(),
    softsign: (x) => x.softsign(),
    logSigmoid: (x) => x.logSigmoid(),
    leakyRelu: (x) => x.leakyRelu(),
    tan: (x) => x.tan(),
    rsqrt: (x) => x.square().add(1).rsqrt(),
    variance: (x) => x.variance(),
    std: (x) => x.std(),
    norm: (x) => x.norm(),
    clip: (x) => x.clip(-1, 1),
    pow: (x) => x.pow(5),
    pad: (x) => x.pad([[1, -1]]).square(),
    repeat: (x) => x.repeat(2).square(),
    at: (x) => x.at("::-2").mul(x.at(0)),
    rows: (x) => x.at(tensor([0, 0, 2], { dtype: "int32" })).square(),
    topK: (x) => x.topK(2).values.square(),
    stack: (x) => einsum("ij,kj->ik", stack([x, x.square()]), stack([x, x.exp()])),
  };
  for (const [name, f] of Object.entries(functions))
    test(`${name} and its gradient`, async () => {
      const at = [f64([0.3, -0.7, 1.9, -2.1])];
      expect((await gradcheck(f, at)).worst[0]?.error ?? 0).toBeLessThan(1e-6);
      expect((await gradgradcheck(f, at)).worst[0]?.error ?? 0).toBeLessThan(1e-5);
    });

  test("captured variables count with what they hold", async () => {
    const w = variable(f64([1, 2]));
    w.assign(w.mul(2));
    expect((await gradcheck((x: Tensor) => x.mul(w).tanh(), [f64([0.1, 0.2])])).passed).toBe(true);
  });
});

describe("vmap", () => {
  const xs = tensor([
    [1, 2],
    [3, 4],
    [5, 6],
  ]);
  test("every operation gets the axis, wherever it stands", async () => {
    expect(await vmap((x: Tensor) => x.mul([1, 10]).sum())(xs).array()).toEqual([21, 43, 65]);
    expect(await vmap((x: Tensor) => x.sum(), { in: [1] })(xs).array()).toEqual([9, 12]);
    expect(vmap((x: Tensor) => x, { out: 1 })(xs).shape).toEqual([2, 3]);
    expect(
      await vmap((x: Tensor, s: Tensor) => x.mul(s), { in: [0, null] })(xs, tensor(2))
        .at(0)
        .array(),
    ).toEqual([2, 4]);
  });

  test("per-example gradients: captured cells are shared", async () => {
    const w = variable([1, 1], { name: "w" });
    const each = vmap((x: Tensor) => gradients(x.dot(w).square(), { w }))(xs);
    expect(await each.w.array()).toEqual([
      [6, 12],
      [42, 56],
      [110, 132],
    ]);
  });

  test("nests, and is itself differentiated", async () => {
    const outer = vmap((a: Tensor) => vmap((b: Tensor) => a.mul(b))(arange(2).cast("float32")))(tensor([1, 10]));
    expect(await outer.array()).toEqual([
      [0, 1],
      [0, 10],
    ]);
    const total = (x: Tensor): Tensor => vmap((r: Tensor) => r.square().sum())(x).sum();
    expect(await grad(total)(xs).array()).toEqual([
      [2, 4],
      [6, 8],
      [10, 12],
    ]);
  });

  test("functions with a gradient of their own get that of each example", async () => {
    const x = f64([1, 2, -4]);
    const slopes = await x.sigmoid().array();
    expect(await grad((v: Tensor) => vmap((one: Tensor) => one.softplus())(v).sum())(x).array()).toEqual(slopes);
    expect(await grad((v: Tensor) => vmap((one: Tensor) => one.clip(-1, 1))(v).sum())(x).array()).toEqual([1, 0, 0]);
  });

  test("a body does not assign, read numbers, or let its tensors out", async () => {
    const w = variable(1, { name: "w" });
    expect(() =>
      vmap((x: Tensor) => {
        w.assign(2);
        return x;
      })(xs),
    ).toThrow(/variable w is assigned in the body of vmap/);
    expect(() =>
      vmap((x: Tensor) => {
        void x.array();
        return x;
      })(xs),
    ).toThrow(/a value is not known while vmap is tracing[\s\S]*tap/);
    let out: Tensor = xs;
    vmap((x: Tensor) => (out = x))(xs);
    expect(() => out.add(1)).toThrow(/traced by vmap was used after it/);
    expect(() => out.array()).toThrow(/used after it/);
    expect(await w.item()).toBe(1);
  });

  test("a tap tells all examples at once", async () => {
    const told: unknown[] = [];
    await vmap((x: Tensor) =>
      x
        .sum()
        .tap((v) => told.push(v))
        .mul(2),
    )(xs).array();
    expect(told).toEqual([[3, 7, 11]]);
  });

  test("sizes that differ and arguments without an axis are errors", () => {
    const two = vmap((x: Tensor, y: Tensor) => x.add(y));
    expect(() => two(zeros([2, 3]), zeros([3, 3]))).toThrow(/mapped axes differ: 2 and 3/);
    expect(() => two(zeros([2]), tensor(1))).toThrow(/a scalar has no axes/);
    expect(() => vmap((x: Tensor) => x, { in: [null] })(xs)).toThrow(/no argument is mapped/);
  });

  test("random draws in a body are one draw", async () => {
    const rng: Generator = new G(1);
    const y = await vmap((x: Tensor) => x.add(rng.uniform([])))(zeros([3])).array();
    expect(new Set(y).size).toBe(1);
  });
});
