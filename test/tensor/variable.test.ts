import { evaluate, GraphError, gradients, ones, type Tensor, tensor, variable, withContents, zeros } from "gradus";
import { describe, expect, test } from "vitest";
import { topological } from "../../src/graph/walk.ts";

describe("tensors are values", () => {
  test("assigning never changes a tensor built before", async () => {
    const w = variable([1, 2], { name: "w" });
    const y = w.mul(2);
    const before = w.value;
    w.assign([10, 20]);
    expect(await y.array()).toEqual([2, 4]);
    expect(await before.array()).toEqual([1, 2]);
    expect(await w.array()).toEqual([10, 20]);
    expect(await w.mul(2).array()).toEqual([20, 40]);
  });

  test("a value is computed once and kept", async () => {
    let told = 0;
    const x = tensor([1, 2]).add(1);
    x.tap(() => told++);
    await x.array();
    await x.array();
    await x.mul(2).array();
    expect(told).toBe(1);
  });

  test("a loop over computed tensors does not pile up graph", async () => {
    let s: Tensor = tensor(0);
    for (let i = 0; i < 50; i++) {
      s = s.add(1);
      await s.item();
    }
    expect(await s.item()).toBe(50);
    expect(topological([s.add(1).node()]).length).toBeLessThan(5);
  });

  test("training without compile keeps a graph of constant size when the loss is awaited", async () => {
    const w = variable([1, 1]);
    const sizes: number[] = [];
    for (let i = 0; i < 30; i++) {
      const loss = w.sub([3, -1]).square().sum();
      w.assign(w.sub(gradients(loss, w).mul(0.1)));
      sizes.push(topological([w.value.node()]).length);
      await loss.item();
    }
    expect(new Set(sizes).size).toBe(1);
    expect((await w.array())[0]).toBeCloseTo(3, 2);
  });

  test("a thousand assignments nobody awaited are computed at the end", async () => {
    const w = variable(0);
    for (let i = 0; i < 1000; i++) w.assign(w.add(1));
    expect(await w.item()).toBe(1000);
  });

  test("a chain of 100,000 operations is computed and differentiated without overflowing the stack", async () => {
    const w = variable(0);
    let y: Tensor = w;
    for (let i = 0; i < 100_000; i++) y = y.add(0.5);
    expect(await y.item()).toBe(50_000);
    expect(await gradients(y, w).item()).toBe(1);
  }, 60_000);

  test("several are evaluated at once, and variables become what they hold", async () => {
    const w = variable([1]);
    const both = await evaluate({ a: w.add(1), b: [w] });
    w.assign([5]);
    expect(await both.a.array()).toEqual([2]);
    expect(await both.b[0]!.array()).toEqual([1]);
  });
});

describe("variables", () => {
  test("a cell keeps its shape and dtype", () => {
    const w = variable(zeros([2]), { name: "W" });
    expect(() => w.assign([1, 2, 3])).toThrow("assign: variable W is [2], the value [3]");
    expect(() => w.assign(ones([2], { dtype: "float64" }))).toThrow(/is float32, the value float64[\s\S]*value\.cast\("float32"\)/);
    expect(() => w.assign(1)).toThrow(/the value \[\]/);
    expect(w.trainable).toBe(true);
    expect(String(w)).toBe("Variable(W float32 [2])");
  });

  test("assigning cuts the gradient", async () => {
    const a = variable(2, { name: "a" });
    const b = variable(0, { name: "b" });
    b.assign(a.mul(3));
    expect(() => gradients(b.mul(1), [a])).toThrow("gradients: y does not depend on a");
    expect(await gradients(b.mul(a), { a, b }).a.item()).toBe(6);
  });

  test("a cell reassigned after y was built is an error that says so", () => {
    const w = variable(2, { name: "w" });
    const y = w.square();
    w.assign(5);
    expect(() => gradients(y, w)).toThrow(/variable w was assigned after y was built[\s\S]*before assigning/);
    expect(() => gradients(y.mul(w), w)).toThrow(/was assigned after/);
  });

  test("the content is a constant for gradients", () => {
    const w = variable(2, { name: "w" });
    expect(() => gradients(w.value.square(), w)).toThrow(/does not depend on w/);
  });

  test("cells can stand for other tensors while a function runs", async () => {
    const w = variable(2);
    const x = tensor(5).tracked();
    const y = withContents([[w, x]], () => {
      const first = w.square();
      w.assign(1);
      return first.add(w);
    });
    expect(await y.item()).toBe(26);
    expect(await w.item()).toBe(2);
    expect(await gradients(y, x).item()).toBe(10);
    expect(() => withContents([[w, tensor([1])]], () => 0)).toThrow(/the value \[1\]/);
    expect(await w.item()).toBe(2);
  });

  test("a variable of another variable starts with its content", async () => {
    const a = variable([1, 2]);
    const b = variable(a);
    a.assign([3, 4]);
    expect(await b.array()).toEqual([1, 2]);
  });
});

describe("what JavaScript asks of objects", () => {
  const x = tensor([1, 2]);
  test("describing never throws and never shows values", () => {
    expect(String(x)).toBe("Tensor(float32 [2])");
    expect(`${x}`).toBe("Tensor(float32 [2])");
    expect(JSON.stringify({ x })).toBe('{"x":"Tensor(float32 [2])"}');
  });
  test("using it as a number throws with advice", () => {
    expect(() => (x as unknown as number) > 1).toThrow(/a tensor is not a number[\s\S]*a\.gt\(0\)/);
    expect(() => (x as unknown as number) + 1).toThrow(GraphError);
  });
  test("it is not thenable", async () => {
    expect("then" in x).toBe(false);
    expect(await x).toBe(x);
  });
  test("item wants exactly one element, at once", () => {
    expect(() => x.item()).toThrow("item: [2] has 2 elements, not one");
  });
});
