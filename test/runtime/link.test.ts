import { expect, test } from "vitest";
import type { Step } from "../../src/kernel/program.ts";
import { Heap } from "../../src/runtime/heap.ts";
import { HEADER_WORDS, LinkedProgram, RECORD, RECORD_WORDS, ScratchArena } from "../../src/runtime/link.ts";
import { addWord, buffer, callStep, check, of, program } from "./programs.ts";

const linked = (steps: readonly Step[]): { words: Int32Array; table: number } => {
  const heap = new Heap();
  const p = program({
    codes: [addWord],
    buffers: [buffer(0, 4), buffer(1, 4, "scratch", 64)],
    checks: [check("a"), check("b")],
    scratchBytes: 128,
    steps,
  });
  const arena = new ScratchArena(heap, 2);
  arena.reserve(p);
  const result = new LinkedProgram(p, heap, 2);
  result.link({ addresses: () => 4096, arena, kernels: [7] });
  expect(result.stale(arena)).toBe(false);
  return { words: new Int32Array(heap.memory.buffer), table: result.table };
};

test("arguments become numbers and addresses", () => {
  const { words, table } = linked([callStep(0, [5, -6, of(0, 12), { check: 1 }, of(1)], 9)]);
  const header = table >> 2;
  const record = words.subarray(words[header]! >> 2);
  expect([...record.subarray(0, RECORD_WORDS)]).toEqual([RECORD.call, 7, record[2], 5, 9, 0, 0, -1]);
  const block = words.subarray(record[2]! >> 2);
  expect([...block.subarray(0, 4)]).toEqual([5, -6, 4108, words[header + 1]! + 8]);
  expect(block[4]! % 64).toBe(0);
  expect([words[header], words[header + 2]]).toEqual([table + 4 * HEADER_WORDS, 2]);
});

test("sections and loops know where they end", () => {
  const inner = callStep(0, [of(0), 1], 1, { perTurn: [4, 0] });
  const nested: Step = { do: "section", steps: [callStep(0, [1]), { do: "section", steps: [callStep(0, [1])] }] };
  const { words, table } = linked([nested, { do: "loop", times: 3, reverse: true, steps: [inner] }]);
  const records = words.subarray(words[table >> 2]! >> 2);
  const record = (n: number): number[] => [...records.subarray(n * RECORD_WORDS, n * RECORD_WORDS + 5)];
  const kinds = Array.from({ length: 8 }, (_, n) => record(n)[0]);
  expect(kinds).toEqual([
    RECORD.section,
    RECORD.call,
    RECORD.call,
    RECORD.sectionEnd,
    RECORD.loop,
    RECORD.call,
    RECORD.loopEnd,
    RECORD.end,
  ]);
  expect(record(0)[1]).toBe(4);
  expect(record(4)).toEqual([RECORD.loop, 3, 1, 7, 0]);
  expect(record(6)).toEqual([RECORD.loopEnd, 3, 1, 5, 0]);
});

test("a program that would not run as meant is refused", () => {
  expect(() => linked([{ do: "section", steps: [{ do: "commit" }] }])).toThrow(/commit stands inside a section/);
  expect(() => linked([callStep(0, [1], 1, { perTurn: [4] })])).toThrow(/moves with 1 loops but stands in 0/);
  expect(() => linked([{ do: "loop", times: 2, reverse: false, steps: [callStep(0, [1, 2], 1, { perTurn: [4] })] }])).toThrow(
    /another number/,
  );
  expect(() => linked([callStep(0, [of(9)])])).toThrow(/buffer 9 is not in the program/);
});
