/** What stands at the edges of programs: results that are inputs, cells that are only written, nothing at all. */
import { compile, full, gradients, type Tensor, tensor, Variable, variable, zeros } from "gradus";
import { describe, expect, test } from "vitest";

const array = async (x: Tensor): Promise<any> => x.array();
const both = [0, 1] as const;

for (const optimize of both)
  describe(`programs with optimize: ${optimize}`, () => {
    const options = { optimize, device: "wasm" } as const;

    test("results may be arguments, cells, captured tensors, constants, and one twice", async () => {
      const w = variable([1, 2]);
      const captured = tensor([7, 8]);
      const f = compile((x: Tensor) => [x, w.value, captured, zeros([2]), full([], 3), x.add(w), x.add(w), x.reshape([1, 2])], options);
      for (const shift of [0, 10])
        expect(await Promise.all(f([shift, shift]).map(array))).toEqual([
          [shift, shift],
          [1, 2],
          [7, 8],
          [0, 0],
          3,
          [shift + 1, shift + 2],
          [shift + 1, shift + 2],
          [[shift, shift]],
        ]);
    });

    test("cells may get an argument, a constant, a scalar, or a part of themselves", async () => {
      const [a, b, c, d] = [variable([1, 2, 3, 4]), variable([5, 5]), variable(1), variable([1, 2, 3, 4])];
      const f = compile((x: Tensor) => {
        a.assign(x);
        b.assign(zeros([2]));
        c.assign(9);
        d.assign(
          d
            .at("1:3")
            .mul(10)
            .pad([[1, 1]]),
        );
      }, options);
      f([6, 7, 8, 9]);
      f([0, 7, 8, 9]);
      expect(await Promise.all([a, b, c, d].map(array))).toEqual([[0, 7, 8, 9], [0, 0], 9, [0, 200, 300, 0]]);
    });

    test("a cell keeps what a result shows, although the result is written later", async () => {
      const w = variable(zeros([80]));
      const f = compile(() => {
        w.assign(w.add(1));
        return w.value;
      }, options);
      const [first, second] = [f(), f()];
      w.assign(full([80], 50));
      const third = f();
      expect([await first.data(), await second.data(), await third.data()].map((x) => x[79])).toEqual([1, 2, 51]);
      expect((await w.data())[0]).toBe(51);
    });

    test("a cell without a value can be filled by a program", async () => {
      const w = new Variable({ shape: [2], dtype: "float32" }, { name: "late" });
      const read = compile(() => w.mul(2), options);
      expect(() => read()).toThrow(/variable late has no value yet/);
      const fill = compile((x: Tensor) => {
        w.assign(x.add(1));
      }, options);
      fill([1, 2]);
      expect(await array(w)).toEqual([2, 3]);
      expect(await array(read())).toEqual([4, 6]);
    });

    test("sizes of zero and scalars go through", async () => {
      const w = variable(zeros([0, 3]));
      const f = compile((x: Tensor, s: Tensor) => {
        w.assign(w.mul(2));
        return [x.mul(s), x.sum(), x.matmul(zeros([3, 2])), w.value];
      }, options);
      const [a, b, c, d] = f(zeros([0, 3]), 4);
      expect(await Promise.all([a!, b!, c!, d!].map(array))).toEqual([[], 0, [], []]);
    });

    test("a transposed copy of a cell, a product with itself and a reversed sum read old contents only", async () => {
      const w = variable([
        [1, 2],
        [3, 4],
      ]);
      const f = compile(() => {
        const old = w.value;
        w.assign(old.matmul(old).add(old.transpose()).add(old.flip(0).sum()));
      }, options);
      f();
      expect(await array(w)).toEqual([
        [18, 23],
        [27, 36],
      ]);
    });

    test("gradients with respect to arguments and captured cells", async () => {
      const w = variable([2, 3], { name: "w" });
      const f = compile((x: Tensor) => gradients(x.mul(w).square().sum() as Tensor<[]>, { x, w }), options);
      const { x, w: dw } = f([1, 1]);
      expect([await array(x), await array(dw)]).toEqual([
        [8, 18],
        [4, 6],
      ]);
    });

    test("other dtypes come and go as they are", async () => {
      const f = compile((x: Tensor, i: Tensor, b: Tensor) => [x.mul(2), i.add(1), b.logicalNot(), x.gt(1)], options);
      const results = f(tensor([1, 2], { dtype: "float64" }), tensor([1, -2], { dtype: "int32" }), tensor([1, 0], { dtype: "bool" }));
      expect(results.map((r) => r.dtype)).toEqual(["float64", "int32", "bool", "bool"]);
      expect(await Promise.all(results.map(array))).toEqual([
        [2, 4],
        [2, -1],
        [false, true],
        [false, true],
      ]);
    });
  });

test("results of two programs that feed each other stay what they were", async () => {
  const double = compile((x: Tensor) => x.mul(2));
  const next = compile((x: Tensor) => x.add(1));
  let x: Tensor = zeros([70]);
  const seen: Tensor[] = [];
  for (let i = 0; i < 4; i++) {
    x = next(double(x));
    seen.push(x);
  }
  expect((await Promise.all(seen.map((s) => s.data()))).map((d) => d[69])).toEqual([1, 3, 7, 15]);
});

test("a lazy content of a cell is computed once, for whoever comes first", async () => {
  const w = variable([1, 2]);
  const told: unknown[] = [];
  const more = w.add(1);
  more.tap((v) => told.push(v));
  w.assign(more);
  const f = compile(() => w.mul(10));
  expect(await array(f())).toEqual([20, 30]);
  expect(await array(w)).toEqual([2, 3]);
  expect(await array(f())).toEqual([20, 30]);
  expect(told).toEqual([[2, 3]]);
});
