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

/**
 * Where the shown text and the printed one differ, or undefined if they agree: character for character, but for spaces at the ends of lines.
 * "…" stands for anything. What depends on the machine is rounded by the code that prints it, not here.
 */
export function difference(shown: string, printed: string): string | undefined {
  const found = withoutEnds(printed);
  let at = 0;
  const parts = withoutEnds(shown).split("…");
  const agree = parts.every((part, i) => {
    const next = i === 0 ? (found.startsWith(part) ? 0 : -1) : i === parts.length - 1 ? ending(found, part, at) : found.indexOf(part, at);
    at = next + part.length;
    return next >= 0;
  });
  return agree && (parts.length > 1 || at === found.length) ? undefined : `the page shows\n${shown}\nit printed\n${printed}`;
}

/** Where a text that ends so begins to, not before a place; −1 if it does not end so. */
const ending = (text: string, end: string, from: number): number =>
  text.endsWith(end) && text.length - end.length >= from ? text.length - end.length : -1;

const withoutEnds = (text: string): string =>
  text
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n")
    .replace(/^\n+|\n+$/g, "");

/** The page with each snippet's output put in place of the one shown. */
export function withOutputs(page: string, outputs: ReadonlyMap<Snippet, string>): string {
  const lines = page.split("\n");
  const places = [...outputs].filter(([{ shownLines }]) => shownLines).sort(([a], [b]) => b.line - a.line);
  for (const [{ shownLines, shown }, output] of places)
    if (difference(shown!, output)) lines.splice(shownLines![0], shownLines![1] - shownLines![0], ...output.split("\n"));
  return lines.join("\n");
}
