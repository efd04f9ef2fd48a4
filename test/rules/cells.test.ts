/** Cells and gradients; the numbers are those of ARCHITECTURE.md, "The rules". */
import { gradients, ones, type Tensor, tensor, variable, zeros } from "gradus";
import { sgd } from "gradus/optim";
import { describe, expect, test } from "vitest";
import { WAYS } from "./ways.ts";

const arrays = (list: readonly Tensor[]): Promise<unknown[]> => Promise.all(list.map((x) => x.array()));

describe.each(WAYS)("$way", ({ prepare }) => {
  test("R2 reading a variable gives what it holds now, and assign puts another content in", async () => {
    const w = variable([1, 2]);
    const step = prepare(() => {
      const before = w.mul(1);
      w.assign(w.add(10));
      const between = w.mul(1);
      w.assign(w.mul(2));
      return [before, between, w.mul(1)];
    });
    expect(await arrays(step())).toEqual([
      [1, 2],
      [11, 12],
      [22, 24],
    ]);
    expect(await w.array()).toEqual([22, 24]);
    w.assign([5, 6]);
    expect((await arrays(step()))[0]).toEqual([5, 6]);
    expect(await w.array()).toEqual([30, 32]);
  });

  test("R2 what is assigned has the cell's shape and dtype, or nothing is assigned", async () => {
    const w = variable([1, 2], { name: "W" });
    const put = (value: Tensor): (() => void) => prepare(() => w.assign(value as never));
    expect(put(ones([3]))).toThrow(/variable W is \[2\], the value \[3\]/);
    expect(put(ones([]))).toThrow(/variable W is \[2\], the value \[\]/);
    expect(put(ones([2], { dtype: "float64" }))).toThrow(/variable W is float32, the value float64/);
    expect(await w.array()).toEqual([1, 2]);
    expect([w.shape, w.dtype]).toEqual([[2], "float32"]);
    put(tensor([7, 8]))();
    expect(await w.array()).toEqual([7, 8]);
  });

  test("R13 of a scalar, gradients answers the tree it was asked for, whatever tree that is", async () => {
    const w = variable([[1, 2]], { name: "w" }); // biome-ignore format: a row
    const b = variable([3, 4]);
    const c = variable(5);
    const y = (): Tensor<[]> => w.square().sum().add(b.mul(3).sum()).add(c.mul(c).mul(c)) as Tensor<[]>;
    const tree = prepare(() => gradients(y(), { w, rest: [b, { c }] }))() as { w: Tensor; rest: [Tensor, { c: Tensor }] };
    expect(Object.keys(tree)).toEqual(["w", "rest"]);
    expect(await arrays([tree.w, tree.rest[0], tree.rest[1].c])).toEqual([[[2, 4]], [3, 3], 75]);
    expect(await arrays(prepare(() => gradients(y(), [c, w]))())).toEqual([75, [[2, 4]]]);
    expect(await prepare(() => gradients(y(), c))().array()).toBe(75);
    expect(prepare(() => gradients(w.mul(2) as never, w))).toThrow(/y is \[1, 2\], not a scalar/);
  });

  test("R13 what y does not reach is an error that names it, and zeros only on request", async () => {
    const a = variable(1, { name: "a" });
    const c = variable([1, 2], { name: "c" });
    const y = (): Tensor<[]> => a.square() as Tensor<[]>;
    expect(prepare(() => gradients(y(), { a, c }))).toThrow("gradients: y does not depend on c");
    const g = prepare(() => gradients(y(), { a, c }, { unused: "zero" }))();
    expect(await arrays([g.a, g.c])).toEqual([2, [0, 0]]);
  });

  test("R15 minimize is gradients, clipping and update in that order, and the update is there at once", async () => {
    const [a, b] = [variable(0), variable(0)];
    const optimizer = sgd([a, b], { lr: 0.5, momentum: 0.5, clipNorm: 1 });
    const step = prepare(() => {
      const loss = a.mul(3).add(b.mul(4)) as Tensor<[]>;
      optimizer.minimize(loss);
      return [loss, a.mul(1), b.mul(1)];
    });
    const path: unknown[] = [];
    for (let i = 0; i < 2; i++) path.push(...(await arrays(step())).map((x) => Number((x as number).toFixed(4))));
    // The gradient [3, 4] is clipped to [0.6, 0.8], then kept as momentum: the second step is 1.5 times the first, which clipping last would forbid.
    expect(path).toEqual([0, -0.3, -0.4, -2.5, -0.75, -1]);
  });

  test("R15 two in one step run one after the other: the second sees what the first assigned", async () => {
    const w = variable(1);
    const optimizer = sgd([w], { lr: 0.25 });
    const step = prepare(() => {
      const first = w.square() as Tensor<[]>;
      optimizer.minimize(first);
      const second = w.square() as Tensor<[]>;
      optimizer.minimize(second);
      return [first, second];
    });
    expect(await arrays(step())).toEqual([1, 0.25]);
    expect(await arrays(step())).toEqual([0.0625, 0.015625]);
    expect(await arrays([w, optimizer.step])).toEqual([0.0625, 4]);
  });

  test("R15 a loss built before an assignment is not minimized with what came after", async () => {
    const w = variable(1, { name: "w" });
    const optimizer = sgd([w], { lr: 0.25 });
    const step = prepare(() => {
      const loss = w.square() as Tensor<[]>;
      w.assign(zeros([]));
      optimizer.minimize(loss);
    });
    expect(step).toThrow(/w was assigned after y was built/);
    expect(await optimizer.step.item()).toBe(0);
  });
});
