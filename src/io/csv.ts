import Papa from "papaparse";
import { FormatError } from "../core/errors.ts";

export interface CsvOptions {
  /** The first line holds names: yes, no, or told by the line (a first line without a number above lines with numbers). */
  readonly header?: boolean | "auto";
  readonly delimiter?: string;
}

export interface CsvTable {
  readonly names: readonly string[] | undefined;
  readonly rows: readonly (readonly string[])[];
  /** The file's line (from 1) each row begins at. */
  readonly lines: readonly number[];
}

/** Longest cell that is read: a cell beyond it is damage, an opened quote that never closes. */
const MAX_CELL = 10_000_000;

/**
 * Rows of a CSV file: UTF-8 with or without a byte order mark, quotes as RFC 4180, empty lines skipped.
 *
 * @throws FormatError for a row of another length (with its line), an unclosed quote, NUL, or bytes that are not UTF-8.
 */
export function decodeCsv(file: Uint8Array | string, who = "csv", options: CsvOptions = {}): CsvTable {
  const text = (typeof file === "string" ? file.replace(/^\uFEFF/, "") : decodeText(file, who)).replace(/\r\n?/g, "\n");
  const zero = text.indexOf("\0");
  if (zero >= 0)
    throw new FormatError(`${who}, line ${lineAt(text, zero)}: a NUL character`, { why: "the file is damaged, or is not text" });
  const rows: string[][] = [];
  const lines: number[] = [];
  let counted = 0;
  let line = 1;
  Papa.parse<string[]>(text, {
    delimiter: options.delimiter ?? ",",
    newline: "\n",
    step: ({ data, errors, meta }) => {
      const begins = line;
      while (counted < meta.cursor) if (text.charCodeAt(counted++) === 10) line++;
      const quote = errors.find(({ type }) => type === "Quotes");
      if (quote) throw new FormatError(`${who}, line ${begins}: ${quote.message.toLowerCase()}`);
      if (data.length === 1 && data[0]!.trim() === "") return;
      if (data.some((cell) => cell.length > MAX_CELL))
        throw new FormatError(`${who}, line ${begins}: a cell of more than ${MAX_CELL} characters`);
      rows.push(data);
      lines.push(begins);
    },
  });
  checkWidths(rows, lines, who);
  const header = options.header ?? "auto";
  const named = header === "auto" ? looksLikeNames(rows) : header;
  return named ? { names: rows[0], rows: rows.slice(1), lines: lines.slice(1) } : { names: undefined, rows, lines };
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

function checkWidths(rows: readonly (readonly string[])[], lines: readonly number[], who: string): void {
  const width = rows[0]?.length ?? 0;
  const bad = rows.findIndex((row) => row.length !== width);
  if (bad >= 0)
    throw new FormatError(`${who}, line ${lines[bad]}: ${rows[bad]!.length} cells`, {
      why: `the first row has ${width}`,
      help: "quote cells that hold a comma",
    });
}

const NUMERIC = /^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$/;

function looksLikeNames(rows: readonly (readonly string[])[]): boolean {
  return rows.length > 1 && !rows[0]!.some((cell) => NUMERIC.test(cell)) && rows[1]!.some((cell) => NUMERIC.test(cell));
}

/** A decimal number; `0x10`, an empty cell and 1e400 (which no float holds) are errors that name the cell. */
export function csvNumber(cell: string, where: string): number {
  const value = Number(cell);
  if (NUMERIC.test(cell) && Number.isFinite(value)) return value;
  const problem = cell.trim() === "" ? "an empty cell" : `${JSON.stringify(cell.slice(0, 40))} is not a number`;
  throw new FormatError(`${where}: ${problem}`, {
    why: NUMERIC.test(cell) ? "it is larger than any float64" : undefined,
    help: cell.trim() === "" ? "fill it in, or remove the row" : "decimal numbers such as 1.5 or -2e3 are read",
  });
}
