import { describe, expect, test } from "vitest";
import * as g from "../../src/index.ts";
import {
  cholesky, choleskySolve, compile, det, eye, Generator, gradcheck, gradgradcheck, gradients, inv, jvp, logdet, MatrixError, ones, slogdet, solve, type Tensor, tensor, triangularSolve,
  type Variable, variable, vmap, zeros,
} from "../../src/index.ts"; // biome-ignore format: names
import { type Case, expectClose, fixture, unpack } from "../nn/fixtures.ts";
import { COMPILED } from "../torture/harness.ts";
import { errorOf } from "./error-of.ts";

const { cases } = fixture("linear-algebra.json") as { cases: Case[] };

describe("linear algebra has PyTorch's values and gradients", () => {
  for (const c of cases)
    test(`${c.name} ${JSON.stringify(c.options)} of ${Object.values(c.inputs).map((x) => `[${x.shape}]`)}`, async () => {
      const inputs = Object.values(c.inputs).map((x) => variable(unpack(x)));
      const f = (g as unknown as Record<string, (...args: any[]) => any>)[c.name]!;
      const result = f(...inputs, ...(Object.keys(c.options).length > 0 ? [c.options] : []));
      const y = (c.name === "slogdet" ? result.logAbsDet : result) as Tensor;
      await expectClose(y, c.result);
      const slopes = gradients(y.mul(unpack(c.weights)).sum(), inputs as Variable[]);
      for (const [i, name] of Object.keys(c.inputs).entries()) await expectClose(slopes[i] as Tensor, c.gradients[name]!);
    });
});

const rng = new Generator(3);
type Options = { dtype: "float32" | "float64" };
const normal = (shape: number[], options: Options): Tensor => rng.normal(shape, 0, 1, options);
const identity = (n: number, options: Options): Tensor => eye(n, n, options);
/** Of normal numbers, so that rows are exchanged; moved away from singular. */
const regular = (shape: number[], dtype: "float32" | "float64" = "float64"): Tensor =>
  normal(shape, { dtype }).add(identity(shape.at(-1)!, { dtype }));
const definite = (shape: number[], dtype: "float32" | "float64" = "float64"): Tensor => {
  const x = normal(shape, { dtype });
  return x
    .matmul(x.transpose())
    .div(shape.at(-1)!)
    .add(identity(shape.at(-1)!, { dtype }));
};
const size = async (x: Tensor): Promise<number> => x.cast("float64").square().sum().sqrt().item();
const EPSILON = { float32: 2 ** -23, float64: 2 ** -52 };

