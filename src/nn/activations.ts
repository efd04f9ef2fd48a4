/**
 * Activations as functions, for formulas and for `Sequential`: `new Sequential(new Linear(784, 300), relu, new Linear(300, 10))`.
 * They keep the shape, and say so in their types; what has options is called with them: `(x) => leakyRelu(x, 0.2)`.
 */
import { ShapeError } from "../core/errors.ts";
import type { Shape } from "../core/shape-types.ts";
import type { Tensor } from "../index.ts";
import * as gradus from "../index.ts";
import { checkTensor } from "./arguments.ts";
import type { FlattenShapes, SameShapes } from "./shapes.ts";

/** A function of one tensor that keeps its shape. */
export interface Activation {
  <S extends Shape>(x: Tensor<S>): Tensor<S>;
  readonly shapes?: SameShapes;
}

/** A method as a function of this name, which says what it got by mistake. */
function activation(name: string, f: (x: Tensor) => Tensor): Activation {
  const checked = (x: Tensor): Tensor => {
    checkTensor(x, name);
    return f(x);
  };
  // Names in the source do not survive minification.
  return Object.defineProperty(checked, "name", { value: name }) as Activation;
}

/** max(x, 0); gradient 0 at 0. */
export const relu: Activation = activation("relu", (x) => x.relu());

/** The hyperbolic tangent. */
export const tanh: Activation = activation("tanh", (x) => x.tanh());

/** 1 / (1 + e⁻ˣ). */
export const sigmoid: Activation = activation("sigmoid", (x) => x.sigmoid());

/** x · sigmoid(x), also called swish. Elfwing, Uchibe and Doya 2018. */
export const silu: Activation = activation("silu", (x) => x.silu());

/** log(1 + eˣ), a smooth ReLU that neither overflows nor underflows. Gradient sigmoid(x), at 0 too. Dugas et al. 2001. */
export const softplus: Activation = activation("softplus", (x) => x.softplus());

/** x / (1 + |x|). */
export const softsign: Activation = activation("softsign", (x) => x.softsign());

/** min(max(x, 0), 6); gradient 0 at 0 and at 6. Krizhevsky 2010. */
export const relu6: Activation = activation("relu6", gradus.relu6);

/** min(max(x + 3, 0), 6) / 6: a sigmoid of straight lines. */
export const hardsigmoid: Activation = activation("hardsigmoid", gradus.hardsigmoid);

/** x · hardsigmoid(x). Howard et al. 2019. */
export const hardswish: Activation = activation("hardswish", gradus.hardswish);

/** x − tanh x. */
export const tanhshrink: Activation = activation("tanhshrink", gradus.tanhshrink);

/** x where x > 0, else slope · x. Maas, Hannun and Ng 2013. */
export function leakyRelu<S extends Shape>(x: Tensor<S>, slope = 0.01): Tensor<S> {
  checkTensor(x, "leakyRelu");
  return x.leakyRelu(slope);
}

/** x where x > 0, else alpha · (eˣ − 1). Clevert, Unterthiner and Hochreiter 2016. */
export function elu<S extends Shape>(x: Tensor<S>, alpha = 1): Tensor<S> {
  checkTensor(x, "elu");
  return x.elu(alpha);
}

/** x where x > 0, else α · (e^(x/α) − 1): as `elu`, but its slope has no jump at 0. Barron 2017. */
export function celu<S extends Shape>(x: Tensor<S>, alpha = 1): Tensor<S> {
  checkTensor(x, "celu");
  return gradus.celu(x, alpha);
}

/** x between low and high, and these beyond; gradient 0 at the ends, too. */
export function hardtanh<S extends Shape>(x: Tensor<S>, low = -1, high = 1): Tensor<S> {
  checkTensor(x, "hardtanh");
  return gradus.hardtanh(x, low, high);
}

/** x − λ above λ, x + λ below −λ, and 0 between. */
export function softshrink<S extends Shape>(x: Tensor<S>, lambda = 0.5): Tensor<S> {
  checkTensor(x, "softshrink");
  return gradus.softshrink(x, lambda);
}

/** x where |x| > λ, else 0. */
export function hardshrink<S extends Shape>(x: Tensor<S>, lambda = 0.5): Tensor<S> {
  checkTensor(x, "hardshrink");
  return gradus.hardshrink(x, lambda);
}

/**
 * x · Φ(x) with the normal distribution function Φ(x) = (1 + erf(x / √2)) / 2,
 * or with "tanh" x · (1 + tanh(√(2/π) · (x + 0.044715 x³))) / 2. Hendrycks and Gimpel 2016.
 */
export function gelu<S extends Shape>(x: Tensor<S>, approximate: "none" | "tanh" = "none"): Tensor<S> {
  checkTensor(x, "gelu");
  return x.gelu(approximate);
}

/** eˣ / Σ eˣ along an axis, the last unless said. */
export function softmax<S extends Shape>(x: Tensor<S>, axis = -1): Tensor<S> {
  checkTensor(x, "softmax");
  return x.softmax(axis);
}

/** log softmax(x), computed as x − logSumExp(x): finite for any finite x. */
export function logSoftmax<S extends Shape>(x: Tensor<S>, axis = -1): Tensor<S> {
  checkTensor(x, "logSoftmax");
  return x.logSoftmax(axis);
}

/** [n, …] → [n, the product of the rest]: one row per example. */
export const flatten: { (x: Tensor): Tensor; readonly shapes?: FlattenShapes } = (x: Tensor): Tensor => {
  checkTensor(x, "flatten");
  if (x.shape.length === 0) throw new ShapeError("flatten: a scalar has no axis for the examples", { help: "x.reshape([1, 1])" });
  return x.flatten(1);
};
