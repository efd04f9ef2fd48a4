/** Tables: from the cells of a CSV file to examples, and back to the names of things. */
import { FormatError } from "../core/errors.ts";
import { checkOptions } from "../core/options.ts";
import { type CsvOptions, type CsvTable, csvNumber, decodeCsv, hasComma, isCsvNumber, isMissing } from "../io/index.ts";
import { ArrayDataset } from "./dataset.ts";
import { type InputColumn, inputNames, inputWidth, type TableSchema, writeInputs } from "./table-schema.ts";

export interface TableOptions extends CsvOptions {
  /** The column to predict, counted from 0 or from the end (-1, the default), or its name; several for a regression with several targets. */
  readonly target?: ColumnRef | readonly ColumnRef[];
  /**
   * Whether the target is a class or a number. Unless said: a class if it holds words or few whole numbers that repeat, a number if `target`
   * names several columns; where numbers could be either it is asked for.
   */
  readonly task?: "classification" | "regression";
  /** The classes in order; without it they are sorted, numbers by value, so that the order of the rows does not matter. */
  readonly classes?: readonly string[];
  /** Names of the columns, for a file whose first line does not hold them. */
  readonly names?: readonly string[];
  /** Columns that are no inputs, as row numbers and identities are. */
  readonly ignore?: readonly ColumnRef[];
  /** Columns of words that are inputs: each becomes one input per word (sorted), 1 for the word that stands there and 0 for the others. */
  readonly categorical?: readonly ColumnRef[];
  /** Reads the file as another one was read: the same inputs in the same order, the same classes and categories. */
  readonly like?: TableSchema;
}

/** A column by its place (from 0, or from the end: -1) or by its name; without a line of names they are called "column 1" and so on. */
export type ColumnRef = number | string;

export interface Table {
  readonly data: ArrayDataset;
  /** What the columns are: plain JSON, to keep with a model and to read other files `like` this one. */
  readonly schema: TableSchema;
  /** Name of each class number; none for a regression. */
  readonly classes: readonly string[];
  /** Name of each input, those of categories as `sex=F`. */
  readonly inputs: readonly string[];
  /** Names of the columns to predict. */
  readonly targets: readonly string[];
  /** What was guessed, in words. */
  readonly notes: readonly string[];
}

const OPTIONS = ["header", "delimiter", "target", "task", "classes", "names", "ignore", "categorical", "like"] as const;

/**
 * Examples from a CSV file. x: [n, inputs] float32. A class is y: [n] int32; numbers are y: [n, targets] float32.
 *
 * @throws FormatError that names the line and column of a cell that is no number (or beyond float32), of an empty or unknown class, and where a
 * guess would be in doubt: the header, the delimiter, whether a numeric target is a class
 * @example
 * const table = tableFrom(await readFile("houses.csv"), "houses.csv", { target: "price", task: "regression" });
 * const test = tableFrom(await readFile("test.csv"), "test.csv", { like: table.schema });
 */
export function tableFrom(file: Uint8Array | string, name = "csv", options: TableOptions = {}): Table {
  checkOptions("table", options, OPTIONS);
  const { header = options.names ? false : options.like?.header, delimiter = options.like?.delimiter } = options;
  const csv = decodeCsv(file, name, {
    ...(header === undefined ? {} : { header }),
    ...(delimiter === undefined ? {} : { delimiter }),
  });
  const sheet = sheetOf(csv, name, options);
  const plan = options.like ? planLike(sheet, options.like) : planOf(sheet, options, delimiter);
  return tableOf(sheet, plan);
}

/** The cells of a file, and what its columns are called. */
interface Sheet {
  readonly name: string;
  readonly names: readonly string[];
  /** Whether the names stand in the file or were given. */
  readonly named: boolean;
  readonly rows: CsvTable["rows"];
  readonly lines: readonly number[];
  readonly notes: readonly string[];
}

/** Which columns are what. */
interface Plan {
  readonly schema: TableSchema;
  /** Places of the inputs and targets in the file. */
  readonly inputs: readonly number[];
  readonly targets: readonly number[];
  readonly notes: readonly string[];
}