describe("rounding is that of backward stable algorithms", () => {
  for (const dtype of ["float32", "float64"] as const)
    for (const n of [1, 2, 7, 64, 200])
      test(`${dtype} matrices of ${n} rows leave residuals of n · ε`, async () => {
        const bound = 8 * n * EPSILON[dtype];
        const [a, b, s] = [regular([n, n], dtype), normal([n, 3], { dtype }), definite([n, n], dtype)];
        const wide = (x: Tensor): Tensor => x.cast("float64");
        const residual = async (m: Tensor, x: Tensor, y: Tensor): Promise<number> =>
          (await size(wide(m).matmul(wide(x)).sub(wide(y)))) / ((await size(m)) * (await size(x)));
        expect(await residual(a, solve(a, b), b)).toBeLessThan(bound);
        expect(await residual(a, inv(a), identity(n, { dtype }))).toBeLessThan(bound * 4);
        expect(await residual(s, choleskySolve(cholesky(s), b), b)).toBeLessThan(bound);
        const l = cholesky(s);
        expect((await size(wide(l).matmul(wide(l).transpose()).sub(wide(s)))) / (await size(s))).toBeLessThan(bound);
        expect(await residual(l, triangularSolve(l, b), b)).toBeLessThan(bound);
      });

  test("the error of a solution grows with the condition of the matrix, and not beyond", async () => {
    // Hilbert's matrix of 8 rows has the condition 1.5e10.
    const n = 8;
    const hilbert = tensor(
      Array.from({ length: n }, (_, i) => Array.from({ length: n }, (_, j) => 1 / (i + j + 1))),
      { dtype: "float64" },
    );
    const x = ones([n], { dtype: "float64" });
    const condition = (await size(hilbert)) * (await size(inv(hilbert)));
    expect(condition).toBeGreaterThan(1e10);
    expect(await size(solve(hilbert, hilbert.matmul(x)).sub(x))).toBeLessThan(n * EPSILON.float64 * condition);
  });

  test.each(COMPILED)("the bits on %s do not depend on the number of threads", async (device) => {
    const inputs = await Promise.all(
      [regular([5, 90, 90], "float32"), definite([70, 70], "float32")].map(async (x) => tensor(await x.data(), x.shape as number[])),
    );
    const results = async (threads: number): Promise<unknown[]> => {
      const f = (x: Tensor, y: Tensor): Tensor[] => [inv(x), slogdet(x).logAbsDet, solve(y, ones([70, 300])), cholesky(y)];
      const outputs = compile(f, { device, threads })(...(inputs as [any, any])) as unknown as Tensor[];
      return Promise.all(outputs.map((x) => x.data()));
    };
    const first = await results(1);
    for (const threads of [2, 3]) expect(await results(threads)).toEqual(first);
    expect(first).toEqual(expect.not.arrayContaining([expect.arrayContaining([Number.NaN])]));
  });

  test("a determinant that overflows still has a logarithm", async () => {
    const a = identity(200, { dtype: "float32" }).mul(100);
    expect(await det(a).item()).toBe(Number.POSITIVE_INFINITY);
    expect(await logdet(a).item()).toBeCloseTo(200 * Math.log(100), 2);
  });
});

describe("derivatives of any order", () => {
  const systems: Record<string, [(...xs: any[]) => Tensor, ...Tensor[]]> = {
    inv: [inv, regular([2, 3, 3])],
    solve: [solve, regular([3, 3]), normal([3, 2], { dtype: "float64" })],
    "solve of vectors": [solve, regular([2, 3, 3]), normal([2, 3], { dtype: "float64" })],
    det: [det, regular([2, 3, 3])],
    logdet: [logdet, definite([3, 3])],
    slogdet: [(a: Tensor) => slogdet(a).logAbsDet, regular([3, 3])],
    cholesky: [cholesky, definite([2, 3, 3])],
    choleskySolve: [(a: Tensor, b: Tensor) => choleskySolve(cholesky(a), b), definite([3, 3]), normal([3], { dtype: "float64" })],
    triangularSolve: [
      (t: Tensor, b: Tensor) => triangularSolve(t, b, { upper: true, transpose: true }),
      regular([3, 3]),
      normal([3, 2], { dtype: "float64" }),
    ],
  };
  for (const [name, [f, ...inputs]] of Object.entries(systems)) {
    test(`${name} has the slopes of finite differences, and so have these`, async () => {
      const loss = (...xs: Tensor[]): Tensor =>
        f(...xs)
          .sin()
          .sum();
      const points = await Promise.all(inputs.map(async (x) => tensor(await x.data(), x.shape as number[], { dtype: "float64" })));
      expect(await gradcheck(loss as any, points)).toMatchObject({ passed: true });
      expect(await gradgradcheck(loss as any, points)).toMatchObject({ passed: true });
    });

    test(`${name} moves along tangents as jvp says`, async () => {
      const tangents = inputs.map((x) => normal(x.shape as number[], { dtype: "float64" }));
      const h = 1e-6;
      const moved = (by: number): Tensor => f(...inputs.map((x, i) => x.add(tangents[i]!.mul(by))));
      const [, along] = jvp(f as any, inputs as any, tangents as any) as unknown as [Tensor, Tensor];
      const numeric = await moved(h)
        .sub(moved(-h))
        .div(2 * h)
        .data();
      (await along.data()).forEach((x, i) => expect(Math.abs(x - numeric[i]!)).toBeLessThan(1e-6 * Math.max(1, Math.abs(x))));
    });

    test(`${name} under vmap is what it is for each part, with gradients`, async () => {
      const many = inputs.map((x) => x.mul(tensor([1, 1.25, 1.5], { dtype: "float64" }).reshape([3, ...x.shape.map(() => 1)])));
      const slope = (first: Tensor, ...rest: Tensor[]): Tensor => {
        const x = first.tracked();
        return gradients(
          f(x, ...rest)
            .sin()
            .sum(),
          x,
        );
      };
      for (const each of [f, slope]) {
        const all = await (vmap(each as any)(...(many as [any])) as Tensor).data();
        const apart = await Promise.all([0, 1, 2].map((i) => each(...(many.map((x) => x.at(i)) as [Tensor])).data()));
        apart.flatMap((part) => [...part]).forEach((x, i) => expect(Math.abs(all[i]! - x)).toBeLessThan(1e-11 * Math.max(1, Math.abs(x))));
      }
    });
  }

  test("one matrix for many right sides under vmap is solved once, as columns", async () => {
    const [a, bs] = [regular([3, 3]), normal([5, 3], { dtype: "float64" })];
    const each = await Promise.all([0, 1, 2, 3, 4].map((i) => solve(a, bs.at(i)).data()));
    expect(await vmap((b: Tensor) => solve(a, b))(bs).data()).toEqual(Float64Array.from(each.flatMap((x) => [...x])));
  });
});

