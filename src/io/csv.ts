import Papa from "papaparse";
import { isElement } from "../core/elements.ts";
import { ArgumentError, FormatError, show } from "../core/errors.ts";
import { checkOptions } from "../core/options.ts";

export interface CsvOptions {
  /** The first line holds names: yes, no, or told by the lines where they leave no doubt ("auto"). */
  readonly header?: boolean | "auto";
  /** What stands between cells. A comma unless said; where another fits the lines better, it is asked for. */
  readonly delimiter?: string;
}

export interface CsvTable {
  readonly names: readonly string[] | undefined;
  readonly rows: readonly (readonly string[])[];
  /** The file's line (from 1) each row begins at. */
  readonly lines: readonly number[];
  /** What was guessed, in words. */
  readonly notes: readonly string[];
}

/** Longest cell that is read: a cell beyond it is damage, an opened quote that never closes. */
const MAX_CELL = 10_000_000;
/** Most cells of a line: each column costs memory of its own. */
const MAX_COLUMNS = 1_000_000;

/**
 * Rows of a CSV file: UTF-8 with or without a byte order mark, quotes as RFC 4180, empty lines skipped.
 *
 * @throws FormatError for a row of another length (with its line), an unclosed quote, NUL, bytes that are not UTF-8; where another delimiter
 * fits better; where the first line may be names or data
 * @example decodeCsv("a;b\n1;2\n", "t.csv", { delimiter: ";" }).names  // ["a", "b"]
 */
