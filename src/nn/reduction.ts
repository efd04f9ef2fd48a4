import { ArgumentError, ShapeError } from "../core/errors.ts";
import { checkOptions } from "../core/options.ts";
import { sameShape, showShape } from "../core/shape.ts";
import { atUserLine } from "../core/site.ts";
import type { Tensor } from "../index.ts";
import { checkTensor } from "./arguments.ts";

/** What becomes of the losses of the elements: their mean, their sum, or all of them. */
export type Reduction = "mean" | "sum" | "none";

/** A scalar, or for "none" a tensor. */
export type Reduced<R> = R extends "none" ? Tensor : Tensor<[]>;

export interface LossOptions<R = Reduction> {
  /** Default "mean". The mean of nothing is NaN. */
  readonly reduction?: R;
}

export interface WeightedOptions<R = Reduction> extends LossOptions<R> {
  /** Factors of the losses: a tensor that broadcasts to them. They count in the sum; the mean still divides by the number of elements. */
  readonly weight?: Tensor;
}

/** What a loss is called with. */
interface LossCall {
  readonly tensors: readonly unknown[];
  readonly options: LossOptions<unknown>;
  /** The options there are besides `reduction`. */
  readonly names?: readonly string[];
}

/** A loss whose arguments are checked, and whose errors name it and the user's line. */
export function loss<R>(who: string, { tensors, options, names = [] }: LossCall, build: () => R): R {
  return atUserLine(() => {
    for (const x of tensors) checkTensor(x, who);
    checkOptions(who, options, ["reduction", ...names]);
    return build();
  }, who);
}

/** The losses times their weights, which must not stretch them. */
export function weighted(losses: Tensor, weight: Tensor | undefined, who: string): Tensor {
  if (weight === undefined) return losses;
  checkTensor(weight, who);
  const product = losses.mul(weight.cast(losses.dtype));
  if (sameShape(product.shape, losses.shape)) return product;
  throw new ShapeError(`${who}: the weights are ${showShape(weight.shape)}, the losses ${showShape(losses.shape)}`, {
    why: "weights stretch to the losses, not the other way",
  });
}

/** The losses reduced as asked. */
export function reduce<R extends string>(losses: Tensor, reduction: R | undefined, who: string): Reduced<R> {
  switch (reduction ?? "mean") {
    case "mean":
      return losses.mean() as Reduced<R>;
    case "sum":
      return losses.sum() as Reduced<R>;
    case "none":
      return losses as Reduced<R>;
    default:
      throw new ArgumentError(`${who}: there is no reduction ${JSON.stringify(reduction)}`, { help: '"mean", "sum" or "none"' });
  }
}

/** Refuses shapes that would broadcast: [n, 1] against [n] is a loss over n² pairs, and hardly ever meant. */
export function checkSameShape(x: Tensor, target: Tensor, who: string): void {
  if (sameShape(x.shape, target.shape)) return;
  throw new ShapeError(`${who}: the prediction is ${showShape(x.shape)}, the target ${showShape(target.shape)}`, {
    why: "every element needs its own target; losses do not broadcast",
    help: `target.reshape([${x.shape.join(", ")}]) if it has the same elements`,
  });
}

/** A number > 0. */
export function checkPositive(value: number, who: string): number {
  if (typeof value === "number" && value > 0 && Number.isFinite(value)) return value;
  throw new ArgumentError(`${who} is ${String(value)}`, { help: "a finite number above 0" });
}