function sheetOf(csv: CsvTable, name: string, { names: given }: TableOptions): Sheet {
  const { rows, lines, notes } = csv;
  const width = rows[0]?.length ?? csv.names?.length ?? 0;
  if (rows.length === 0) throw new FormatError(`${name}: no rows`, { why: csv.names ? "there is only a line of names" : undefined });
  if (width < 2)
    throw new FormatError(`${name}: only one column`, {
      why: "a table needs inputs and a target",
      help: "say the delimiter, if it is no comma",
    });
  if (given && given.length !== width) throw new FormatError(`${name}: ${given.length} names for ${width} columns`);
  const names = (given ?? csv.names ?? rows[0]!.map(() => "")).map((text, i) => text.trim() || `column ${i + 1}`);
  const twice = names.find((text, i) => names.indexOf(text) !== i);
  if (twice !== undefined)
    throw new FormatError(`${name}: two columns are called ${JSON.stringify(twice)}`, {
      help: "rename one, or give all names (and header: true to leave the first line out)",
    });
  const sheet = { name, names, named: Boolean(given ?? csv.names), rows, lines, notes };
  return sheet;
}

const placeOf = ({ name, lines, names, named }: Sheet, row: number, column: number): string =>
  `${name}, line ${lines[row]}, column ${column + 1}${named ? ` (${names[column]})` : ""}`;

function columnAt({ name, names, named }: Sheet, ref: ColumnRef): number {
  const column = typeof ref === "string" ? names.indexOf(ref) : ref < 0 ? names.length + ref : ref;
  if (Number.isInteger(column) && column >= 0 && column < names.length) return column;
  throw new FormatError(`${name}: there is no column ${JSON.stringify(ref)}`, {
    why: named ? undefined : "the first line is read as data, so the columns have no names of their own",
    help: named ? `columns: ${names.join(", ")}` : `by number from 0 to ${names.length - 1}, or from "${names[0]}" to "${names.at(-1)}"`,
  });
}

// ---- a file that is read for the first time

function planOf(sheet: Sheet, options: TableOptions, delimiter: string | undefined): Plan {
  const refs = options.target ?? -1;
  const targets = (typeof refs === "object" ? refs : [refs]).map((ref) => columnAt(sheet, ref));
  const ignored = new Set((options.ignore ?? []).map((ref) => columnAt(sheet, ref)));
  const words = new Set((options.categorical ?? []).map((ref) => columnAt(sheet, ref)));
  const inputs = sheet.names.map((_, i) => i).filter((i) => !targets.includes(i) && !ignored.has(i));
  if (inputs.length === 0) throw new FormatError(`${sheet.name}: no column is left for inputs`);
  checkRowNumbers(sheet, inputs);
  checkWords(sheet, inputs, words);
  const { task, notes } = taskOf(sheet, targets, options);
  const schema: TableSchema = {
    task,
    header: sheet.named && !options.names,
    delimiter: delimiter ?? ",",
    columns: sheet.names,
    inputs: inputs.map((i): InputColumn => ({ name: sheet.names[i]!, ...(words.has(i) ? { categories: wordsIn(sheet, i) } : {}) })),
    targets: targets.map((i) => sheet.names[i]!),
    classes: task === "classification" ? (checkClasses(sheet, options.classes) ?? classesIn(sheet, targets[0]!)) : [],
  };
  return { schema, inputs, targets, notes };
}

/** Row numbers that pandas and R write beside the columns would be learnt from as if they meant something. */
function checkRowNumbers({ name, rows, names, named }: Sheet, inputs: readonly number[]): void {
  if (!named || inputs[0] !== 0 || names[0] !== "column 1") return;
  const start = Number(rows[0]![0]);
  if ((start === 0 || start === 1) && rows.every((row, i) => isCsvNumber(row[0]!) && Number(row[0]) === start + i))
    throw new FormatError(`${name}: the first column has no name and counts the rows`, {
      why: "row numbers are no input",
      help: "ignore: [0] leaves it out; a name in the first line keeps it",
    });
}

