import { arrayOf, type TypedArray } from "../core/dtype.ts";
import type { Value } from "../graph/op.ts";
import { evaluateNode, type Numbers } from "../interpret/evaluate.ts";
import { HostStorage, holderOf, type Runtime, realisedStorage, type Storage, tapsOf } from "../tensor/context.ts";
import { reportTaps } from "../tensor/tap.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { elementsOf } from "./slots.ts";

/** Computes with the reference interpreter, node by node, rounding to each node's dtype: slow, and runs anywhere. */
export class InterpreterRuntime implements Runtime {
  async realise(tensors: readonly Tensor[]): Promise<TypedArray[]> {
    this.realiseNow(tensors);
    return Promise.all(tensors.map((x) => x.storage!.read()));
  }

  realiseNow(tensors: readonly Tensor[]): void {
    for (const x of withCells(tensors)) if (!x.storage) x.keep(computed(x));
  }
}

/** The tensors and all that their graphs stand on and that is not computed yet, what is needed first in front. */
function withCells(tensors: readonly Tensor[]): Tensor[] {
  const order: Tensor[] = [];
  const seen = new Set<Tensor>();
  const stack: { readonly x: Tensor; readonly needs: Tensor[] }[] = [];
  const enter = (x: Tensor): void => {
    if (seen.has(x)) return;
    seen.add(x);
    stack.push({ x, needs: x.storage ? [] : cellsOf(x) });
  };
  for (const x of tensors) {
    enter(x);
    while (stack.length > 0) {
      const top = stack.at(-1)!;
      const next = top.needs.pop();
      if (next) enter(next);
      else order.push(stack.pop()!.x);
    }
  }
  return order;
}

/** The tensors that leaves of this one's graph stand for. */
const cellsOf = (x: Tensor): Tensor[] =>
  open(x.recipe())
    .map(holderOf)
    .filter((cell) => cell !== undefined && cell !== x) as Tensor[];

/** The nodes under a value, inputs first, ending where something was computed before. An explicit stack: chains are long. */
function open(root: Value): Value[] {
  const order: Value[] = [];
  const done = new Set<Value>();
  const stack: Value[] = [root];
  while (stack.length > 0) {
    const v = stack.at(-1)!;
    const waiting = done.has(v) || realisedStorage(v) ? [] : v.inputs.filter((x) => !done.has(x));
    if (waiting.length > 0) {
      for (const x of waiting) stack.push(x);
      continue;
    }
    stack.pop();
    if (!done.has(v)) order.push(v);
    done.add(v);
  }
  return order;
}

function computed(x: Tensor): Storage {
  const root = x.recipe();
  const before = realisedStorage(root);
  if (before) return before;
  const order = open(root);
  const uses = new Map<Value, number>();
  for (const v of order) for (const input of v.inputs) uses.set(input, (uses.get(input) ?? 0) + 1);
  const known = new Map<Value, Numbers>();
  for (const v of order) {
    const storage = realisedStorage(v) ?? holderOf(v)?.storage;
    if (storage) known.set(v, Float64Array.from(elementsOf(storage)));
    else {
      known.set(
        v,
        evaluateNode(
          v,
          v.inputs.map((input) => known.get(input)!),
          new Map(),
          { round: true },
        ),
      );
      for (const input of v.inputs) {
        uses.set(input, uses.get(input)! - 1);
        if (uses.get(input) === 0) known.delete(input);
      }
    }
    if (tapsOf(v).length > 0) reportTaps(v, typed(v, known.get(v)!));
  }
  return new HostStorage(typed(root, known.get(root)!));
}

function typed(v: Value, numbers: Numbers): TypedArray {
  const elements = arrayOf(v.dtype, numbers.length);
  elements.set(numbers);
  return elements;
}
