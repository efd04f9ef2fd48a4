import {
  compile,
  evaluate,
  GraphError,
  grad,
  gradcheck,
  gradients,
  ones,
  type Tensor,
  tensor,
  type Variable,
  variable,
  withContents,
  zeros,
} from "gradus";
import { describe, expect, test } from "vitest";
import { topological } from "../../src/graph/walk.ts";
import { type Holder, holderOf } from "../../src/run/holder.ts";

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

describe("contents that nobody has computed", () => {
  const told = (): { count: number; report: () => void } => {
    const counter = { count: 0, report: (): void => void counter.count++ };
    return counter;
  };

  test("assigning and reading the cell compute nothing, and neither does an evaluation of something else", async () => {
    const counter = told();
    const w = variable([1, 2]);
    w.assign(w.add(1).tap(counter.report));
    const y = w.mul(2);
    await tensor(3).add(1).item();
    await variable(1).add(1).item();
    expect(counter.count).toBe(0);
    expect(await y.array()).toEqual([4, 6]);
    await w.array();
    expect(counter.count).toBe(1);
  });

  test("what several cells get from one computation is computed with any of it, once", async () => {
    const counter = told();
    const x = tensor([1, 2]);
    const [a, b] = [variable([0, 0]), variable([0, 0])];
    const shared = x.square().tap(counter.report);
    a.assign(shared.add(1));
    b.assign(shared.sub(1));
    expect(await a.array()).toEqual([2, 5]);
    expect(b.isComputed).toBe(true);
    expect(await b.array()).toEqual([0, 3]);
    expect(counter.count).toBe(1);
  });

  test("a content read before stays what it was, through a hundred assignments and an evaluation of the last", async () => {
    const w = variable(1);
    const read: Tensor[] = [];
    for (let i = 0; i < 100; i++) {
      read.push(w.value);
      w.assign(w.value.add(1));
    }
    expect(await w.item()).toBe(101);
    for (const [i, x] of read.entries()) expect(await x.item()).toBe(i + 1);
  });

  test("cells swap their contents, computed or not, as often as one likes", async () => {
    const [a, b] = [variable(1), variable(2)];
    for (let i = 0; i < 21; i++) {
      const before = a.value;
      a.assign(b.value);
      b.assign(before.add(10));
    }
    expect([await a.item(), await b.item()]).toEqual([102, 111]);
  });

  test("a cell holds what it was assigned, not what the assigned cell gets later", async () => {
    const [a, b] = [variable(1), variable(2)];
    b.assign(a.add(5));
    a.assign(b);
    b.assign(a.mul(0));
    expect([await a.item(), await b.item()]).toEqual([6, 0]);
  });

  test("a chain through ever new cells holds the last of them", async () => {
    let last: Variable = variable(0);
    for (let i = 0; i < 500; i++) {
      const next = variable(0);
      next.assign(last.value.add(1));
      last = next;
    }
    let waiting = 0;
    for (let x: Holder | undefined = last.content(); x && !x.storage; waiting++)
      x = topological([x.recipe()])
        .map(holderOf)
        .find((held) => held !== undefined);
    expect(waiting).toBeLessThanOrEqual(10);
    expect(await last.item()).toBe(500);
  });

  test("an assignment that cannot be computed hurts nobody but its readers", async () => {
    const x = tensor([1, 2, 3]);
    const index = variable(tensor([7], { dtype: "int32" }));
    const [good, bad] = [variable([0, 0, 0]), variable([0])];
    const y = x.mul(2);
    good.assign(y.add(1));
    bad.assign(y.at(index));
    expect(await y.array()).toEqual([2, 4, 6]);
    expect(await good.array()).toEqual([3, 5, 7]);
    await expect(bad.array()).rejects.toThrow(/index 7 is outside an axis of size 3/);
    for (let i = 0; i < 20; i++) bad.assign(bad.value.add(1));
    await expect(bad.array()).rejects.toThrow(/index 7 is outside/);
    bad.assign([1]);
    expect(await bad.array()).toEqual([1]);
  });

  test("compiled calls in between see what was assigned, and leave what was read", async () => {
    const w = variable(1);
    const double = compile(() => w.assign(w.mul(2)));
    const read: Tensor[] = [];
    for (let i = 0; i < 12; i++) {
      w.assign(w.value.add(1));
      read.push(w.value);
      if (i % 3 === 2) double();
    }
    const expected: number[] = [];
    for (let i = 0, v = 1; i < 12; i++) {
      v++;
      expected.push(v);
      if (i % 3 === 2) v *= 2;
    }
    expect(await Promise.all(read.map((x) => x.item()))).toEqual(expected);
  });

  test("functions that are differentiated may assign: what stands on their placeholders stays a graph", async () => {
    const h = variable(0, { dtype: "float64" });
    const f = (x: Tensor): Tensor => {
      h.assign(x.mul(3));
      return x.square().mul(h.value).add(x.detach());
    };
    expect(await grad(f as (x: Tensor) => Tensor<[]>)(tensor(2, { dtype: "float64" })).item()).toBe(24);
    expect(await h.item()).toBe(6);
    const y = (x: Tensor): Tensor => {
      h.assign(x.mul(0).add(3));
      return x.square().mul(h.value);
    };
    expect((await gradcheck(y, [tensor(2, { dtype: "float64" })])).passed).toBe(true);
  });

  test("the interpreter computes them too", async () => {
    const [w, v] = [variable(0), variable(1)];
    for (let i = 0; i < 30; i++) {
      v.assign(v.mul(0.5).add(w.value));
      w.assign(w.add(v.value.mul(0.1)));
    }
    const interpreted = await evaluate(w.mul(1), { device: "interpreter" });
    expect(await interpreted.item()).toBeCloseTo(await w.item(), 5);
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