/** A column without a single number is one of words, which has to be said. */
function checkWords(sheet: Sheet, inputs: readonly number[], words: ReadonlySet<number>): void {
  const { name, rows, names } = sheet;
  const column = inputs.find((i) => !words.has(i) && !rows.some((row) => isCsvNumber(row[i]!) || isMissing(row[i]!)));
  if (column === undefined) return;
  const comma = rows.findIndex((row) => hasComma(row[column]!));
  if (comma >= 0) csvNumber(rows[comma]![column]!, placeOf(sheet, comma, column));
  const ref = JSON.stringify(names[column]);
  throw new FormatError(`${placeOf(sheet, 0, column)}: ${JSON.stringify(rows[0]![column]!.slice(0, 40))} is not a number`, {
    why: `no cell of the column is one${rows.length === 1 ? `; ${name} has one row` : ""}`,
    help: `categorical: [${ref}] makes an input of each word, ignore: [${ref}] leaves the column out`,
  });
}

/** What float32 loses of numbers more than their last digits is said: whole numbers may fall together, and tiny ones become 0. */
function roundedColumns({ name, rows, names }: Sheet, columns: readonly number[]): string[] {
  return columns.flatMap((i) => {
    const row = rows.find((cells) => losesMuch(cells[i]!));
    return row ? [`${name}: ${names[i]} is rounded to float32: ${row[i]!.trim()} becomes ${Math.fround(Number(row[i]))}`] : [];
  });
}

function losesMuch(cell: string): boolean {
  const value = Number(cell);
  const kept = Math.fround(value);
  // Identities of many digits are rounded before they are float32: their text is what they were.
  if (/^\s*[+-]?\d{16,}\s*$/.test(cell)) return BigInt(cell.trim().replace(/^\+/, "")) !== BigInt(kept);
  return kept !== value && (Number.isInteger(value) || (value !== 0 && kept === 0));
}

/** Most classes that whole numbers are taken for without being asked. */
const FEW = 20;

function taskOf(sheet: Sheet, targets: readonly number[], { task, classes }: TableOptions): { task: TableSchema["task"]; notes: string[] } {
  if (targets.length > 1 && (task === "classification" || classes))
    throw new FormatError(`${sheet.name}: ${targets.length} targets that are classes`, { help: "a classification has one target" });
  if (task !== undefined && task !== "classification" && task !== "regression")
    throw new FormatError(`${sheet.name}: the task is ${JSON.stringify(task)}`, { help: '"classification" or "regression"' });
  if (task === "regression" && classes) throw new FormatError(`${sheet.name}: classes for a regression`);
  if (task !== undefined || classes || targets.length > 1) return { task: task ?? (classes ? "classification" : "regression"), notes: [] };
  return guessedTask(sheet, targets[0]!);
}

/** Words are classes, and few whole numbers that repeat, which is said; other numbers, with or without a word among them, are asked for. */
function guessedTask(sheet: Sheet, target: number): { task: "classification"; notes: string[] } {
  const cells = sheet.rows.map((row) => row[target]!.trim());
  const comma = cells.findIndex(hasComma);
  if (comma >= 0 && cells.every((cell) => isCsvNumber(cell) || hasComma(cell))) csvNumber(cells[comma]!, placeOf(sheet, comma, target));
  const numbers = cells.filter(isCsvNumber);
  if (numbers.length === 0) return { task: "classification", notes: [] };
  const distinct = new Set(cells).size;
  const called = sheet.named ? sheet.names[target]! : `column ${target + 1}`;
  const what = numbers.length === cells.length ? "numbers" : "numbers and words";
  if (distinct <= FEW && 2 * distinct <= cells.length && numbers.every((cell) => Number.isInteger(Number(cell))))
    return {
      task: "classification",
      notes: [`${sheet.name}: the ${distinct} ${what} of ${called} are read as classes (task: "regression" reads them as numbers)`],
    };
  throw new FormatError(`${sheet.name}: is ${called} a number or a class?`, {
    why: `it holds ${distinct} different ${what} in ${cells.length} rows, and no task is said`,
    help: 'task: "regression" predicts it as a number, task: "classification" makes each a class',
  });
}

