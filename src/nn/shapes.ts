/** What layers do to shapes, as types that `Sequential` can chain. */
import type { Chain, Channels, Convolved, Dense, IsAny, Pooled, Shape, ShapeFunction } from "../core/shape-types.ts";
import type { Tensor } from "../index.ts";
import type { Mode } from "./mode.ts";

/** What `Sequential` takes: a module with `forward`, or a function of one tensor. */
export interface Layer {
  readonly shapes?: ShapeFunction | undefined;
  forward(x: any, mode: Mode): Tensor;
}
export type LayerLike = Layer | ((x: Tensor) => Tensor);

/** [..., In] → [..., Out]. */
export interface LinearShapes<In extends number, Out extends number> extends ShapeFunction {
  readonly out: Dense<this["in"], In, Out>;
}
/** [..., In, space] → [..., Out, space of other sizes]. */
export interface ConvolutionShapes<In extends number, Out extends number, Space extends Shape, Op extends string> extends ShapeFunction {
  readonly out: Convolved<this["in"], In, Out, Space, Op>;
}
/** S → S. */
export interface SameShapes extends ShapeFunction {
  readonly out: this["in"];
}
/** [n, …] → [n, number]. */
export interface FlattenShapes extends ShapeFunction {
  readonly out: IsAny<this["in"]> extends true
    ? [number, number]
    : this["in"] extends readonly [infer Count, ...unknown[]]
      ? [Count, number]
      : any;
}
/** [n, C, …] → the same. */
export interface ChannelShapes<C extends number> extends ShapeFunction {
  readonly out: Channels<this["in"], C>;
}
/** [..., c, space] → the same with other sizes of space. */
export interface PoolShapes<Space extends Shape> extends ShapeFunction {
  readonly out: Pooled<this["in"], Space>;
}
/** Any shape → unknown: a function that says nothing. */
interface UnknownShapes extends ShapeFunction {
  readonly out: any;
}
/** A chain of layers is a layer. */
export interface ChainShapes<L> extends ShapeFunction {
  readonly out: ChainOf<L, this["in"]>;
}

/** The output of a chain whose elements may be plain functions and modules without `shapes`. */
export type ChainOf<L, S> = Chain<{ [I in keyof L]: { readonly shapes?: ShapesOf<L[I]> } }, S>;
type ShapesOf<L> = L extends { readonly shapes?: infer F }
  ? IsAny<F> extends true
    ? UnknownShapes
    : [Extract<F, ShapeFunction>] extends [never]
      ? UnknownShapes
      : Extract<F, ShapeFunction>
  : UnknownShapes;

/** `[mode: Mode]` if a layer of the chain requires it, else `[mode?: Mode]`. */
export type ModeOf<L extends readonly unknown[]> = true extends NeedsMode<L[number]> ? [mode: Mode] : [mode?: Mode];
type NeedsMode<L> = L extends { forward(...inputs: infer A): unknown } ? (A extends readonly [any, Mode] ? true : false) : false;
