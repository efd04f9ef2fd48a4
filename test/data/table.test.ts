import { describe, expect, test } from "vitest";
import { FormatError } from "../../src/core/errors.ts";
import { type Table, type TableOptions, tableFrom, tableInputs, tableSchema } from "../../src/data/index.ts";

const x = ({ data }: Table): number[] => [...data.x.data];
const y = ({ data }: Table): number[] => [...data.y.data];
const refused = (text: string, options?: TableOptions): string => {
  try {
    tableFrom(text, "t.csv", options);
  } catch (error) {
    expect(error).toBeInstanceOf(FormatError);
    return (error as Error).message;
  }
  throw new Error("it was read");
};

describe("classes", () => {
  test("numbers and classes come apart, wherever the class stands", () => {
    const table = tableFrom("a,b,kind\n1,2,x\n3,4,y\n5,6,x\n");
    expect(table.classes).toEqual(["x", "y"]);
    expect(x(table)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(y(table)).toEqual([0, 1, 0]);
    expect(table.data.y.dtype).toBe("int32");
    expect(x(tableFrom("kind,a\nx,1\ny,2\n", "t", { target: "kind" }))).toEqual([1, 2]);
    expect(x(tableFrom("7,1.5\n8,2.5\n", "t", { target: 0, task: "classification" }))).toEqual([1.5, 2.5]);
  });

  test("their numbers do not depend on the order of the rows: sorted, numbers by value", () => {
    const [one, other] = [tableFrom("a,q\n1,cat\n2,dog\n"), tableFrom("a,q\n1,dog\n2,cat\n")];
    expect(one.classes).toEqual(["cat", "dog"]);
    expect(other.classes).toEqual(one.classes);
    expect(y(other)).toEqual([1, 0]);
    expect(tableFrom("a,q\n1,10\n2,9\n3,10\n4,9\n").classes).toEqual(["9", "10"]);
  });

  test("a file read like another has its classes, also where one does not occur, and refuses new ones", () => {
    const train = tableFrom("a,q\n1,cat\n2,dog\n3,owl\n");
    const test = tableFrom("a,q\n1,owl\n", "test.csv", { like: train.schema });
    expect(y(test)).toEqual([2]);
    expect(() => tableFrom("a,q\n1,cow\n", "test.csv", { like: train.schema })).toThrow(
      /test\.csv, line 2, column 2 \(q\): class "cow"[\s\S]*cat, dog, owl/,
    );
  });

  test("an unknown class and an unknown column are named", () => {
    expect(refused("1,z\n", { classes: ["x", "y"] })).toMatch(/"z"[\s\S]*x, y/);
    expect(refused("a,b\n1,2\n", { target: "c" })).toMatch(/"c"[\s\S]*a, b/);
    expect(refused("a,b\n1,x\n", { classes: ["x", "x"] })).toMatch(/"x" is given twice/);
  });

  test.each(["", "  ", "NA", "nan", "NaN", "null", "?"])("a missing class (%o) is refused with its line", (cell) => {
    expect(refused(`a,b,q\n1,2,cat\n2,3,${cell}\n4,5,cat\n`)).toMatch(/t\.csv, line 3, column 3 \(q\): /);
  });

  test("a word for missing can be a class if it is said", () => {
    expect(tableFrom("a,q\n1,NA\n2,DE\n", "t", { classes: ["DE", "NA"] }).classes).toEqual(["DE", "NA"]);
  });

  test("one number written in two ways is refused as two classes", () => {
    expect(refused("a,q\n1,1\n2,1.0\n3,1\n4,1.0\n")).toMatch(/1 and 1\.0 are one number|1\.0 and 1 are one number/);
  });
});

describe("numbers to predict", () => {
  const HOUSES = "sqm,rooms,price\n50,2,120000.5\n70,3,180000.25\n90,4,250000\n";

  test("a target where every value is another is asked for, and read as float32 where it is said", () => {
    expect(refused(HOUSES)).toMatch(/is price a number or a class[\s\S]*3 different numbers in 3 rows[\s\S]*task: "regression"/);
    const table = tableFrom(HOUSES, "t", { task: "regression" });
    expect(y(table)).toEqual([120000.5, 180000.25, 250000]);
    expect([table.data.y.dtype, table.data.y.shape]).toEqual(["float32", [1]]);
    expect([table.classes, table.inputs, table.targets]).toEqual([[], ["sqm", "rooms"], ["price"]]);
  });

  test("numbers with a word among them, or with commas, are no classes unless it is said", () => {
    expect(refused("a,price\n1,120000.5\n2,180000.25\n3,unknown\n")).toMatch(
      /is price a number or a class[\s\S]*3 different numbers and words in 3 rows/,
    );
    expect(tableFrom("a,q\n1,1\n2,2\n3,other\n4,1\n5,2\n6,other\n").classes).toEqual(["1", "2", "other"]);
    expect(refused("a;price\n1;2,5\n2;3,5\n", { delimiter: ";" })).toMatch(
      /line 2, column 2 \(price\): "2,5" is not a number[\s\S]*decimals with a point/,
    );
    expect(refused('a,price\n1,"1,000"\n2,500\n')).toMatch(/"1,000" is not a number[\s\S]*thousands without a comma/);
    for (const text of ["a;b;q\n1,5;2;x\n3,5;4;y\n", "a;b;q\n1.000,5;2;x\n3,5;4;y\n"])
      expect(refused(text, { delimiter: ";" })).toMatch(/column 1[^\n]*is not a number[\s\S]*decimals with a point/);
  });

  test("several targets are a regression, in the order they are named", async () => {
    const table = tableFrom("u,a,v\n1,2,3\n4,5,6\n", "t", { target: ["v", "u"] });
    expect([table.data.y.shape, y(table), x(table)]).toEqual([[2], [3, 1, 6, 4], [2, 5]]);
    expect(refused("u,a,v\n1,2,3\n", { target: ["v", "u"], task: "classification" })).toMatch(/2 targets that are classes/);
  });

  test("few whole numbers that repeat are classes, which is said, and numbers where that is said", () => {
    const text = "a,q\n1,5\n2,6\n3,5\n4,6\n";
    const table = tableFrom(text, "wine.csv");
    expect(table.classes).toEqual(["5", "6"]);
    expect(table.notes.join()).toMatch(/wine\.csv: the 2 numbers of q are read as classes \(task: "regression"/);
    expect(y(tableFrom(text, "t", { task: "regression" }))).toEqual([5, 6, 5, 6]);
  });

  test.each(["1e39", "abc", "", "NaN", "1,5"])("a target of %o is refused with its place", (cell) => {
    expect(refused(`a,p\n1,2.5\n3,"${cell}"\n`, { task: "regression" })).toMatch(/t\.csv, line 3, column 2 \(p\): /);
  });
});

describe("inputs", () => {
  test.each<[string, string, string]>([
    ["a cell that is no number", "1,2,x\n3,oops,y\n", "line 2, column 2"],
    ["an empty cell", "1,2,x\n3,,y\n", "line 2, column 2: an empty cell"],
    ["a number beyond every float", "1,1e400,x\n", "line 1, column 2"],
    ["a number beyond float32", "a,b,q\n3,4,y\n-1e39,2,x\n", "line 3, column 1 (a): -1e39 does not fit into float32"],
    ["a hexadecimal number", "1,0x10,x\n", "line 1, column 2"],
    ["Infinity", "1,Infinity,x\n", "line 1, column 2"],
    ["one column", "1\n2\n", "only one column"],
    ["nothing", "\n\n", "no rows"],
    ["a line of names alone", "a,b\n", "is not a number"],
  ])("%s is refused with its place", (_, text, message) => {
    expect(refused(text)).toContain(message);
  });

  test("words have to be said, and become an input each, sorted", () => {
    const text = "sex,size,q\nM,1,x\nF,2,y\nI,3,x\n";
    expect(refused(text)).toMatch(/column 1 \(sex\): "M" is not a number[\s\S]*categorical: \["sex"\][\s\S]*ignore: \["sex"\]/);
    const table = tableFrom(text, "t", { categorical: ["sex"] });
    expect(table.inputs).toEqual(["sex=F", "sex=I", "sex=M", "size"]);
    expect(x(table)).toEqual([0, 0, 1, 1, 1, 0, 0, 2, 0, 1, 0, 3]);
    expect(() => tableFrom("sex,size,q\nX,1,x\n", "t", { like: table.schema })).toThrow(/"X"[\s\S]*F, I, M/);
    expect(x(tableFrom(text, "t", { ignore: ["sex"] }))).toEqual([1, 2, 3]);
  });

  test("columns without names are called by their numbers, as errors call them", () => {
    const text = "M,1,7\nF,2,8\nM,2,8\n";
    expect(() => tableFrom(text, "t", { task: "regression" })).toThrow(/line 1, column 1: "M"[\s\S]*categorical: \["column 1"\]/);
    const table = tableFrom(text, "t", { task: "regression", categorical: ["column 1"], target: "column 2" });
    expect(table.inputs).toEqual(["column 1=F", "column 1=M", "column 3"]);
    expect(y(table)).toEqual([1, 2, 2]);
    expect(() => tableFrom(text, "t", { target: "size" })).toThrow(
      /no column "size"[\s\S]*first line is read as data[\s\S]*"column 1" to "column 3"/,
    );
  });

  test("a file read like another may have its columns in another order, and must have all of them", () => {
    const { schema } = tableFrom("a,b,q\n1,2,x\n3,4,y\n");
    expect(x(tableFrom("q,b,a\nx,2,1\n", "t", { like: schema }))).toEqual([1, 2]);
    expect(() => tableFrom("q,b\nx,2\n", "t", { like: schema })).toThrow(/no column "a"/);
  });

  test("the row numbers that pandas writes are asked for", () => {
    expect(refused(",a,q\n0,5,x\n1,6,y\n")).toMatch(/first column has no name and counts the rows[\s\S]*ignore: \[0\]/);
    expect(x(tableFrom(",a,q\n0,5,x\n1,6,y\n", "t", { ignore: [0] }))).toEqual([5, 6]);
  });

  test("whole numbers that float32 rounds are said, and numbers that become 0", () => {
    expect(tableFrom("p,q\n1e-50,x\n3,y\n").notes.join("\n")).toContain("p is rounded to float32: 1e-50 becomes 0");
    expect(tableFrom("id,q\n16777217,x\n3,y\n").notes.join("\n")).toContain("id is rounded to float32: 16777217 becomes 16777216");
    expect(tableFrom("id,q\n9007199254740993,x\n3,y\n").notes.join("\n")).toContain("9007199254740993 becomes 9007199254740992");
    expect(tableFrom("id,q\n+9007199254740992,x\n3,y\n").notes.join("\n")).not.toContain("rounded");
    expect(tableFrom("a,q\n16777216,x\n0.1,y\n").notes.join("\n")).not.toContain("rounded");
  });

  test("names are given where the file has none, and stand once", () => {
    expect(tableFrom("1,x\n2,y\n", "t", { names: ["size", "kind"] }).inputs).toEqual(["size"]);
    expect(refused("1,x\n2,y\n", { names: ["size"] })).toMatch(/1 names for 2 columns/);
    expect(refused("a,a,q\n1,2,x\n")).toMatch(/two columns are called "a"/);
  });

  test("misspelt options are refused", () => {
    expect(() => tableFrom("1,x\n", "t", { targets: 0 } as never)).toThrow(/did you mean target\?/);
  });
});

describe("rows for a service", () => {
  const { schema } = tableFrom("sex,size,price\nM,1,10\nF,2,20.5\n", "t", { task: "regression", categorical: ["sex"] });

  test("are read by name or in order, as the training data were, after a way through JSON", async () => {
    const kept = tableSchema(JSON.stringify(schema));
    expect(kept).toEqual(schema);
    expect(await tableInputs(kept, [{ size: 3, sex: "M" }, ["F", 4], { sex: "F", size: "5", price: 1 }]).array()).toEqual([
      [0, 1, 3],
      [1, 0, 4],
      [1, 0, 5],
    ]);
  });

  test.each<[string, unknown, RegExp]>([
    ["a name that is missing", { size: 3 }, /row 0: sex is missing/],
    ["a name too many", { size: 3, sex: "M", sise: 1 }, /no input "sise"[\s\S]*did you mean size/],
    ["an unknown word", { size: 3, sex: "X" }, /row 0, sex: "X"[\s\S]*F, M/],
    ["NaN", { size: Number.NaN, sex: "M" }, /row 0, size: NaN is not a number/],
    ["a number beyond float32", { size: 1e39, sex: "M" }, /row 0, size: 1e\+39 is not a number of float32/],
    ["text beyond float32", { size: "1e39", sex: "M" }, /row 0, size: 1e39 does not fit into float32/],
    ["null", { size: null, sex: "M" }, /row 0, size: null is not a number/],
    ["true", { size: true, sex: "M" }, /row 0, size: true is not a number/],
    ["a list too short", ["M"], /row 0: 1 values[\s\S]*sex, size/],
    ["no row", 7, /row 0: 7 is no row/],
  ])("%s is refused", (_, row, message) => {
    expect(() => tableInputs(schema, [row as never])).toThrow(FormatError);
    expect(() => tableInputs(schema, [row as never])).toThrow(message);
  });

  test.each(["", "nul", "{}", '{"task":"regression"}', "[]"])("%o is no schema", (text) => {
    expect(() => tableSchema(text)).toThrow(FormatError);
  });
});
