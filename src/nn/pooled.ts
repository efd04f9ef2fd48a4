/** What layers that pool have in common. */
import type { Checked, Known, Pooled, Shape } from "../core/shape-types.ts";
import { atUserLine } from "../core/site.ts";
import type { Tensor } from "../index.ts";
import { checkInput } from "./arguments.ts";

/** Sizes of as many axes of space, which are known when the graph is built. */
export type Length = [number];
export type Plane = [number, number];
export type Volume = [number, number, number];

/** A tensor that can be pooled over these axes, or the sentence that says why it cannot. */
export type From<S extends Shape, Space extends Shape> = Checked<Pooled<S, Space>, Tensor<S>>;
export type To<S extends Shape, Space extends Shape> = Tensor<Known<Pooled<S, Space>>>;

/** What a pool does to its input, with the layer's name and the user's line in its errors. */
export function pooled(who: string, x: Tensor, rest: readonly unknown[], pool: (x: Tensor) => Tensor): Tensor {
  return atUserLine(() => {
    checkInput(x, rest, who);
    return pool(x);
  }, who);
}
