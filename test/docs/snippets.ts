/** The code of the pages: TypeScript blocks, what they print, and how the two are compared. */
import { format } from "node:util";

/** A fenced block of TypeScript and the text block below it. */
export interface Snippet {
  /** Line of the opening fence, counted from 1. */
  readonly line: number;
  readonly code: string;
  /** What the page says it prints; undefined if no text block follows. */
  readonly shown: string | undefined;
  /** First and last line of the shown text (none of its lines if it is empty), counted from 0: where new output would go. */
  readonly shownLines: readonly [from: number, to: number] | undefined;
}

/** Snippets that share one module: a block marked `ts continued` goes on where the one before it ended. */
export type Program = readonly Snippet[];

interface Fence {
  readonly info: string;
  readonly open: number;
  readonly close: number;
}

function fences(lines: readonly string[]): Fence[] {
  const found: Fence[] = [];
  for (let i = 0; i < lines.length; i++) {
    const opening = /^```(.*)$/.exec(lines[i]!);
    if (!opening) continue;
    const close = lines.findIndex((line, k) => k > i && /^```\s*$/.test(line));
    if (close < 0) throw new Error(`line ${i + 1}: a code block without an end`);
    found.push({ info: opening[1]!.trim(), open: i, close });
    i = close;
  }
  return found;
}

/** The programs of a page. Blocks marked `ts fragment` are parts of something larger and are left out. */
export function programsOf(page: string): Program[] {
  const lines = page.split("\n");
  const all = fences(lines);
  const programs: Snippet[][] = [];
  all.forEach(({ info, open, close }, i) => {
    const [language, mark] = info.split(/\s+/);
    if (language !== "ts" || mark === "fragment") return;
    const next = all[i + 1];
    const follows = next?.info === "text" && lines.slice(close + 1, next.open).every((line) => line.trim() === "");
    const snippet: Snippet = {
      line: open + 1,
      code: lines.slice(open + 1, close).join("\n"),
      shown: follows ? lines.slice(next.open + 1, next.close).join("\n") : undefined,
      shownLines: follows ? [next.open + 1, next.close] : undefined,
    };
    if (mark === "continued") programs.at(-1)!.push(snippet);
    else programs.push([snippet]);
  });
  return programs;
}

const LISTENER = "__printedBySnippet";

/** One module: before each snippet's code it tells which one is printing. */
export const moduleOf = (program: Program): string =>
  [...program.map(({ code }, i) => `(globalThis as any).${LISTENER}?.(${i});\n${code}`), "export {};", ""].join("\n");

/** Runs a program's module and answers what each snippet wrote to the console. */
export async function outputsOf(program: Program, load: () => Promise<unknown>): Promise<string[]> {
  const outputs: string[][] = program.map(() => []);
  let current = 0;
  const scope = globalThis as unknown as Record<string, unknown>;
  const { log } = console;
  scope[LISTENER] = (i: number) => {
    current = i;
  };
  console.log = (...args: unknown[]) => {
    outputs[current]!.push(format(...args));
  };
  try {
    await load();
  } finally {
    console.log = log;
    delete scope[LISTENER];
  }
  return outputs.map((lines) => lines.join("\n"));
}

const NUMBER = /[-−]?\d+(?:\.\d*)?(?:e[+-]?\d+)?/g;

/**
 * Where the shown text and the printed one differ, or undefined if they agree: the same words, and numbers that are equal up to two units of
 * the last digit shown. White space counts as one space; "…" stands for anything.
 */
export function difference(shown: string, printed: string): string | undefined {
  const words = tokens(shown);
  const found = tokens(printed);
  return match(words, found) ? undefined : `the page shows\n${shown}\nit printed\n${printed}`;
}

const tokens = (text: string): string[] => text.trim().split(/\s+/).filter(Boolean);

function match(shown: readonly string[], printed: readonly string[]): boolean {
  const gap = shown.indexOf("…");
  if (gap < 0) return shown.length === printed.length && shown.every((word, i) => sameWord(word, printed[i]!));
  if (gap > printed.length || !shown.slice(0, gap).every((word, i) => sameWord(word, printed[i]!))) return false;
  const rest = shown.slice(gap + 1);
  for (let from = gap; from <= printed.length; from++) if (match(rest, printed.slice(from))) return true;
  return false;
}

function sameWord(shown: string, printed: string): boolean {
  if (shown === printed) return true;
  if (shown.replace(NUMBER, "#") !== printed.replace(NUMBER, "#")) return false;
  const wanted = shown.match(NUMBER)!;
  const got = printed.match(NUMBER)!;
  return wanted.every((text, i) => {
    const a = Number(text.replace("−", "-"));
    const b = Number(got[i]!.replace("−", "-"));
    // Whole numbers are counts: they must be equal.
    return lastDigit(text) === 1 ? a === b : Math.abs(a - b) <= 2.001 * Math.max(lastDigit(text), lastDigit(got[i]!));
  });
}

/** The worth of a number's last digit: 0.01 for 3.14, 1 for 12, 1e-9 for 1.5e-8. */
function lastDigit(text: string): number {
  const [, decimals = "", exponent = "0"] = /\.?(\d*)(?:e([+-]?\d+))?$/.exec(text.includes(".") ? text : text.replace(/\d+/, "."))!;
  return 10 ** (Number(exponent) - decimals.length);
}

/** The page with each snippet's output put in place of the one shown. */
export function withOutputs(page: string, outputs: ReadonlyMap<Snippet, string>): string {
  const lines = page.split("\n");
  const places = [...outputs].filter(([{ shownLines }]) => shownLines).sort(([a], [b]) => b.line - a.line);
  for (const [{ shownLines, shown }, output] of places)
    if (difference(shown!, output)) lines.splice(shownLines![0], shownLines![1] - shownLines![0], ...output.split("\n"));
  return lines.join("\n");
}
