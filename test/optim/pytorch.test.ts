import { describe, expect, test } from "vitest";
import { compile, type Tensor, tensor, type Variable, variable } from "../../src/index.ts";
import * as optim from "../../src/optim/index.ts";
import { expectNumbers, fixture } from "../nn/fixtures.ts";

interface Fixtures {
  readonly problem: Record<"x" | "y" | "w", number[][]> & { b: number[] };
  readonly paths: { optimizer: "sgd" | "adagrad" | "rmsprop" | "adam" | "adamW"; options: Record<string, any>; path: number[][] }[];
  readonly schedules: { schedule: string; options: Record<string, number>; rates: number[] }[];
}
const { problem, paths, schedules } = fixture("optim.json") as Fixtures;
const optimizers = { sgd: optim.sgd, adagrad: optim.adagrad, rmsprop: optim.rmsprop, adam: optim.adam, adamW: optim.adamW };
const makers = optim as unknown as Record<string, (options: object) => optim.Schedule>;

function withSchedule(options: Record<string, any>): any {
  if (typeof options.lr !== "object") return options;
  const { schedule, ...settings } = options.lr;
  return { ...options, lr: makers[schedule]!(settings) };
}

/** 20 steps of the fixture's problem: the parameters after each. */
async function run(make: (ps: Variable[]) => optim.Optimizer, dtype: "float32" | "float64"): Promise<number[][]> {
  const cast = (values: unknown): Tensor => tensor(values as number[][], { dtype });
  const [w, b] = [variable(cast(problem.w)), variable(cast(problem.b))];
  const [x, y] = [cast(problem.x), cast(problem.y)];
  const optimizer = make([w, b]);
  const path: number[][] = [];
  for (let i = 0; i < 20; i++) {
    optimizer.minimize(x.matmul(w).add(b).sub(y).square().mean());
    path.push([...(await w.data()), ...(await b.data())]);
  }
  expect(await optimizer.step.item()).toBe(20);
  return path;
}

describe("20 steps are PyTorch's", () => {
  for (const { optimizer, options, path } of paths) {
    const make = (ps: Variable[]): optim.Optimizer => optimizers[optimizer](ps, withSchedule(options));
    test(`${optimizer} ${JSON.stringify(options)} in float64`, async () => {
      const got = await run(make, "float64");
      for (const [i, row] of got.entries()) expectNumbers(row, path[i]!, 1e-10);
    });
  }
  test("in float32 they stay within rounding", async () => {
    const { options, path } = paths.find((p) => p.optimizer === "adam" && Object.keys(p.options).length === 1)!;
    const got = await run((ps) => optim.adam(ps, options as { lr: number }), "float32");
    for (const [i, row] of got.entries()) expectNumbers(row, path[i]!, 1e-5);
  });
});

describe("compiled, forward pass, gradients and update are one program, and its path is PyTorch's in float64", () => {
  for (const { optimizer, options, path } of paths)
    test(`${optimizer} ${JSON.stringify(options)}`, async () => {
      const cast = (values: unknown): Tensor => tensor(values as number[][], { dtype: "float64" });
      const [w, b] = [variable(cast(problem.w)), variable(cast(problem.b))];
      const o = optimizers[optimizer]([w, b], withSchedule(options));
      const step = compile((x: Tensor, y: Tensor) => {
        const loss = x.matmul(w).add(b).sub(y).square().mean() as Tensor<[]>;
        o.minimize(loss);
        return loss;
      });
      const [x, y] = [cast(problem.x), cast(problem.y)];
      for (const row of path) {
        step(x, y);
        expectNumbers([...(await w.data()), ...(await b.data())], row, 1e-10);
      }
      expect(step.programs).toBe(1);
    });
});

describe("schedules are PyTorch's, in float64", () => {
  for (const { schedule, options, rates } of schedules)
    test(`${schedule} ${JSON.stringify(options)}`, async () => {
      const rate = makers[schedule]!(options);
      const got = await Promise.all(rates.map((_, s) => rate(tensor(s, { dtype: "float64" })).item()));
      expectNumbers(got, rates, 1e-14);
    });
});
