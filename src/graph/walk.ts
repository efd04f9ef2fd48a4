/** Ways through a graph, all with a stack of their own: chains of 100,000 nodes are ordinary. */
import type { Value } from "./op.ts";

/** The outputs and all they depend on, each once, inputs before what uses them. */
export function topological(outputs: readonly Value[], inputsOf: (v: Value) => readonly Value[] = (v) => v.inputs): Value[] {
  const order: Value[] = [];
  const seen = new Set<Value>();
  const stack: { value: Value; inputs: readonly Value[]; next: number }[] = [];
  const enter = (value: Value): void => {
    if (seen.has(value)) return;
    seen.add(value);
    stack.push({ value, inputs: inputsOf(value), next: 0 });
  };
  for (const output of outputs) {
    enter(output);
    while (stack.length > 0) {
      const top = stack[stack.length - 1]!;
      const input = top.inputs[top.next++];
      if (input) enter(input);
      else order.push(stack.pop()!.value);
    }
  }
  return order;
}

/** The outputs and all they depend on. */
export const ancestors = (outputs: readonly Value[]): Set<Value> => new Set(topological(outputs));

/** The `sources`, and of a graph in topological order all that depends on them. */
export function descendants(sources: Iterable<Value>, order: readonly Value[]): Set<Value> {
  const found = new Set(sources);
  for (const value of order) if (value.inputs.some((x) => found.has(x))) found.add(value);
  return found;
}
