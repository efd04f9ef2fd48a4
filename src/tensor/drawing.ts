import { checkOptions } from "../core/options.ts";
import { takeSite } from "../core/site.ts";
import { toDot as drawValues } from "../graph/dot.ts";
import type { Value } from "../graph/op.ts";
import { printGraph } from "../graph/print.ts";
import { topological } from "../graph/walk.ts";
import type { Tensor } from "./tensor.ts";
import { flatten, type Tree } from "./tree.ts";
import { ownerOf } from "./variable.ts";

/** The values of a tree, with the names of its variables and of the tree's own leaves. */
function named(x: Tree, who: string, given: Readonly<Record<string, Tensor>> = {}): { values: Value[]; names: Map<Value, string> } {
  const { leaves, paths } = flatten(x, who);
  const values = leaves.map((leaf) => leaf.node());
  const names = new Map(Object.entries(given).map(([name, tensor]) => [tensor.node(), name]));
  for (const value of topological(values)) {
    const name = ownerOf(value)?.name;
    if (name && !names.has(value)) names.set(value, name);
  }
  values.forEach((value, i) => {
    if (paths[i] && !names.has(value)) names.set(value, paths[i]!);
  });
  // The graph holds computed tensors as it holds variables: in cells.
  for (const value of topological(values))
    if (value.op.kind === "leaf" && value.op.source === "variable" && !ownerOf(value) && !names.has(value)) names.set(value, "tensor");
  return { values, names };
}

export interface DrawOptions {
  /** Some of the tensors: what they need and the others do not is shaded. */
  readonly highlight?: Tree;
  /** What to call tensors of the graph that are neither variables nor leaves of the tree: { x, y }. */
  readonly names?: Readonly<Record<string, Tensor>>;
}

const SHADE = "#fde3cc";

/**
 * The graph of some tensors in Graphviz's language: `dot -Tsvg`.
 *
 * @example toDot({ loss, ...d }, { highlight: d }) // the nodes that back-propagation added are shaded
 */
export function toDot(x: Tree, options: DrawOptions = {}): string {
  checkOptions("toDot", options, ["highlight", "names"], takeSite);
  const { highlight = [], names: given } = options;
  const { values, names } = named(x, "toDot", given);
  const shaded = flatten(highlight, "toDot: highlight").leaves.map((leaf) => leaf.node());
  const plain = new Set(topological(values.filter((value) => !shaded.includes(value))));
  const added = topological(shaded).filter((value) => !plain.has(value));
  return drawValues([...new Set([...values, ...shaded])], { names, colours: new Map(added.map((value) => [value, SHADE])) });
}

/** The graph of some tensors as text, one operation a line. */
export function toText(x: Tree): string {
  return printGraph(named(x, "toText").values);
}
