/**
 * Activations as functions, for formulas and for `Sequential`: `new Sequential(new Linear(784, 300), relu, new Linear(300, 10))`.
 * They keep the shape, and say so in their types; what has options is called with them: `(x) => leakyRelu(x, 0.2)`.
 */
import { ShapeError } from "../core/errors.ts";
import type { Shape } from "../core/shape-types.ts";
import type { Tensor } from "../index.ts";
import type { FlattenShapes, SameShapes } from "./shapes.ts";

/** A function of one tensor that keeps its shape. */
export interface Activation {
  <S extends Shape>(x: Tensor<S>): Tensor<S>;
  readonly shapes?: SameShapes;
}

const activation = (f: (x: Tensor) => Tensor): Activation => f as Activation;

/** max(x, 0); gradient 0 at 0. */
export const relu: Activation = activation(function relu(x) {
  return x.relu();
});

/** The hyperbolic tangent. */
export const tanh: Activation = activation(function tanh(x) {
  return x.tanh();
});

/** 1 / (1 + e⁻ˣ). */
export const sigmoid: Activation = activation(function sigmoid(x) {
  return x.sigmoid();
});

/** x · sigmoid(x), also called swish. Elfwing, Uchibe and Doya 2018. */
export const silu: Activation = activation(function silu(x) {
  return x.silu();
});

/** log(1 + eˣ), a smooth ReLU that neither overflows nor underflows. Gradient sigmoid(x), at 0 too. Dugas et al. 2001. */
export const softplus: Activation = activation(function softplus(x) {
  return x.softplus();
});

/** x / (1 + |x|). */
export const softsign: Activation = activation(function softsign(x) {
  return x.softsign();
});

/** x where x > 0, else slope · x. Maas, Hannun and Ng 2013. */
export function leakyRelu<S extends Shape>(x: Tensor<S>, slope = 0.01): Tensor<S> {
  return x.leakyRelu(slope);
}

/** x where x > 0, else alpha · (eˣ − 1). Clevert, Unterthiner and Hochreiter 2016. */
export function elu<S extends Shape>(x: Tensor<S>, alpha = 1): Tensor<S> {
  return x.elu(alpha);
}

/**
 * x · Φ(x) with the normal distribution function Φ(x) = (1 + erf(x / √2)) / 2,
 * or with "tanh" x · (1 + tanh(√(2/π) · (x + 0.044715 x³))) / 2. Hendrycks and Gimpel 2016.
 */
export function gelu<S extends Shape>(x: Tensor<S>, approximate: "none" | "tanh" = "none"): Tensor<S> {
  return x.gelu(approximate);
}

/** eˣ / Σ eˣ along an axis, the last unless said. */
export function softmax<S extends Shape>(x: Tensor<S>, axis = -1): Tensor<S> {
  return x.softmax(axis);
}

/** log softmax(x), computed as x − logSumExp(x): finite for any finite x. */
export function logSoftmax<S extends Shape>(x: Tensor<S>, axis = -1): Tensor<S> {
  return x.logSoftmax(axis);
}

/** [n, …] → [n, the product of the rest]: one row per example. */
export const flatten: { (x: Tensor): Tensor; readonly shapes?: FlattenShapes } = (x: Tensor): Tensor => {
  if (x.shape.length === 0) throw new ShapeError("flatten: a scalar has no axis for the examples", { help: "x.reshape([1, 1])" });
  return x.flatten(1);
};
