import { write } from "./show.ts";
import { Tensor } from "./tensor.ts";
import { flatten, type Tree } from "./tree.ts";

/** Writes tensors to the console when they are computed, under the names they have in the tree. */
export async function print(x: Tree, label?: string): Promise<void> {
  if (x instanceof Tensor) return x.print(label);
  const { leaves, paths } = flatten(x, "print");
  // All are asked for before one is waited for, so that they are computed as one program.
  const elements = leaves.map((leaf) => leaf.elements("print"));
  await Promise.all(elements);
  for (const [i, leaf] of leaves.entries()) await write(leaf, label, paths[i] || (leaf as { name?: string }).name);
}