/** The different words of a column, sorted: numbers by value, others by their characters. */
function wordsIn(sheet: Sheet, column: number): string[] {
  const words = new Map<string, number>();
  sheet.rows.forEach((row, i) => {
    const word = row[column]!.trim();
    if (!words.has(word)) words.set(word, i);
  });
  const missing = [...words].find(([word]) => isMissing(word));
  if (missing)
    throw new FormatError(`${placeOf(sheet, missing[1], column)}: ${missing[0] === "" ? "an empty cell" : JSON.stringify(missing[0])}`, {
      why: "a value is missing, which is no class of its own",
      help: missing[0] === "" ? "fill it in, or remove the row" : "fill it in, remove the row, or name it among the classes if it is one",
    });
  const all = [...words.keys()];
  return all.every(isCsvNumber) ? all.sort((a, b) => Number(a) - Number(b)) : all.sort();
}

function classesIn(sheet: Sheet, target: number): string[] {
  const classes = wordsIn(sheet, target);
  const i = classes.every(isCsvNumber) ? classes.findIndex((label, k) => k > 0 && Number(label) === Number(classes[k - 1])) : -1;
  if (i < 0) return classes;
  throw new FormatError(`${sheet.name}: the classes ${classes[i - 1]} and ${classes[i]} are one number, written in two ways`, {
    help: "write them alike, or give the classes",
  });
}

function checkClasses({ name }: Sheet, classes: readonly string[] | undefined): readonly string[] | undefined {
  const twice = classes?.find((label, i) => classes.indexOf(label) !== i);
  if (twice !== undefined) throw new FormatError(`${name}: the class ${JSON.stringify(twice)} is given twice`);
  return classes;
}

// ---- a file that is read as another one was

function planLike(sheet: Sheet, schema: TableSchema): Plan {
  if (!sheet.named && sheet.names.length !== schema.columns.length)
    throw new FormatError(`${sheet.name}: ${sheet.names.length} columns`, {
      why: `the table it is read like has ${schema.columns.length}: ${schema.columns.join(", ")}`,
    });
  const names = sheet.named ? sheet.names : schema.columns;
  const at = (column: string): number => {
    const place = names.indexOf(column);
    if (place >= 0) return place;
    throw new FormatError(`${sheet.name}: there is no column ${JSON.stringify(column)}`, {
      why: "the table it is read like has it",
      help: `this one has ${names.join(", ")}`,
    });
  };
  return { schema, inputs: schema.inputs.map((input) => at(input.name)), targets: schema.targets.map(at), notes: [] };
}

// ---- numbers

function tableOf(sheet: Sheet, { schema, inputs, targets, notes }: Plan): Table {
  const { rows } = sheet;
  const width = inputWidth(schema);
  const x = new Float32Array(rows.length * width);
  rows.forEach((row, i) => {
    writeInputs(
      x.subarray(i * width, (i + 1) * width),
      schema,
      (k) => row[inputs[k]!]!,
      (k) => placeOf(sheet, i, inputs[k]!),
    );
  });
  const y = schema.task === "classification" ? classColumn(sheet, targets[0]!, schema.classes) : numberColumn(sheet, targets);
  const data = new ArrayDataset({ data: x, shape: [width] }, y);
  const { classes } = schema;
  const numbers = [...inputs.filter((_, k) => !schema.inputs[k]!.categories), ...(schema.task === "regression" ? targets : [])];
  const rounded = roundedColumns(sheet, numbers);
  return { data, schema, classes, inputs: inputNames(schema), targets: schema.targets, notes: [...sheet.notes, ...notes, ...rounded] };
}

function classColumn(sheet: Sheet, target: number, classes: readonly string[]): ArrayDataset["y"] | { data: Int32Array; shape: [] } {
  const numbers = new Map(classes.map((label, i) => [label, i]));
  const data = Int32Array.from(sheet.rows, (row, i) => {
    const label = row[target]!.trim();
    const number = numbers.get(label);
    if (number !== undefined) return number;
    throw new FormatError(`${placeOf(sheet, i, target)}: ${label === "" ? "an empty cell" : `class ${JSON.stringify(label)}`}`, {
      help: `one of ${classes.join(", ")}`,
    });
  });
  return { data, shape: [] };
}

function numberColumn(sheet: Sheet, targets: readonly number[]): { data: Float32Array; shape: [number] } {
  const data = new Float32Array(sheet.rows.length * targets.length);
  sheet.rows.forEach((row, i) => {
    for (const [k, target] of targets.entries())
      data[i * targets.length + k] = csvNumber(row[target]!, placeOf(sheet, i, target), "float32");
  });
  return { data, shape: [targets.length] };
}