describe("a matrix that does not do", () => {
  const step = (f: (a: Tensor) => Tensor) => {
    const cell = variable(zeros([]));
    const run = compile((a: Tensor) => {
      const y = f(a).sum();
      cell.assign(y);
      return y;
    });
    return { cell, run };
  };
  const singular = tensor([[[1, 2], [3, 4]], [[1, 2], [2, 4]], [[0, 0], [0, 0]]]); // biome-ignore format: rows

  test("without a pivot is an error with its place and the user's line, and nothing is committed", async () => {
    for (const [name, f] of [
      ["inv", inv],
      ["solve", (a: Tensor) => solve(a, ones([2]))],
    ] as const) {
      const { cell, run } = step(f);
      const error = await errorOf(() => run(singular).item());
      expect(error).toBeInstanceOf(MatrixError);
      expect(error.message).toContain(`${name}: the matrix at [1] is singular   at linear-algebra.test.ts:`);
      expect(error.message).toContain("no row has a pivot for column 1");
      expect(await cell.item()).toBe(0);
      expect(await run(singular.add(eye(2))).item()).not.toBeNaN();
    }
    expect((await errorOf(() => inv(singular.reshape([3, 1, 2, 2])).data())).message).toContain("the matrix at [1, 0] is singular");
    expect((await errorOf(() => inv(zeros([2, 2])).data())).message).toContain("inv: the matrix is singular");
  });

  test("that is not positive definite is an error of cholesky", async () => {
    const { cell, run } = step(cholesky);
    const error = await errorOf(() => run(tensor([[[2, 0], [0, 1]], [[1, 2], [2, 1]]])).item()); // biome-ignore format: rows
    expect(error.message).toContain("cholesky: the matrix at [1] is not positive definite   at linear-algebra.test.ts:");
    expect(error.message).toContain("its leading part of size 2");
    expect(await cell.item()).toBe(0);
    expect(await errorOf(() => cholesky(tensor([[Number.NaN]])).data())).toBeInstanceOf(MatrixError);
    expect(await errorOf(() => cholesky(tensor([[0]])).data())).toBeInstanceOf(MatrixError);
  });

  test("has a determinant of 0 and a logarithm of −∞, but no gradient", async () => {
    expect(await det(singular).array()).toEqual([expect.closeTo(-2), expect.closeTo(0), expect.closeTo(0)]);
    expect(await slogdet(singular).logAbsDet.array()).toEqual([
      expect.closeTo(Math.log(2)),
      Number.NEGATIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
    ]);
    expect(await slogdet(singular).sign.array()).toEqual([-1, expect.closeTo(0), expect.closeTo(0)]);
    expect(await logdet(singular).array()).toEqual([Number.NaN, Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY]);
    const a = variable(singular);
    expect((await errorOf(() => gradients(det(a).sum(), a).data())).message).toContain(
      "the gradient of det: the matrix at [1] is singular",
    );
  });

  test("with a 0 on the diagonal stops a triangular system, unless the diagonal counts as 1", async () => {
    const t = tensor([[0, 0], [3, 4]]); // biome-ignore format: rows
    expect((await errorOf(() => triangularSolve(t, ones([2])).data())).message).toContain("triangularSolve: the matrix is singular");
    expect(await triangularSolve(t, ones([2]), { unitDiagonal: true }).array()).toEqual([1, -2]);
  });

  test("of NaN gives NaN", async () => {
    expect(await inv(tensor([[Number.NaN, 1], [1, 1]])).data()).toEqual(Float32Array.of(NaN, NaN, NaN, NaN)); // biome-ignore format: rows
  });
});

