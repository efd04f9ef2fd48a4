import { GraphError } from "../core/errors.ts";
import { checkOptions } from "../core/options.ts";
import { takeSite } from "../core/site.ts";
import { eagerPrograms } from "../run/eager.ts";
import { checked, type Device } from "../run/engine.ts";
import { currentTrace } from "./trace.ts";
import { flatten, type Like, type Tree, unflatten } from "./tree.ts";

/** Several tensors at once, in one program. The answer is the same tree, computed: variables become the tensors they hold now. */
export function evaluate<T extends Tree>(tree: T, options: { readonly device?: Device } = {}): Promise<Like<T>> {
  checkOptions("evaluate", options, ["device"], takeSite);
  checked(options, "evaluate");
  return evaluateTree(tree, options);
}

async function evaluateTree(tree: Tree, options: { readonly device?: Device }): Promise<any> {
  const trace = currentTrace();
  if (trace)
    throw new GraphError(`evaluate: values are not known while ${trace.name} is tracing`, { help: "return them from the function" });
  const { leaves, structure } = flatten(tree, "evaluate");
  const held = leaves.map((leaf) => leaf.content());
  const open = held.filter((x) => !x.storage);
  if (open.length > 0) await eagerPrograms().realise(open, options.device);
  await Promise.all(held.map((x) => x.storage?.read()));
  return unflatten(structure, held);
}
