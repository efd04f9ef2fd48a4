/** Copies of a loop's body that run side by side: loops inside them become one, so that what each turn of it costs is shared, and rows are read whole. */
import type { Statement } from "../../kernel/loop.ts";

/** The same statements in each list, for other lanes. Their order within a copy is kept; copies know nothing of each other. */
export function jam(copies: readonly (readonly Statement[])[]): Statement[] {
  const [first = [], ...others] = copies;
  const alike = others.every((list) => list.length === first.length && list.every((s, i) => s.do === first[i]!.do));
  if (!alike || !first.some((s) => s.do === "for")) return copies.flat();
  return first.flatMap((s, i) => {
    const row = copies.map((list) => list[i]!);
    return s.do === "for" ? jamLoops(row as Loop[]) : row;
  });
}

type Loop = Extract<Statement, { do: "for" }>;

function jamLoops(loops: readonly Loop[]): Statement[] {
  const [first] = loops as [Loop, ...Loop[]];
  const span = ({ from, to, step }: Loop): string => JSON.stringify([from, to, step]);
  if (loops.some((l) => span(l) !== span(first))) return [...loops];
  return [{ ...first, body: jam(loops.map(({ local, body }) => renamed(body, local.name, first.local.name))) }];
}

/** The same with one name in place of another, which stands nowhere in it. */
function renamed<T>(tree: T, from: string, to: string): T {
  if (from === to || typeof tree !== "object" || tree === null) return tree;
  if (Array.isArray(tree)) return tree.map((x) => renamed(x, from, to)) as T;
  const { name } = tree as { name?: unknown };
  if (name === from) return { ...tree, name: to };
  return Object.fromEntries(Object.entries(tree).map(([key, x]) => [key, renamed(x, from, to)])) as T;
}
