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

  test("a guessed header is said, one that was asked for is not", () => {
    expect(decodeCsv("a,b\n1,2\n", "t.csv").notes).toEqual(["t.csv: the first line is read as names (header: false reads it as data)"]);
    expect(decodeCsv("a,b\n1,2\n", "t.csv", { header: true }).notes).toEqual([]);
    expect(decodeCsv("a,b\n1,NA\n2,3\n").names).toEqual(["a", "b"]);
  });

  test.each<[string, string]>([
    ["names that pandas makes up", "0,1,2,label\n5.1,3.5,1.4,cat\n4.9,3.0,1.4,dog\n"],
    ["one such name", "0,kind_of\n5.1,cat\n4.9,dog\n"],
    ["such names above numbers", "0,1,2\n5.1,3.5,1\n4.9,3,0\n"],
    ["such names with the target first", "sort,0,1\n a,5.1,3.5\nb,4.9,3.0\n"],
    ["such names of which some were dropped", "0,2,5,sort\n5.1,3.5,1,a\n4.9,3.0,1,b\n"],
    ["years and a word for classes", "2018,2019,label\n5,3,cat\n4,3,dog\n"],
    ["years above measurements alone", "2018,2019,2020\n1.5,2.5,3.5\n3,4,5.5\n6,7,8\n"],
    ["a class that occurs once, in the first line", "5,3,sort\n4,3,a\n4,3,b\n1,3,a\n2,3,b\n"],
    ["a word and a number above numbers", "sqm,2019\n50,1\n"],
    ["a missing value above numbers", "?\n1\n2\n"],
  ])("%s: the first line is asked for, and read as it is said", (_, text) => {
    expect(() => decodeCsv(text, "t.csv")).toThrow(/t\.csv: is the first line a header or data\?[\s\S]*header: true/);
    const lines = text.trim().split("\n").length;
    expect(decodeCsv(text, "t.csv", { header: true }).rows).toHaveLength(lines - 1);
    expect(decodeCsv(text, "t.csv", { header: false }).rows).toHaveLength(lines);
  });

  test.each([";", "\t", "|"])("cells between %o are asked for, and read where it is said", (delimiter) => {
    for (const lines of ["a;b;c\n1;2;3\n", '"x,y";2;3\nz;4;5\n', "1,5;2;3\n4;5;6\n"]) {
      const text = lines.replaceAll(";", delimiter);
      expect(() => decodeCsv(text, "t.csv")).toThrow(`delimiter: ${JSON.stringify(delimiter)} reads it so`);
      expect(decodeCsv(text, "t.csv", { delimiter, header: false }).rows[1]).toHaveLength(3);
    }
    expect(decodeCsv(`a${delimiter}b\n`, "t.csv", { delimiter: "," }).rows).toEqual([[`a${delimiter}b`]]);
  });

  test("options that mean nothing, and misspelt ones, are refused", () => {
    for (const delimiter of ["", '"', "\n", 3]) expect(() => decodeCsv("a", "t", { delimiter } as never)).toThrow(/the delimiter is/);
    expect(() => decodeCsv("a", "t", { header: "yes" } as never)).toThrow(/header is "yes"/);
    expect(() => decodeCsv("a", "t", { headers: true } as never)).toThrow(/did you mean header/);
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

  test("a line of more cells than any table has is refused before columns are made of it", () => {
    expect(() => decodeCsv(`1,2\n${",".repeat(1_000_000)}\n`)).toThrow(/line 2: 1000001 cells, more than the 1000000 that are read/);
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

  test("a cell of 5 MB is read, quoted or not, which quadratic time would not come to the end of", () => {
    const length = 5_000_000;
    for (const quote of ["", '"']) expect(decodeCsv(`1,${quote}${"x".repeat(length)}${quote}\n`).rows[0]![1]).toHaveLength(length);
    expect(() => decodeCsv(`1,${"x".repeat(10_000_001)}`)).toThrow(FormatError);
  });

  test("numbers are decimal: 0x10, empty cells and 1e400 are errors with their place", () => {
    expect(csvNumber(" -1.5e3 ", "x")).toBe(-1500);
    expect(csvNumber(".5", "x")).toBe(0.5);
    for (const bad of ["0x10", "", "  ", "1e400", "abc", "1,5", "Infinity", "NaN", "1_000"])
      expect(() => csvNumber(bad, "data.csv, line 3, column 2")).toThrow(/data\.csv, line 3, column 2/);
  });

  test("numbers beyond float32 are refused where float32 is wanted, with a help that fits the cell", () => {
    expect(csvNumber("1e39", "x")).toBe(1e39);
    expect(() => csvNumber("1e39", "t.csv, line 2", "float32")).toThrow(/t\.csv, line 2: 1e39 does not fit into float32[\s\S]*Infinity/);
    expect(() => csvNumber("1,5", "x")).toThrow(/decimals with a point/);
    expect(() => csvNumber("1;5", "x")).toThrow(/say the delimiter/);
    expect(() => csvNumber("NA", "x")).toThrow(/a value is missing/);
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
