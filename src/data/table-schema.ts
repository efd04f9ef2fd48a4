/** What the columns of a table are, apart from its rows: kept with a model, so that later inputs are read as the training data were. */

import { isElement } from "../core/elements.ts";
import { FormatError, show } from "../core/errors.ts";
import { suggestion } from "../core/options.ts";
import { type Tensor, tensor } from "../index.ts";
import { csvNumber } from "../io/index.ts";

/** A column that is an input: a number, or a word that becomes one input for each of its categories. */
export interface InputColumn {
  readonly name: string;
  readonly categories?: readonly string[];
}

/** Plain JSON. */
export interface TableSchema {
  readonly task: "classification" | "regression";
  /** Whether the file's first line held the names. */
  readonly header: boolean;
  readonly delimiter: string;
  /** All columns of the file, in order. */
  readonly columns: readonly string[];
  readonly inputs: readonly InputColumn[];
  readonly targets: readonly string[];
  /** In order; empty for a regression. */
  readonly classes: readonly string[];
}

/** How many inputs a model gets. */
export const inputWidth = ({ inputs }: Pick<TableSchema, "inputs">): number =>
  inputs.reduce((n, { categories }) => n + (categories?.length ?? 1), 0);

/** The name of each input, those of categories as `sex=F`. */
export const inputNames = ({ inputs }: Pick<TableSchema, "inputs">): string[] =>
  inputs.flatMap(({ name, categories }) => categories?.map((word) => `${name}=${word}`) ?? [name]);

/** One example's inputs, from the cell of each column. @throws FormatError that begins with the cell's place */
export function writeInputs(
  out: Float32Array,
  { inputs }: Pick<TableSchema, "inputs">,
  cell: (column: number) => string,
  place: (column: number) => string,
): void {
  let at = 0;
  inputs.forEach(({ categories }, k) => {
    if (!categories) {
      out[at++] = numberIn(cell(k), place, k);
      return;
    }
    const word = cell(k).trim();
    const known = categories.indexOf(word);
    if (known < 0)
      throw new FormatError(`${place(k)}: ${word === "" ? "an empty cell" : JSON.stringify(word)}`, {
        help: `one of ${categories.join(", ")}`,
      });
    out[at + known] = 1;
    at += categories.length;
  });
}

function numberIn(cell: string, place: (column: number) => string, k: number): number {
  const value = Number(cell);
  // The place is put into words only where it is needed.
  return cell.trim() !== "" && Number.isFinite(value) && Number.isFinite(Math.fround(value)) && /^[-+\d.eE\s]+$/.test(cell)
    ? value
    : csvNumber(cell, place(k), "float32");
}

/** A row to predict: by names, or in the order of the input columns. */
export type InputRow = Readonly<Record<string, number | string>> | readonly (number | string)[];

/**
 * Rows as a model's inputs, [n, inputs] float32: what a service does with what it is asked. `nameOf` is what errors call a row.
 *
 * @throws FormatError that names the row and column: one that is missing or unknown, no number, NaN or beyond float32, an unknown category
 * @example model.forward(tableInputs(schema, [{ rooms: 3, area: 72 }]), inference)
 */
export function tableInputs(
  schema: Pick<TableSchema, "inputs" | "columns">,
  rows: readonly InputRow[],
  nameOf: (row: number) => string = (row) => `row ${row}`,
): Tensor {
  if (!Array.isArray(rows)) throw new FormatError(`rows: ${show(rows)} is no list of rows`, { help: "give [row], also for one" });
  const width = inputWidth(schema);
  const x = new Float32Array(rows.length * width);
  rows.forEach((row: InputRow, i) => {
    const cells = cellsOf(schema, row, nameOf(i));
    writeInputs(
      x.subarray(i * width, (i + 1) * width),
      schema,
      (k) => cells[k]!,
      (k) => `${nameOf(i)}, ${schema.inputs[k]!.name}`,
    );
  });
  return tensor(x, [rows.length, width]);
}

/** The cells of the input columns in order, as text. */
function cellsOf({ inputs, columns }: Pick<TableSchema, "inputs" | "columns">, row: unknown, who: string): string[] {
  const names = inputs.map(({ name }) => name);
  if (typeof row !== "object" || row === null)
    throw new FormatError(`${who}: ${show(row)} is no row`, { help: `give { ${names.join(", ")} }` });
  if (Array.isArray(row)) {
    if (row.length !== names.length)
      throw new FormatError(`${who}: ${row.length} values`, { why: `there are ${names.length} inputs: ${names.join(", ")}` });
    return row.map((value: unknown, k) => textOf(value, `${who}, ${names[k]}`));
  }
  const unknown = Object.keys(row).find((key) => !columns.includes(key));
  if (unknown !== undefined) throw new FormatError(`${who}: there is no input ${show(unknown)}`, { help: suggestion(unknown, names) });
  return names.map((name) => {
    if (!Object.hasOwn(row, name)) throw new FormatError(`${who}: ${name} is missing`, { why: `the inputs are ${names.join(", ")}` });
    return textOf((row as Record<string, unknown>)[name], `${who}, ${name}`);
  });
}

function textOf(value: unknown, place: string): string {
  if (typeof value === "string") return value;
  if (typeof value === "number" && Number.isFinite(value) && isElement(value, "float32")) return String(value);
  throw new FormatError(
    `${place}: ${show(value)} is not a number${typeof value === "number" && Number.isFinite(value) ? " of float32" : ""}`,
  );
}

const isTexts = (value: unknown): value is string[] => Array.isArray(value) && value.every((item) => typeof item === "string");

/**
 * The schema that was kept as JSON, `JSON.stringify(table.schema)`.
 *
 * @throws FormatError for anything else
 */
export function tableSchema(text: string | undefined, who = "schema"): TableSchema {
  let found: Partial<Record<keyof TableSchema, unknown>> | null;
  try {
    found = JSON.parse(text ?? "null") as typeof found;
  } catch (cause) {
    throw new FormatError(`${who}: not valid JSON`, { cause });
  }
  const isInput = (value: unknown): value is InputColumn => {
    const { name, categories } = (value ?? {}) as Partial<InputColumn>;
    return typeof name === "string" && (categories === undefined || isTexts(categories));
  };
  const { task, header, delimiter, columns, inputs, targets, classes } = found ?? {};
  if (
    (task === "classification" || task === "regression") &&
    typeof header === "boolean" &&
    typeof delimiter === "string" &&
    isTexts(columns) &&
    Array.isArray(inputs) &&
    inputs.every(isInput) &&
    isTexts(targets) &&
    isTexts(classes)
  )
    return { task, header, delimiter, columns, inputs, targets, classes };
  throw new FormatError(`${who}: this is no schema of a table`, { help: "keep JSON.stringify(table.schema), and give it back as it was" });
}