describe("shapes", () => {
  test("of no rows and of no matrices", async () => {
    expect(inv(zeros([2, 0, 0])).shape).toEqual([2, 0, 0]);
    expect(await inv(zeros([0, 2, 2])).array()).toEqual([]);
    expect(await det(zeros([2, 0, 0])).array()).toEqual([1, 1]);
    expect(await logdet(zeros([2, 0, 0])).array()).toEqual([0, 0]);
    expect(await solve(eye(2), zeros([2, 0])).array()).toEqual([[], []]);
    expect(cholesky(zeros([0, 0])).shape).toEqual([0, 0]);
  });

  test("a right side with just the batch of the matrices is vectors, any other matrices", async () => {
    const a = eye(3).mul(2).broadcastTo([3, 3, 3]);
    expect(solve(a, ones([3, 3])).shape).toEqual([3, 3]);
    expect(solve(a, ones([3, 2])).shape).toEqual([3, 3, 2]);
    expect(solve(eye(3), ones([4, 3, 2])).shape).toEqual([4, 3, 2]);
    expect(solve(eye(3), ones([4, 1, 3, 2])).shape).toEqual([4, 1, 3, 2]);
  });

  test("that do not fit say so with the user's line", () => {
    const wrong: [() => unknown, string, string][] = [
      [() => inv(ones([3])), "ShapeError", "inv: needs square matrices […, n, n], not [3]"],
      [() => det(ones([2, 3])), "ShapeError", "det: needs square matrices […, n, n], not [2, 3]"],
      [() => cholesky(tensor([[1]], { dtype: "int32" })), "DTypeError", "cholesky: needs float32 or float64, not int32"],
      [() => solve(eye(3), ones([2])), "ShapeError", "solve: matrices [3, 3] with right sides [2]"],
      [() => solve(eye(3), ones([2, 3])), "ShapeError", "help: transpose the right side"],
      [() => solve(ones([2, 3, 3]), ones([4, 3, 1])), "ShapeError", "solve: "],
      [() => inv(3 as never), "DTypeError", "inv: a number is not a tensor"],
      [() => triangularSolve(eye(2), ones([2]), { lower: true } as never), "ArgumentError", 'triangularSolve: there is no option "lower"'],
    ];
    for (const [call, name, text] of wrong) {
      expect(call).toThrow(text);
      expect(call).toThrow("at linear-algebra.test.ts:");
      expect(call).toThrow(expect.objectContaining({ name }));
    }
  });

  test("float32 and float64 meet as in every operator", async () => {
    expect(solve(eye(2), ones([2], { dtype: "float64" })).dtype).toBe("float64");
    expect(inv(eye(2)).dtype).toBe("float32");
  });
});
