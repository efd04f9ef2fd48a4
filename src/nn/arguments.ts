/** Checks of constructor arguments that layers share. */
import { ArgumentError, DTypeError, show } from "../core/errors.ts";
import { takeSite } from "../core/site.ts";
import { Tensor } from "../index.ts";

/** A size of an axis: a whole number ≥ 1. */
export function checkSize<N extends number>(n: N, who: string): N {
  if (typeof n === "number" && Number.isSafeInteger(n) && n >= 1) return n;
  throw new ArgumentError(`${who} is ${show(n)}`, { why: "a layer has a whole number of features, at least 1", site: takeSite() });
}

/** A probability: 0 … 1. */
export function checkProbability(p: number, who: string): number {
  if (typeof p === "number" && p >= 0 && p <= 1) return p;
  throw new ArgumentError(`${who} is ${show(p)}`, { why: "a probability lies between 0 and 1", site: takeSite() });
}

/** The input of a layer, which is one tensor; `rest` is what else it was called with: a mode, if anything. */
export function checkInput(x: unknown, rest: readonly unknown[], who: string): void {
  checkTensor(x, who);
  checkAlone(rest, who);
}

/** Refuses tensors besides the one that a layer takes. */
export function checkAlone(rest: readonly unknown[], who: string): void {
  const more = rest.filter((input) => input instanceof Tensor).length;
  if (more > 0) throw new ArgumentError(`${who}: forward takes one tensor, and got ${more + 1}`, { site: takeSite() });
}

/** An input that must be a tensor. */
export function checkTensor(x: unknown, who: string): void {
  if (!(x instanceof Tensor))
    throw new DTypeError(`${who}: ${show(x)} is no tensor`, { help: "tensor(…) makes one of numbers", site: takeSite() });
}
