import { show } from "./errors.ts";

/** Records that are shown as they are have no more characters. */
const SHORT = 60;

/** What a value is, in two words, for messages: "a string", "a Map", "a function", 'the object {"training":false}'. */
export function describe(x: unknown): string {
  if (x === null || x === undefined) return String(x);
  if (typeof x === "object" && Object.getPrototypeOf(x) === Object.prototype && Object.keys(x).length > 0) {
    const text = show(x);
    if (text.length <= SHORT) return `the object ${text}`;
  }
  if (typeof x === "object") return `a ${x.constructor?.name ?? "foreign object"}`;
  return typeof x === "function" ? "a function" : `a ${typeof x}`;
}
