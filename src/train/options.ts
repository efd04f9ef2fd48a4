import { ArgumentError } from "../core/errors.ts";

export type OptionValue = number | string | boolean;
export type Options = Record<string, OptionValue>;

/** How many edits make one word another (Levenshtein 1966). */
export function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[b.length]!;
}

/** The name among `names` that was probably meant. */
export function nearest(name: string, names: readonly string[]): string | undefined {
  const best = [...names].sort((a, b) => editDistance(name, a) - editDistance(name, b))[0];
  return best !== undefined && editDistance(name, best) <= Math.max(1, Math.floor(name.length / 3)) ? best : undefined;
}

/** "… did you mean lr?", or the list. */
export function suggestion(name: string, names: readonly string[]): string {
  const near = nearest(name, names);
  return near ? `did you mean ${near}?` : `known: ${names.join(", ")}`;
}

/**
 * A recipe's options: its defaults, overridden by what was given, each of its default's type. Keys that the recipe does not have
 * are errors, `__proto__` among them.
 */
export function resolveOptions<O extends Options>(
  defaults: O,
  given: Readonly<Record<string, unknown>>,
  choices: Readonly<Record<string, readonly string[]>> = {},
): O {
  const resolved: Options = { ...defaults };
  for (const [key, value] of Object.entries(given)) {
    if (!Object.hasOwn(defaults, key))
      throw new ArgumentError(`unknown option ${JSON.stringify(key)}`, { help: suggestion(key, Object.keys(defaults)) });
    resolved[key] = convert(key, defaults[key]!, value, choices[key]);
  }
  return resolved as O;
}

function convert(key: string, usual: OptionValue, value: unknown, choices: readonly string[] | undefined): OptionValue {
  const fail = (what: string): never => {
    throw new ArgumentError(`option ${key}: ${JSON.stringify(value)} is not ${what}`, { help: `the default is ${usual}` });
  };
  if (typeof usual === "boolean")
    return value === true || value === "true" ? true : value === false || value === "false" ? false : fail("true or false");
  if (typeof usual === "number") {
    const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
    return typeof number === "number" && Number.isFinite(number) ? number : fail("a number");
  }
  const text = typeof value === "string" ? value : typeof value === "number" ? String(value) : fail("text");
  return choices && !choices.includes(text) ? fail(`one of ${choices.join(", ")}`) : text;
}