export function decodeCsv(file: Uint8Array | string, who = "csv", options: CsvOptions = {}): CsvTable {
  checkOptions("csv", options, ["header", "delimiter"]);
  const { header = "auto", delimiter } = options;
  if (header !== "auto" && typeof header !== "boolean")
    throw new ArgumentError(`${who}: header is ${show(header)}`, { help: 'true, false or "auto"' });
  if (delimiter !== undefined && (typeof delimiter !== "string" || !/^[^"\r\n\uFEFF]+$/.test(delimiter)))
    throw new ArgumentError(`${who}: the delimiter is ${show(delimiter)}`, {
      help: 'text without quotes or line ends, such as ";" or "\\t"',
    });
  const text = (typeof file === "string" ? file.replace(/^\uFEFF/, "") : decodeText(file, who)).replace(/\r\n?/g, "\n");
  const zero = text.indexOf("\0");
  if (zero >= 0)
    throw new FormatError(`${who}, line ${lineAt(text, zero)}: a NUL character`, { why: "the file is damaged, or is not text" });
  const ask = (problem: string): void => {
    if (delimiter === undefined) askForDelimiter(text, who, problem);
  };
  const { rows, lines } = parse(text, who, { delimiter: delimiter ?? ",", ask });
  checkWidths(rows, lines, who, ask);
  const named = header === "auto" ? firstLineNames(rows, who) : header;
  if (!named) return { names: undefined, rows, lines, notes: [] };
  const notes = header === "auto" ? [`${who}: the first line is read as names (header: false reads it as data)`] : [];
  return { names: rows[0], rows: rows.slice(1), lines: lines.slice(1), notes };
}

/** Throws if another delimiter than the comma fits. */
type Ask = (problem: string) => void;

function parse(text: string, who: string, { delimiter, ask }: { delimiter: string; ask: Ask }): { rows: string[][]; lines: number[] } {
  const rows: string[][] = [];
  const lines: number[] = [];
  let counted = 0;
  let line = 1;
  Papa.parse<string[]>(text, {
    delimiter,
    newline: "\n",
    step: ({ data, errors, meta }) => {
      const begins = line;
      while (counted < meta.cursor) if (text.charCodeAt(counted++) === 10) line++;
      const quote = errors.find(({ type }) => type === "Quotes");
      if (quote) ask(`line ${begins}: ${quote.message.toLowerCase()}`);
      if (quote) throw new FormatError(`${who}, line ${begins}: ${quote.message.toLowerCase()}`);
      if (data.length === 1 && data[0]!.trim() === "") return;
      if (data.length > MAX_COLUMNS)
        throw new FormatError(`${who}, line ${begins}: ${data.length} cells, more than the ${MAX_COLUMNS} that are read`);
      if (data.some((cell) => cell.length > MAX_CELL))
        throw new FormatError(`${who}, line ${begins}: a cell of more than ${MAX_CELL} characters`);
      rows.push(data);
      lines.push(begins);
    },
  });
  return { rows, lines };
}

function decodeText(file: Uint8Array, who: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(file);
  } catch (cause) {
    throw new FormatError(`${who}: not valid UTF-8`, { why: "a CSV file must be text", help: "save it as UTF-8", cause });
  }
}

function lineAt(text: string, position: number): number {
  let line = 1;
  for (let i = 0; i < position; i++) if (text.charCodeAt(i) === 10) line++;
  return line;
}

function checkWidths(rows: readonly (readonly string[])[], lines: readonly number[], who: string, ask: Ask): void {
  const width = rows[0]?.length ?? 0;
  const bad = rows.findIndex((row) => row.length !== width);
  if (bad >= 0) ask("lines of different lengths");
  else if (width === 1) ask("one cell in each line");
  if (bad >= 0)
    throw new FormatError(`${who}, line ${lines[bad]}: ${rows[bad]!.length} cells`, {
      why: `the first row has ${width}`,
      help: "quote cells that hold a comma, or say the delimiter",
    });
}

function askForDelimiter(text: string, who: string, problem: string): void {
  const other = betterDelimiter(text);
  if (!other) return;
  throw new FormatError(`${who}: ${problem}, read with commas`, {
    why: `with the delimiter ${show(other.delimiter)} each line has ${other.width}`,
    help: `delimiter: ${show(other.delimiter)} reads it so, delimiter: "," as it is`,
  });
}

interface Delimiter {
  readonly delimiter: string;
  readonly width: number;
}

/** A delimiter that cuts the first lines into equally many cells, two or more: the one with most cells. */
function betterDelimiter(text: string): Delimiter | undefined {
  const head = text.split("\n", 50).join("\n");
  const found = [";", "\t", "|"].flatMap((delimiter) => {
    const { data, errors } = Papa.parse<string[]>(head, { delimiter, newline: "\n", skipEmptyLines: "greedy" });
    const width = data[0]?.length ?? 0;
    return errors.length === 0 && width >= 2 && data.every((row) => row.length === width) ? [{ delimiter, width }] : [];
  });
  return found.sort((a, b) => b.width - a.width)[0];
}

const NUMERIC = /^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$/;

/** True for a decimal number. */
export const isCsvNumber = (cell: string): boolean => NUMERIC.test(cell);

/** True for what other countries write as a number: 1,5 or 1,000 or 1.000,5. */
export const hasComma = (cell: string): boolean => /^\s*[+-]?[\d.]*\d,\d[\d.,]*\s*$/.test(cell);

/** What programs write where a value is missing (pandas, R, SQL, WEKA). */
const MISSING = /^\s*(|\?|#?n\/?a|<na>|[+-]?nan|null|none)\s*$/i;

/** True for an empty cell, and for NA, NaN, null, ? and the like. */
export const isMissing = (cell: string): boolean => MISSING.test(cell);

/** How many lines decide whether the first one holds names. */
const EVIDENCE = 1000;

/** Whether the first line holds names. @throws FormatError where it could be either */
function firstLineNames(rows: readonly (readonly string[])[], who: string): boolean {
  const [first, ...body] = rows.slice(0, EVIDENCE);
  if (!first || body.length === 0) return false;
  const columns = first.map((cell, j) => ({ cell, below: body.map((row) => row[j]!) }));
  const numeric = columns.filter(({ below }) => below.some(isCsvNumber) && below.every((cell) => isCsvNumber(cell) || isMissing(cell)));
  const words = numeric.filter(({ cell }) => !isCsvNumber(cell) && !isMissing(cell));
  const holes = numeric.filter(({ cell }) => isMissing(cell));
  const numbers = numeric.filter(({ cell }) => isCsvNumber(cell));
  if (words.length > 0 && numbers.length === 0) return true;
  const asked = (why: string): FormatError =>
    new FormatError(`${who}: is the first line a header or data? ${first.slice(0, 6).join(",")}${first.length > 6 ? ",…" : ""}`, {
      why,
      help: "header: true if it holds names, header: false if it is data",
    });
  if (words.length > 0) throw asked("words and numbers stand above numbers");
  if (holes.length > 0 && numbers.length === 0) throw asked("a missing value, or a column without a name, stands above numbers");
  const strangers = columns.filter(({ cell, below }) => !isCsvNumber(cell) && !below.includes(cell));
  const counted = countedNames(first);
  if (counted >= 2 || (counted === 1 && strangers.length > 0))
    throw asked("its numbers count the columns, as pandas names those that have no names");
  const broken = numeric.filter(({ below }) => below.some((cell) => isCsvNumber(cell) && !Number.isInteger(Number(cell))));
  // Without a word beside them, numbers are names only if no column below looks like them, as years above measurements.
  const unlike = strangers.length > 0 ? broken.length > 0 : first.length > 2 && broken.length === first.length;
  if (unlike && ascend(first)) throw asked("its numbers are whole and ascend, those below are neither");
  if (strangers.some(({ cell }) => TITLES.test(cell))) throw asked("a word in it is what columns are called");
  if (strangers.some(({ below }) => below.length >= 4 && allRepeat(below)))
    throw asked("a word in it occurs nowhere else in its column, and all the others occur again");
  return false;
}

/** How many numbers of the line are 0, 1, 2 … by their place (or 1, 2, 3 …, three at least); 0 if one is not. */
function countedNames(first: readonly string[]): number {
  const from = first.flatMap((cell, j) => (isCsvNumber(cell) ? [Number(cell) - j] : []));
  if (from.every((start) => start === 0)) return from.length;
  return from.length >= 3 && from.every((start) => start === 1) ? from.length : 0;
}

/** Two or more whole numbers, each larger than the one before: columns that pandas numbered, some of which were dropped or moved. */
function ascend(first: readonly string[]): boolean {
  const numbers = first.filter(isCsvNumber).map(Number);
  return numbers.length >= 2 && numbers.every((n, i) => Number.isInteger(n) && n >= 0 && (i === 0 || n > numbers[i - 1]!));
}

/** What the column of the target is called, where it has a name. */
const TITLES = /^\s*(label|class|target|category|species|kind|type|outcome|diagnosis|y)(es|s)?\s*$/i;

function allRepeat(words: readonly string[]): boolean {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return [...counts.values()].every((count) => count >= 2);
}

/**
 * A decimal number of a float type; `0x10`, an empty cell and what the type cannot hold (1e39 in float32) are errors that name the cell.
 *
 * @throws FormatError that begins with `where`
 */
export function csvNumber(cell: string, where: string, dtype: "float32" | "float64" = "float64"): number {
  const value = Number(cell);
  const isNumber = isCsvNumber(cell);
  if (isNumber && Number.isFinite(value) && isElement(value, dtype)) return value;
  if (isNumber)
    throw new FormatError(`${where}: ${cell.trim()} does not fit into ${dtype}`, {
      why: `it is larger than any ${Number.isFinite(value) ? "float32; it would become Infinity" : "float64"}`,
      help: Number.isFinite(value) ? "give it in another unit" : undefined,
    });
  const empty = cell.trim() === "";
  throw new FormatError(`${where}: ${empty ? "an empty cell" : `${JSON.stringify(cell.slice(0, 40))} is not a number`}`, {
    help: helpFor(cell),
  });
}

function helpFor(cell: string): string {
  if (isMissing(cell)) return "a value is missing: fill it in, or remove the row";
  if (hasComma(cell)) return "write decimals with a point (1.5), and thousands without a comma (1000)";
  if (/[;\t|]/.test(cell)) return "decimal numbers such as 1.5 or -2e3 are read; if it is several cells, say the delimiter";
  return "decimal numbers such as 1.5 or -2e3 are read";
}
