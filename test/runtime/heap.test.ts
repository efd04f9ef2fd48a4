import fc from "fast-check";
import { expect, test } from "vitest";
import { MemoryError } from "../../src/core/errors.ts";
import { SLACK } from "../../src/kernel/loop.ts";
import { Heap } from "../../src/runtime/heap.ts";

const MEGABYTE = 2 ** 20;

test("addresses are multiples of 64 and never 0", () => {
  const heap = new Heap();
  for (const bytes of [0, 1, 63, 64, 65, 1000]) {
    const address = heap.allocate(bytes);
    expect(address % 64).toBe(0);
    expect(address).toBeGreaterThan(0);
  }
});

test("freed memory is used again, the tightest gap first", () => {
  const heap = new Heap();
  const [large, , small] = [heap.allocate(1024), heap.allocate(64), heap.allocate(128), heap.allocate(64)];
  heap.free(large!);
  heap.free(small!);
  expect(heap.allocate(100)).toBe(small);
  expect(heap.allocate(1000)).toBe(large);
});

test("neighbouring gaps become one", () => {
  const heap = new Heap();
  const parts = [1, 2, 3, 4].map(() => heap.allocate(256));
  heap.allocate(64);
  for (const i of [1, 3, 0, 2]) heap.free(parts[i]!);
  expect(heap.allocate(1024)).toBe(parts[0]);
});

test("the memory grows when needed and leaves slack behind its last byte", () => {
  const heap = new Heap();
  const address = heap.allocate(100 * MEGABYTE);
  heap.view("uint8", address, 100 * MEGABYTE)[100 * MEGABYTE - 1] = 7;
  expect(heap.size).toBeGreaterThanOrEqual(address + 100 * MEGABYTE + SLACK);
});

test("a full heap says what is in it", () => {
  const heap = new Heap({ maximumBytes: 8 * MEGABYTE });
  heap.allocate(5 * MEGABYTE);
  expect(() => heap.allocate(4 * MEGABYTE, "a batch")).toThrow(MemoryError);
  expect(() => heap.allocate(4 * MEGABYTE, "a batch")).toThrow(/a batch: 4 MiB do not fit[\s\S]*5 MiB of 8 MiB are in use/);
  expect(() => heap.allocate(2 * MEGABYTE)).not.toThrow();
});

test("clearing sets these bytes to 0, and no others", () => {
  const heap = new Heap();
  const address = heap.allocate(16);
  const view = heap.view("float32", address, 4);
  view.set([1, 2, 3, 4]);
  heap.clear(address + 4, 8);
  expect([...view]).toEqual([1, 0, 0, 4]);
});

test("allocations never overlap, and all memory comes back", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat(5000)), { maxLength: 200 }), (actions) => {
      const heap = new Heap({ maximumBytes: 4 * MEGABYTE, shared: false });
      const live: { address: number; bytes: number }[] = [];
      for (const [frees, amount] of actions) {
        if (frees && live.length) heap.free(live.splice(amount % live.length, 1)[0]!.address);
        else {
          const address = heap.allocate(amount);
          for (const other of live) expect(address + amount <= other.address || other.address + other.bytes <= address).toBe(true);
          live.push({ address, bytes: amount });
        }
      }
      for (const { address } of live) heap.free(address);
      expect(heap.used).toBe(0);
      expect(() => heap.allocate(4 * MEGABYTE - 65_536 - SLACK)).not.toThrow();
    }),
    { numRuns: 50 },
  );
});
