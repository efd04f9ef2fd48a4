import { ArgumentError } from "../core/errors.ts";
import type { HostRandom } from "../data/index.ts";
import { type Options, type OptionValue, resolveOptions } from "./options.ts";

/** One thing that is varied: values to choose from, or a range to draw from. */
export type Axis =
  | { readonly name: string; readonly values: readonly OptionValue[] }
  | { readonly name: string; readonly low: number; readonly high: number; readonly scale: "log" | "linear" | "whole" };

/** What one trial sets: a value for each axis. */
export type Setting = Readonly<Record<string, OptionValue>>;

/** More trials than this are taken for a mistake. */
const MOST_TRIALS = 1000;
/** Draws from ranges, unless it is said how many. */
const USUAL_DRAWS = 10;

type Choices = Readonly<Record<string, readonly string[]>> | undefined;

/**
 * "lr=0.03,0.1,0.3" → three values; "lr=0.001..1" → a range, drawn from log-uniformly, or uniformly where it reaches 0 or below;
 * "hidden=16..256", whole bounds of an option whose default is whole → a range of whole numbers, both ends among them.
 *
 * @throws ArgumentError for a name that is not in `known`, values of another type, an empty range
 */
export function parseAxis(text: string, known: Options, choices?: Choices): Axis {
  const at = text.indexOf("=");
  if (at < 1)
    throw new ArgumentError(`search: ${JSON.stringify(text)} says not what to try`, { help: "lr=0.03,0.1,0.3, or a range: lr=0.001..1" });
  const [name, rest] = [text.slice(0, at).trim(), text.slice(at + 1).trim()];
  const read = (value: string): OptionValue => resolveOptions(known, { [name]: value }, choices)[name]!;
  const range = /^(.+?)\.\.(.+)$/.exec(rest);
  if (range && !rest.includes(",") && range.slice(1).every((bound) => Number.isFinite(Number(bound)))) {
    const usual = read(range[1]!);
    if (typeof usual !== "number")
      throw new ArgumentError(`search: ${name} has no range, it is not a number`, {
        help: `single values: ${name}=${range[1]},${range[2]}`,
      });
    return rangeOf(name, range[1]!, range[2]!, Number.isInteger(known[name]));
  }
  const words = rest.split(",").map((word) => word.trim());
  if (words.includes(""))
    throw new ArgumentError(`search: ${JSON.stringify(text)} has an empty value`, {
      help: `${name}=${words.filter(Boolean).join(",") || "0.1,0.3"}`,
    });
  return { name, values: [...new Set(words.map(read))] };
}

function rangeOf(name: string, from: string, to: string, wholeDefault: boolean): Axis {
  const [low, high] = [Number(from), Number(to)];
  if (low >= high)
    throw new ArgumentError(`search: the range ${from}..${to} of ${name} is empty`, {
      why: "its low end is not below its high end",
      help: low === high ? `${name}=${from}` : `${name}=${to}..${from}`,
    });
  const whole = wholeDefault && [from, to].every((bound) => /^-?\d+$/.test(bound.trim()));
  return { name, low, high, scale: whole ? "whole" : low > 0 ? "log" : "linear" };
}

/** All axes, each named once and none of them fixed. */
export function parseAxes(tries: readonly string[], known: Options, fixed: readonly string[], choices?: Choices): Axis[] {
  const axes = tries.map((text) => parseAxis(text, known, choices));
  axes.forEach(({ name }, i) => {
    if (axes.findIndex((axis) => axis.name === name) < i)
      throw new ArgumentError(`search: ${name} is to be tried twice`, { help: `put all its values into one: ${name}=…,…` });
    if (fixed.includes(name))
      throw new ArgumentError(`search: ${name} is both fixed and to be tried`, { help: "leave one of the two out" });
  });
  return axes;
}

/**
 * Every combination of the values; with ranges, or with fewer `trials` than combinations, that many different random draws. A whole
 * range may hold fewer than were asked for: then there are fewer.
 *
 * @throws ArgumentError for more than 1000 trials
 */
export function settingsOf(axes: readonly Axis[], trials: number | undefined, rng: HostRandom): Setting[] {
  const combinations = axes.reduce((n, axis) => n * ("values" in axis ? axis.values.length : Number.POSITIVE_INFINITY), 1);
  const count = trials ?? (combinations === Number.POSITIVE_INFINITY ? USUAL_DRAWS : combinations);
  if (count > MOST_TRIALS)
    throw new ArgumentError(`search: ${count} trials are too many`, {
      why: `at most ${MOST_TRIALS} are made`,
      help: trials === undefined ? "try fewer values, or a random part of them: --trials 50" : `--trials ${MOST_TRIALS}, or fewer`,
    });
  return count >= combinations ? grid(axes) : draws(axes, count, rng);
}

/** The last axis changes fastest. */
function grid(axes: readonly Axis[]): Setting[] {
  return axes.reduce<Setting[]>(
    (settings, axis) =>
      settings.flatMap((setting) => ("values" in axis ? axis.values : []).map((value) => ({ ...setting, [axis.name]: value }))),
    [{}],
  );
}

function draws(axes: readonly Axis[], count: number, rng: HostRandom): Setting[] {
  const found = new Map<string, Setting>();
  for (let attempt = 0; found.size < count && attempt < 1000 * count; attempt++) {
    const setting = Object.fromEntries(axes.map((axis) => [axis.name, drawOne(axis, rng)]));
    found.set(JSON.stringify(setting), setting);
  }
  return [...found.values()];
}

function drawOne(axis: Axis, rng: HostRandom): OptionValue {
  if ("values" in axis) return axis.values[rng.below(axis.values.length)]!;
  const { low, high, scale } = axis;
  if (scale === "whole") return low + Math.floor(rng.uniform() * (high - low + 1));
  const value = scale === "log" ? Math.exp(rng.uniform(Math.log(low), Math.log(high))) : rng.uniform(low, high);
  // Four digits: a setting that can be read and typed again.
  return Math.min(high, Math.max(low, Number(value.toPrecision(4))));
}
