/** Graphs outside `compile` that are too long for one program. */
import { evaluate, gradients, ones, type Tensor, tensor, type Variable, variable } from "gradus";
import { describe, expect, test } from "vitest";
import { eagerPrograms } from "../../src/run/eager.ts";

/** More operations than one program takes. */
const LONG = 20_000;

/** What `f` answers, and how many programs that took. */
async function programs<T>(f: () => Promise<T>): Promise<{ value: T; made: number }> {
  const before = eagerPrograms().made;
  const value = await f();
  return { value, made: eagerPrograms().made - before };
}

/** h ← tanh(h · w + i): numbers that change from turn to turn, and one that all turns read. */
function recurrence(h: Tensor, w: Tensor, turns: number): Tensor {
  for (let i = 0; i < turns; i++)
    h = h
      .mul(w)
      .add(i % 3)
      .tanh();
  return h;
}

function recurrenceOf(h: number, w: number, turns: number): number {
  for (let i = 0; i < turns; i++) h = Math.tanh(h * w + (i % 3));
  return h;
}

describe("a graph too long for one program", () => {
  test("a chain is cut into parts of one structure, which are compiled once", async () => {
    const h = tensor([0.1, -0.2, 0.3], { dtype: "float64" });
    const { value, made } = await programs(() => recurrence(h, ones([3], { dtype: "float64" }).mul(0.5), LONG).array());
    (value as number[]).forEach((y, i) => {
      expect(y).toBeCloseTo(recurrenceOf([0.1, -0.2, 0.3][i]!, 0.5, LONG), 12);
    });
    expect(made).toBeLessThanOrEqual(4);
  });

  test("what every turn left is there for the gradient, which is cut as well", async () => {
    const turns = 3000;
    const h = tensor([0.1, -0.2], { dtype: "float64" });
    const w = tensor([0.9, 0.8], { dtype: "float64" }).tracked();
    const loss = recurrence(h, w, turns).sum();
    const { value, made } = await programs(() => evaluate({ loss, slope: gradients(loss, w) }));
    const slopes = [0, 1].map((k) => {
      let [y, d] = [[0.1, -0.2][k]!, 0];
      const factor = [0.9, 0.8][k]!;
      for (let i = 0; i < turns; i++) {
        const next = Math.tanh(y * factor + (i % 3));
        d = (1 - next * next) * (y + d * factor);
        y = next;
      }
      return d;
    });
    expect(await value.slope.array()).toEqual(slopes.map((s) => expect.closeTo(s, 12)));
    expect(made).toBeLessThanOrEqual(40);
  });

  test("values by the thousand cross the cuts", async () => {
    const x = tensor([1, 2], { dtype: "float64" });
    const many = Array.from({ length: 10_000 }, (_, i) => x.mul(i).add(1));
    // The first made is used last: all of them cross the cut in the middle.
    const sum = many.reduceRight((s, y) => s.add(y));
    const total = (10_000 * 9999) / 2;
    expect(await sum.array()).toEqual([total + 10_000, 2 * total + 10_000]);
  });

  test("several results, inputs among them and values on the way, are told apart", async () => {
    const x = tensor([3, 4]);
    let y: Tensor = x;
    const seen: Tensor[] = [];
    for (let i = 0; i < LONG; i++) {
      y = y.add(1);
      if (i % 5000 === 7) seen.push(y);
    }
    const all = await evaluate([x, ...seen, y, x.add(0)]);
    expect(await Promise.all(all.map((t) => t.array()))).toEqual([
      [3, 4],
      ...[8, 5008, 10_008, 15_008].map((n) => [3 + n, 4 + n]),
      [3 + LONG, 4 + LONG],
      [3, 4],
    ]);
  });

  test("large tensors keep their numbers in the heap until the next part, whose program may be the same, has read them", async () => {
    const x = tensor(Array.from({ length: 1000 }, (_, i) => i / 1000)) as Tensor;
    const y = await recurrence(x, x, 6000).data();
    expect(y.length).toBe(1000);
    y.forEach((v, i) => {
      expect(v).toBeCloseTo(recurrenceOf(i / 1000, i / 1000, 6000), 4);
    });
  });

  test("an index outside its axis names its own line, not that of the graph which was compiled first", async () => {
    const table = tensor([10, 20, 30]);
    const look = (index: number): Tensor => {
      let y: Tensor = tensor([0]);
      for (let i = 0; i < 9000; i++) y = y.add(table.gather(tensor([index], { dtype: "int32" }))).mul(0.5);
      return y;
    };
    expect(await look(1).item()).toBeCloseTo(20, 5);
    const error = await look(3)
      .item()
      .catch((e: Error) => e);
    expect(String(error)).toMatch(/gather: index 3 is outside an axis of size 3/);
    expect(String(error)).toMatch(/parts\.test\.ts:\d+/);
  });

  test("cells assigned along the way hold what they were given", async () => {
    const counter: Variable = variable(tensor([0]));
    let y: Tensor = tensor([1]);
    for (let i = 0; i < 3; i++) {
      for (let k = 0; k < 3000; k++) y = y.add(1).mul(1);
      counter.assign(y);
    }
    expect(await y.item()).toBe(9001);
    expect(await counter.item()).toBe(9001);
  });
});
