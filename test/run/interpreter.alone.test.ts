/** The interpreter takes what devices take: graphs outside `compile`, cells, taps, and compiled functions. */
import { describe, expect, test } from "vitest";
import { compile, configure, describe as host, type Tensor, tensor, variable } from "../../src/index.ts";

configure({ device: "interpreter" });

describe("a process on the interpreter", () => {
  test("computes graphs, cells that wait on each other and taps, and no device starts", async () => {
    const told: unknown[] = [];
    const x = tensor([1, 2, 3]);
    const w = variable([1, 1, 1]);
    for (let i = 0; i < 20; i++) w.assign(w.mul(2));
    const y = x.mul(3).tap((numbers) => told.push(numbers));
    expect(await y.add(w).array()).toEqual([1048579, 1048582, 1048585]);
    expect(told).toEqual([[3, 6, 9]]);
    expect(host().running).toEqual([]);
  });

  test("compiled functions take tensors that nobody has computed, and no device starts", async () => {
    const w = variable([1, 2]);
    const step = compile((x: Tensor) => {
      w.assign(w.add(x));
      return x.sum();
    });
    expect(await step(tensor([1, 2]).mul(10)).item()).toBe(30);
    expect(await w.array()).toEqual([11, 22]);
    expect(host().running).toEqual([]);
  });

  test("an index outside its axis names the line that asked, and an operation of the same structure its own", async () => {
    const rows = tensor([5], { dtype: "int32" });
    const first = tensor([1, 2, 3]).gather(rows);
    const second = tensor([4, 5, 6]).gather(rows);
    const messages = [first, second].map((x) => x.array().catch((error: Error) => error.message));
    const lines = (await Promise.all(messages)).map((message) => /interpreter\.alone\.test\.ts:(\d+)/.exec(message)?.[1]);
    expect(Number(lines[1]) - Number(lines[0])).toBe(1);
  });
});
