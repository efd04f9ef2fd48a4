import fc from "fast-check";
import Papa from "papaparse";
import { describe, expect, test } from "vitest";
import { FormatError } from "../../src/core/errors.ts";
import { csvNumber, decodeCsv } from "../../src/io/index.ts";

describe("CSV files", () => {
  test("rows are cells, with the line each begins at", () => {
    const { rows, lines, names } = decodeCsv("1,2\n\n3,4\r\n");
    expect(rows).toEqual([
      ["1", "2"],
      ["3", "4"],
    ]);
    expect(lines).toEqual([1, 3]);
    expect(names).toBeUndefined();
  });

  test("a first line of words above numbers is the header, unless said otherwise", () => {
    expect(decodeCsv("a,b\n1,2\n").names).toEqual(["a", "b"]);
    expect(decodeCsv("a,b\n1,2\n", "x", { header: false }).rows).toHaveLength(2);
    expect(decodeCsv("5.1,Iris-setosa\n4.9,Iris-setosa\n").names).toBeUndefined();
  });

  test("a byte order mark is no part of the first cell, and quotes hold commas, quotes and lines", () => {
    const text = '\uFEFF1,"a,b"\n2,"say ""hi"""\n3,"two\nlines"\n4,x\n';
    const { rows, lines } = decodeCsv(new TextEncoder().encode(text));
    expect(rows).toEqual([
      ["1", "a,b"],
      ["2", 'say "hi"'],
      ["3", "two\nlines"],
      ["4", "x"],
    ]);
    expect(lines).toEqual([1, 2, 3, 5]);
  });

  test("a ragged row is named by its line", () => {
    expect(() => decodeCsv("1,2\n3,4\n5\n", "data.csv")).toThrow(/data\.csv, line 3: 1 cells[\s\S]*first row has 2/);
  });

  test.each<[string, Uint8Array | string, string]>([
    ["a NUL", "1,2\n3,\u00004\n", "line 2: a NUL"],
    ["bytes that are not UTF-8", Uint8Array.of(49, 44, 0xff, 0xfe), "UTF-8"],
    ["a quote that never closes", '1,2\n3,"4\n', "line 2"],
  ])("%s is an error", (_, text, message) => {
    expect(() => decodeCsv(text, "data.csv")).toThrow(FormatError);
    expect(() => decodeCsv(text, "data.csv")).toThrow(message);
  });

  test("a cell of 5 MB is read in linear time, quoted or not", () => {
    const time = (length: number, quote: string): number => {
      const text = `1,${quote}${"x".repeat(length)}${quote}\n`;
      const start = performance.now();
      expect(decodeCsv(text).rows[0]![1]).toHaveLength(length);
      return performance.now() - start;
    };
    for (const quote of ["", '"']) expect(time(5_000_000, quote)).toBeLessThan(2000);
    expect(() => decodeCsv(`1,${"x".repeat(10_000_001)}`)).toThrow(FormatError);
  });

  test("numbers are decimal: 0x10, empty cells and 1e400 are errors with their place", () => {
    expect(csvNumber(" -1.5e3 ", "x")).toBe(-1500);
    expect(csvNumber(".5", "x")).toBe(0.5);
    for (const bad of ["0x10", "", "  ", "1e400", "abc", "1,5", "Infinity", "NaN", "1_000"])
      expect(() => csvNumber(bad, "data.csv, line 3, column 2")).toThrow(/data\.csv, line 3, column 2/);
  });

  test("what another writer quotes comes back", () => {
    const cell = fc
      .string({ unit: fc.constantFrom("a", "1", ",", '"', "\n", " ", "é"), minLength: 1, maxLength: 6 })
      .filter((c) => c.trim() !== "");
    fc.assert(
      fc.property(fc.array(fc.tuple(cell, cell), { minLength: 1, maxLength: 5 }), (rows) => {
        expect(decodeCsv(Papa.unparse(rows, { newline: "\n" }), "x", { header: false }).rows).toEqual(rows);
      }),
    );
  });
});
