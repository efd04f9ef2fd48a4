import { ArgumentError, type Site, show } from "./errors.ts";

/** How many edits make one word another (Levenshtein 1966). */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[b.length]!;
}

/** What is compared of a name: `ignore_index` and `ignoreIndex` are the same words. */
const plain = (name: string): string => name.replace(/[_-]/g, "").toLowerCase();

/** The name among `names` that was probably meant. */
export function nearest(name: string, names: readonly string[]): string | undefined {
  const distance = (other: string): number => editDistance(plain(name), plain(other));
  const best = [...names].sort((a, b) => distance(a) - distance(b))[0];
  return best !== undefined && distance(best) <= Math.max(1, Math.floor(name.length / 3)) ? best : undefined;
}

/** "did you mean lr?", or the list. */
export function suggestion(name: string, names: readonly string[]): string {
  const near = nearest(name, names);
  return near ? `did you mean ${near}?` : `known: ${names.join(", ")}`;
}

/**
 * Refuses options that are no object, and names that `who` does not know: a misspelt option would do nothing and say nothing.
 *
 * @throws ArgumentError with the name that was probably meant
 * @example checkOptions("fit", options, ["loss", "epochs"]); // { epoch: 3 } → fit: there is no option "epoch"; help: did you mean epochs?
 */
export function checkOptions(who: string, options: unknown, names: readonly string[], site?: () => Site | undefined): void {
  if (options === undefined) return;
  if (typeof options !== "object" || options === null || Array.isArray(options))
    throw new ArgumentError(`${who}: the options are ${show(options)}`, {
      why: "options are an object",
      help: names.length > 0 ? `there are ${names.join(", ")}` : "it has no options",
      site: site?.(),
    });
  const unknown = Object.keys(options).find((name) => !names.includes(name));
  if (unknown === undefined) return;
  const near = nearest(unknown, names);
  const all = names.length > 0 ? `there are ${names.join(", ")}` : "it has no options";
  throw new ArgumentError(`${who}: there is no option ${show(unknown)}`, {
    help: near ? `did you mean ${near}? ${all}` : all,
    site: site?.(),
  });
}
