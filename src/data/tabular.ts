import { FormatError } from "../core/errors.ts";
import { type CsvOptions, csvNumber, decodeCsv } from "../io/index.ts";
import { ArrayDataset } from "./dataset.ts";
import { dataFile, type RemoteFile, type SourceOptions } from "./download.ts";
import { HostRandom } from "./random.ts";

export interface TableOptions extends CsvOptions {
  /** The column of the class, counted from 0 or from the end (-1, the default), or its name. */
  readonly target?: number | string;
  /** The classes in order; without it they are numbered as they first appear. */
  readonly classes?: readonly string[];
}

export interface Table {
  readonly data: ArrayDataset;
  /** Name of each class number. */
  readonly classes: readonly string[];
}

/**
 * A classification table from CSV: every column but one is a number, that one is the class. x: [n, columns − 1] float32, y: [n] int32.
 *
 * @throws FormatError that names the line and column of a cell that is no number, or of an unknown class.
 */
export function tableFrom(file: Uint8Array | string, name = "csv", options: TableOptions = {}): Table {
  const { rows, lines, names } = decodeCsv(file, name, options);
  const width = rows[0]?.length ?? 0;
  if (width < 2)
    throw new FormatError(`${name}: ${rows.length === 0 ? "no rows" : "only one column"}`, { why: "a table needs inputs and a class" });
  const target = targetColumn(options.target ?? -1, names, width, name);
  const classes = [...(options.classes ?? new Set(rows.map((row) => row[target]!.trim())))];
  const numbers = new Map(classes.map((label, i) => [label, i]));
  const x = new Float32Array(rows.length * (width - 1));
  const y = new Int32Array(rows.length);
  rows.forEach((row, i) => {
    const label = numbers.get(row[target]!.trim());
    if (label === undefined)
      throw new FormatError(`${name}, line ${lines[i]}: class ${JSON.stringify(row[target])}`, { help: `one of ${classes.join(", ")}` });
    y[i] = label;
    const inputs = row.filter((_, column) => column !== target);
    inputs.forEach((cell, j) => {
      x[i * (width - 1) + j] = csvNumber(cell, `${name}, line ${lines[i]}, column ${(j < target ? j : j + 1) + 1}`);
    });
  });
  return { data: new ArrayDataset({ data: x, shape: [width - 1] }, { data: y, shape: [], dtype: "int32" }), classes };
}

function targetColumn(target: number | string, names: readonly string[] | undefined, width: number, name: string): number {
  const column = typeof target === "string" ? (names ?? []).indexOf(target) : target < 0 ? width + target : target;
  if (Number.isInteger(column) && column >= 0 && column < width) return column;
  throw new FormatError(`${name}: there is no column ${JSON.stringify(target)}`, {
    help: names ? `columns: ${names.join(", ")}` : `columns 0 to ${width - 1}`,
  });
}

/** Fisher 1936, the version of the UCI repository: 150 flowers, 4 lengths in centimetres, 3 species. */
const IRIS: RemoteFile = {
  name: "iris.csv",
  url: "https://raw.githubusercontent.com/jbrownlee/Datasets/d20fcb6402ae34e653d4513b00f39257bb37ed7f/iris.csv",
  sha256: "f5d0c11e5c78a69a20dbb80baf2b24703f59a6687595752abb397d23732647c5",
};

export const IRIS_CLASSES = ["Iris-setosa", "Iris-versicolor", "Iris-virginica"] as const;

export interface IrisOptions extends SourceOptions {
  /** The training part (default, 70 %: 105 flowers) or the test part (45); each species equally often in both. */
  readonly train?: boolean;
  /** Decides which flowers are for testing. */
  readonly seed?: number;
}

/** The iris flowers, x: [n, 4] in centimetres, y: [n] as in `IRIS_CLASSES`. Read from `dir` or GRADUS_DATA, else downloaded. */
export async function iris(options: IrisOptions = {}): Promise<ArrayDataset> {
  const { data } = tableFrom(await dataFile("iris", IRIS, options), "iris.csv", { header: false, classes: IRIS_CLASSES });
  const random = new HostRandom(options.seed ?? 0, 3);
  const chosen: number[] = [];
  for (const label of IRIS_CLASSES.keys()) {
    const rows = random.shuffle(data.rows.filter((row) => data.y.data[row] === label));
    const cut = Math.round(rows.length * 0.7);
    chosen.push(...((options.train ?? true) ? rows.subarray(0, cut) : rows.subarray(cut)));
  }
  return data.select(Uint32Array.from(chosen).sort());
}
