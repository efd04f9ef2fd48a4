import { toDot as drawValues } from "../graph/dot.ts";
import type { Value } from "../graph/op.ts";
import { printGraph } from "../graph/print.ts";
import { topological } from "../graph/walk.ts";
import { flatten, type Tree } from "./tree.ts";
import { ownerOf } from "./variable.ts";

/** The values of a tree, with the names of its variables and of the tree's own leaves. */
function named(x: Tree, who: string): { values: Value[]; names: Map<Value, string> } {
  const { leaves, paths } = flatten(x, who);
  const values = leaves.map((leaf) => leaf.node());
  const names = new Map<Value, string>();
  for (const value of topological(values)) {
    const name = ownerOf(value)?.name;
    if (name) names.set(value, name);
  }
  values.forEach((value, i) => {
    if (paths[i] && !names.has(value)) names.set(value, paths[i]!);
  });
  return { values, names };
}

/** The graph of some tensors in Graphviz's language: `dot -Tsvg`. */
export function toDot(x: Tree): string {
  const { values, names } = named(x, "toDot");
  return drawValues(values, { names });
}

/** The graph of some tensors as text, one operation a line. */
export function toText(x: Tree): string {
  return printGraph(named(x, "toText").values);
}
