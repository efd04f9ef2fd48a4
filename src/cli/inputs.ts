import { existsSync } from "node:fs";
import { ArgumentError, FormatError } from "../core/errors.ts";
import type { InputColumn, InputRow } from "../data/index.ts";
import { tableInputs } from "../data/index.ts";
import type { Tensor } from "../index.ts";
import { type CsvTable, decodeCsv, readBytes } from "../io/index.ts";
import type { RecipeInput } from "../train/index.ts";
import { NUMBERS } from "./arguments.ts";

type RowInput = Extract<RecipeInput, { kind: "row" }>;

/** What is to be predicted: a name for each example, the inputs, and what was done to them that nobody asked for. */
export interface PredictInputs {
  readonly names: readonly string[];
  readonly x: Tensor;
  readonly notes: readonly string[];
}

export interface InputOptions {
  /** Of CSV files. */
  readonly header?: boolean | undefined;
  readonly delimiter?: string | undefined;
  /** True: an image must have the size and colours the network was made for. */
  readonly exact?: boolean | undefined;
}

/** Largest file of inputs. */
const MAX_INPUT = 50_000_000;

/** What stands on the command line: images; or rows, as CSV or JSON files, as JSON, or as cells with commas between. */
export async function readInputs(words: readonly string[], kind: RecipeInput, options: InputOptions = {}): Promise<PredictInputs> {
  if (kind.kind === "row") return readRows(words, kind, options);
  // What decodes images is loaded where there are some.
  const { imageFilesOf, readImages } = await import("./images.ts");
  const { failures, ...inputs } = await readImages(await imageFilesOf(words, kind), kind, options.exact);
  if (failures.length > 0) throw failures[0]!.error;
  return inputs;
}

// ---- rows

interface NamedRow {
  readonly name: string;
  readonly row: InputRow;
}

async function readRows(words: readonly string[], kind: RowInput, options: InputOptions): Promise<PredictInputs> {
  const notes: string[] = [];
  const rows: NamedRow[] = [];
  for (const word of words) rows.push(...(await rowsOf(word, kind, options, notes)));
  if (rows.length === 0) throw new ArgumentError("the files hold no rows");
  const inputs = columnsOf(kind);
  const columns = [...inputs.map(({ name }) => name), ...(kind.file ?? [])];
  const x = tableInputs(
    { inputs, columns },
    rows.map(({ row }) => row),
    (i) => rows[i]!.name,
  );
  return { names: rows.map(({ name }) => name), x, notes };
}

const columnsOf = ({ columns }: RowInput): InputColumn[] =>
  typeof columns === "number"
    ? Array.from({ length: columns }, (_, i) => ({ name: `number ${i + 1}` }))
    : columns.map((column) => (typeof column === "string" ? { name: column } : column));

async function rowsOf(word: string, kind: RowInput, options: InputOptions, notes: string[]): Promise<NamedRow[]> {
  if (/^\s*[[{]/.test(word)) return jsonRows(word, "the JSON");
  if (NUMBERS.test(word) || (word.includes(",") && !existsSync(word)))
    return [{ name: word, row: positional(word.split(","), word, kind) }];
  const bytes = await readBytes(word, MAX_INPUT);
  if (/\.json$/i.test(word)) return jsonRows(new TextDecoder().decode(bytes), word);
  return csvRows(bytes, word, kind, options, notes);
}

/** A row, or a list of rows: records by name, or lists in the order of the inputs. */
function jsonRows(text: string, name: string): NamedRow[] {
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch (cause) {
    throw new FormatError(`${name}: not valid JSON`, { why: cause instanceof Error ? cause.message : undefined, cause });
  }
  const isRow = (value: unknown): boolean => typeof value === "object" && value !== null;
  const rows = Array.isArray(found) && found.every(isRow) ? found : [found];
  return rows.map((row: InputRow, i) => ({ name: rows.length === 1 ? name : `${name}, row ${i}`, row }));
}

function csvRows(bytes: Uint8Array, word: string, kind: RowInput, options: InputOptions, notes: string[]): NamedRow[] {
  const delimiter = options.delimiter === "\\t" ? "\t" : (options.delimiter ?? kind.delimiter);
  const more = delimiter === undefined ? {} : { delimiter };
  const names = typeof kind.columns === "number" ? [] : columnsOf(kind).map(({ name }) => name);
  const raw = decodeCsv(bytes, word, { header: false, ...more });
  const first = raw.rows[0]?.map((cell) => cell.trim()) ?? [];
  // Names that are known decide; without them the lines do.
  const known = names.length > 0 ? names.every((name) => first.includes(name)) : undefined;
  const header = options.header ?? known ?? "auto";
  const table = header === false ? raw : decodeCsv(bytes, word, { header, ...more });
  notes.push(...table.notes);
  return table.rows.map((row, i) => named(table, row, `${word}:${table.lines[i]}`, kind));
}

function named({ names }: CsvTable, row: readonly string[], name: string, kind: RowInput): NamedRow {
  if (!names || typeof kind.columns === "number") return { name, row: positional(row, name, kind) };
  const columns = columnsOf(kind);
  const titles = names.map((title) => title.trim());
  const missing = columns.find((column) => !titles.includes(column.name));
  if (missing)
    throw new FormatError(`${name}: there is no column ${JSON.stringify(missing.name)}`, { help: `columns: ${titles.join(", ")}` });
  return { name, row: columns.map((column) => row[titles.indexOf(column.name)]!) };
}

/** The cells of the inputs, in order: the row has only them, or one more at its end (the target, which is ignored), or all columns of the training data. */
function positional(cells: readonly string[], name: string, kind: RowInput): string[] {
  const columns = columnsOf(kind);
  const { file } = kind;
  if (cells.length === columns.length || (!file && cells.length === columns.length + 1)) return cells.slice(0, columns.length);
  if (file && cells.length === file.length) return columns.map((column) => cells[file.indexOf(column.name)]!);
  const named = typeof kind.columns !== "number";
  throw new ArgumentError(`${name}: ${cells.length} ${cells.length === 1 ? "number" : "numbers"}`, {
    why: `the network takes ${columns.length}${named ? `: ${columns.map((column) => column.name).join(", ")}` : ""}`,
    help: "give them in the order of the training data, with commas between",
  });
}
