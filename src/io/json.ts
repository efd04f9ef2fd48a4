import { FormatError } from "../core/errors.ts";

export type Json = null | boolean | number | string | readonly Json[] | ReadonlyMap<string, Json>;

/**
 * JSON from a file nobody vouches for: objects become Maps (no key reaches a prototype), a key that stands twice is an error, and
 * so is nesting deeper than `depth`. Grammar: RFC 8259.
 */
export function parseJson(text: string, who: string, depth = 32): Json {
  let at = 0;
  const fail = (problem: string): never => {
    throw new FormatError(`${who}: ${problem}`, { why: `not valid JSON at character ${at}` });
  };
  const blank = (): void => {
    while (at < text.length && " \t\n\r".includes(text[at]!)) at++;
  };
  const take = (character: string): void => {
    if (text[at] !== character) fail(`expected ${character}`);
    at++;
  };

  function value(level: number): Json {
    if (level > depth) throw new FormatError(`${who}: nested deeper than ${depth} levels`);
    blank();
    const first = text[at];
    if (first === "{") return object(level);
    if (first === "[") return array(level);
    if (first === '"') return string();
    for (const [word, meaning] of WORDS)
      if (text.startsWith(word, at)) {
        at += word.length;
        return meaning;
      }
    return number();
  }

  function object(level: number): Json {
    const entries = new Map<string, Json>();
    list("}", () => {
      blank();
      if (text[at] !== '"') fail("expected a key");
      const key = string();
      if (entries.has(key)) throw new FormatError(`${who}: the key ${JSON.stringify(key)} stands twice`);
      blank();
      take(":");
      entries.set(key, value(level + 1));
    });
    return entries;
  }

  function array(level: number): Json {
    const items: Json[] = [];
    list("]", () => items.push(value(level + 1)));
    return items;
  }

  /** Items with commas between, from one bracket to the other. */
  function list(end: string, item: () => void): void {
    at++;
    blank();
    if (text[at] !== end) {
      item();
      for (blank(); text[at] === ","; blank()) {
        at++;
        item();
      }
    }
    take(end);
  }

  function string(): string {
    const start = at++;
    while (at < text.length && text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
    if (at >= text.length) fail("a string without an end");
    at++;
    try {
      return JSON.parse(text.slice(start, at)) as string;
    } catch {
      return fail("a string with a character that is not allowed");
    }
  }

  function number(): number {
    NUMBER.lastIndex = at;
    const match = NUMBER.exec(text);
    if (!match) return fail("expected a value");
    at += match[0].length;
    return Number(match[0]);
  }

  const result = value(0);
  blank();
  if (at < text.length) fail("something stands after the end");
  return result;
}

const WORDS: readonly (readonly [string, null | boolean])[] = [
  ["null", null],
  ["true", true],
  ["false", false],
];
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
