/** What a value is, in two words, for messages: "a string", "a Map", "a function". */
export function describe(x: unknown): string {
  if (x === null || x === undefined) return String(x);
  if (typeof x === "object") return `a ${x.constructor?.name ?? "foreign object"}`;
  return typeof x === "function" ? "a function" : `a ${typeof x}`;
}
