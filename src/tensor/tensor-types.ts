import type { TypedArray } from "../core/dtype.ts";
import type {
  Broadcast,
  Checked,
  Known,
  MatMul,
  Nested,
  Permute,
  Plain,
  Reduce,
  Reshape,
  Shape,
  ShapeOf,
  Transpose,
} from "../core/shape-types.ts";
import type { Axes } from "../surface/index.ts";
import type { Tensor } from "./tensor.ts";

export type { Axes };

/** What stands beside a tensor in an elementwise operation. Numbers and nested arrays take the tensor's dtype. */
export type Operand = number | boolean | Tensor | readonly Nested[];
/** What a tensor can be made of. */
export type TensorLike = Tensor | Nested | TypedArray;
export type OperandShape<B> = B extends Tensor<infer S> ? S : ShapeOf<B>;

/** B, or the sentence that says why its shape does not broadcast with X's. */
export type Fits<X, B> = Checked<Broadcast<OperandShape<X>, OperandShape<B>>, B>;
export type Joined<X, B> = Tensor<Known<Broadcast<OperandShape<X>, OperandShape<B>>>>;

export type Product<X extends Tensor, B extends Tensor> = Tensor<Known<MatMul<X["shape"], B["shape"]>>>;
export type FitsProduct<X extends Tensor, B extends Tensor> = Checked<MatMul<X["shape"], B["shape"]>, B>;

export type HasAxes<X extends Tensor, I, K extends boolean, Op extends string> = Checked<Reduce<X["shape"], I, K, Op>, I>;
export type Reduced<X extends Tensor, I, K extends boolean, Op extends string> = Tensor<Known<Reduce<X["shape"], I, K, Op>>>;

export type Transposed<X extends Tensor, I extends number = -2, J extends number = -1> = Tensor<Known<Transpose<X["shape"], I, J>>>;
export type HasTwoAxes<X extends Tensor, I extends number, J extends number> = Checked<Transpose<X["shape"], I, J>, I>;
export type Permuted<X extends Tensor, P extends Shape> = Tensor<Known<Permute<X["shape"], P>>>;
export type IsPermutation<X extends Tensor, P extends Shape> = Checked<Permute<X["shape"], P>, P>;
export type Reshaped<T> = Tensor<Known<Reshape<T>>>;
export type CanReshape<T> = Checked<Reshape<T>, T>;
export type Sized<S extends Shape> = Tensor<Plain<S>>;

/** One thing between the brackets of Python's `x[…]`: a position, slices as text, or int32 positions. */
export type Index = number | string | Tensor;
