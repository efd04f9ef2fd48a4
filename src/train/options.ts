import { ArgumentError } from "../core/errors.ts";
import { suggestion } from "../core/options.ts";

export type OptionValue = number | string | boolean;
export type Options = Record<string, OptionValue>;

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
