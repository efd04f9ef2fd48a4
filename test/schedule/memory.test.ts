import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Buffer } from "../../src/kernel/program.ts";
import { type Life, planMemory } from "../../src/lower/memory.ts";

const buffer = (id: number, bytes: number): Buffer => ({ id, dtype: "float32", bytes, place: "scratch" });
const lives = (least: number): fc.Arbitrary<Life[]> =>
  fc
    .array(fc.record({ bytes: fc.nat(5000), first: fc.nat(300), length: fc.nat(20) }), { minLength: least, maxLength: least + 60 })
    .map((list) => list.map(({ bytes, first, length }, id) => ({ buffer: buffer(id, bytes), first, last: first + length })));

function expectApart(plan: readonly Life[], total: number): void {
  for (const [i, a] of plan.entries()) {
    expect(a.buffer.offset! % 64).toBe(0);
    expect(a.buffer.offset! + a.buffer.bytes).toBeLessThanOrEqual(total);
    for (const b of plan.slice(i + 1)) {
      if (a.first > b.last || b.first > a.last) continue;
      const [low, high] = a.buffer.offset! < b.buffer.offset! ? [a.buffer, b.buffer] : [b.buffer, a.buffer];
      if (low.offset! + Math.max(1, low.bytes) > high.offset!)
        throw new Error(`buffers ${low.id} and ${high.id} overlap while both are used`);
    }
  }
}

describe("Scratch buffers", () => {
  test("that are used at one time never overlap, few or many.", () => {
    fc.assert(
      fc.property(lives(1), (plan) => expectApart(plan, planMemory(plan, true))),
      { numRuns: 60 },
    );
    fc.assert(
      fc.property(lives(2100), (plan) => expectApart(plan, planMemory(plan, true))),
      { numRuns: 3 },
    );
  }, 30_000);

  test("of one size that follow each other share memory, and do not without reuse.", () => {
    for (const n of [10, 3000]) {
      const plan = Array.from({ length: n }, (_, id): Life => ({ buffer: buffer(id, 256), first: 2 * id, last: 2 * id + 1 }));
      expect(planMemory(plan, true)).toBe(256);
      expect(planMemory(plan, false)).toBe(256 * n);
    }
  });

  test("beyond 4 GiB are refused, with the largest named.", () => {
    const plan = [3, 2].map((gib, id): Life => ({ buffer: buffer(id, gib * 2 ** 30), first: 0, last: 1 }));
    expect(() => planMemory(plan, true)).toThrow(/5\.0 GiB.*4 GiB[\s\S]*3072 MiB, 2048 MiB/);
  });
});
