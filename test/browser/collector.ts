/**
 * The few functions of vitest that the conformance suites use, for a page, where vitest cannot run: suites are collected when they are
 * imported, then `runCollected` runs them. The server gives this file to whoever imports "vitest".
 */

interface Case {
  readonly title: string;
  readonly run: () => unknown;
  readonly suite: Suite;
}

interface Suite {
  readonly title: string;
  readonly outer: Suite | undefined;
  readonly before: (() => unknown)[];
  readonly after: (() => unknown)[];
  opened: boolean;
  left: number;
}

export interface Outcome {
  readonly passed: number;
  /** "title: message" of each test that failed. */
  readonly failures: readonly string[];
}

const newSuite = (title: string, outer?: Suite): Suite => ({ title, outer, before: [], after: [], opened: false, left: 0 });
let suite = newSuite("");
let cases: Case[] = [];

type Table<Row> = (title: string, run: (...row: any[]) => unknown) => Row;

/** `f` once for each row, `%…` and `$name` of the title filled in. */
function each(f: (title: string, run: () => unknown) => void): (rows: readonly unknown[]) => Table<void> {
  return (rows) => (title, run) => {
    for (const row of rows) {
      const values = Array.isArray(row) ? row : [row];
      let at = 0;
      const filled = title
        .replace(/\$(\w+)/g, (_, name: string) => String((row as Record<string, unknown>)[name]))
        .replace(/%[a-z]/g, () => String(values[at++]));
      f(filled, () => run(...values));
    }
  };
}

/** Options, of which a page needs none, may stand before the body. */
function addSuite(title: string, ...rest: readonly [() => unknown] | readonly [object, () => unknown]): void {
  const body = rest.at(-1) as () => unknown;
  const outer = suite;
  suite = newSuite(`${outer.title} ${title}`.trim(), outer);
  body();
  suite = outer;
}

function addTest(title: string, run: () => unknown): void {
  cases.push({ title: `${suite.title} ${title}`, run, suite });
  for (let s: Suite | undefined = suite; s; s = s.outer) s.left++;
}

export const describe = Object.assign(addSuite, { each: each(addSuite) });
export const test = Object.assign(addTest, { each: each(addTest), skip: (): void => {} });
export const beforeAll = (f: () => unknown): unknown => suite.before.push(f);
export const afterAll = (f: () => unknown): unknown => suite.after.push(f);

/** Runs what was collected so far; afterwards nothing is left. */
export async function runCollected(): Promise<Outcome> {
  const [collected, failures] = [cases, [] as string[]];
  cases = [];
  let passed = 0;
  for (const each of collected) {
    try {
      await open(each.suite);
      await each.run();
      passed++;
    } catch (error) {
      failures.push(`${each.title}: ${error instanceof Error ? error.message : String(error)}`);
    }
    await close(each.suite);
  }
  return { passed, failures };
}

async function open(of: Suite): Promise<void> {
  if (of.outer) await open(of.outer);
  if (of.opened) return;
  of.opened = true;
  for (const f of of.before) await f();
}

async function close(of: Suite): Promise<void> {
  for (let s: Suite | undefined = of; s; s = s.outer) {
    s.left--;
    if (s.left === 0) for (const f of s.after) await f();
  }
}

function fail(what: string, got: unknown, wanted: unknown, message = ""): never {
  throw new Error(`${message} ${show(got)} ${what} ${show(wanted)}`.trim());
}

const show = (x: unknown): string =>
  x instanceof RegExp || typeof x === "function" ? String(x) : (JSON.stringify(x) ?? "undefined").slice(0, 200);

function equal(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => equal((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]))
  );
}

/** Whether an error is of the class, or its message matches. */
function thrown(run: () => unknown, by: unknown): boolean {
  try {
    run();
  } catch (error) {
    if (by instanceof RegExp) return by.test(error instanceof Error ? error.message : String(error));
    return typeof by !== "function" || error instanceof by;
  }
  return false;
}

export interface Expectation {
  toBe(wanted: unknown): void;
  toEqual(wanted: unknown): void;
  toBeLessThan(wanted: number): void;
  toBeLessThanOrEqual(wanted: number): void;
  toThrow(by?: unknown): void;
}

export function expect(got: unknown, message?: string): Expectation {
  const check = (holds: boolean, what: string, wanted: unknown): void => {
    if (!holds) fail(what, got, wanted, message);
  };
  return {
    toBe: (wanted) => check(Object.is(got, wanted), "is not", wanted),
    toEqual: (wanted) => check(equal(got, wanted), "does not equal", wanted),
    toBeLessThan: (wanted) => check((got as number) < wanted, "is not less than", wanted),
    toBeLessThanOrEqual: (wanted) => check((got as number) <= wanted, "is not at most", wanted),
    toThrow: (by) => check(thrown(got as () => unknown, by), "does not throw", by),
  };
}
