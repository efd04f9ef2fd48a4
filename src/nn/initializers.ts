import { ArgumentError, ShapeError, show } from "../core/errors.ts";
import { checkOptions } from "../core/options.ts";
import { type Shape, showShape, sizeOf } from "../core/shape.ts";
import { takeSite } from "../core/site.ts";
import { full, type Generator, type Tensor } from "../index.ts";

/** Makes the first value of a parameter of this shape, drawing from `rng` where it is random. */
export type Initializer = (rng: Generator, shape: Shape) => Tensor;

/** How many units feed an output of the weight, and how many outputs a unit feeds. */
export type Fan = "in" | "out";

export interface KaimingOptions {
  /** Slope of the leaky ReLU that follows: gain = √(2 / (1 + a²)). Default 0, a plain ReLU. */
  readonly a?: number;
  /** Keep the variance forward ("in", the default) or backward ("out"). */
  readonly fan?: Fan;
}

export interface XavierOptions {
  /** Factor of the deviation. Default 1. */
  readonly gain?: number;
}

/** Every element `value`. */
export function constant(value: number): Initializer {
  if (typeof value !== "number") throw new ArgumentError(`constant: ${String(value)} is not a number`);
  return (_, shape) => full(shape, value);
}

/** Every element 0. */
export const zeros: Initializer = constant(0);

/** Every element 1. */
export const ones: Initializer = constant(1);

/** U(low, high). Default U(0, 1). */
export function uniform(low = 0, high = 1): Initializer {
  if (!(Number.isFinite(low) && Number.isFinite(high) && low <= high))
    throw new ArgumentError(`uniform: ${low} … ${high} is not a range`, { help: "two finite numbers, the lower first" });
  return (rng, shape) => rng.uniform(shape, low, high);
}

/** N(mean, sd²). Default N(0, 1). */
export function normal(mean = 0, sd = 1): Initializer {
  if (!(Number.isFinite(mean) && Number.isFinite(sd) && sd >= 0))
    throw new ArgumentError(`normal: mean ${mean} and standard deviation ${sd}`, { help: "finite numbers, the deviation ≥ 0" });
  return (rng, shape) => rng.normal(shape, mean, sd);
}

/** U(±gain · √(6 / (fanIn + fanOut))). Glorot and Bengio 2010, equation 16. */
export function xavierUniform(options: XavierOptions = {}): Initializer {
  const gain = gainOf(options, "xavierUniform");
  return symmetric((shape) => gain * Math.sqrt(6 / bothFans(shape, "xavierUniform")));
}

/** N(0, gain² · 2 / (fanIn + fanOut)). Glorot and Bengio 2010. */
export function xavierNormal(options: XavierOptions = {}): Initializer {
  const gain = gainOf(options, "xavierNormal");
  return (rng, shape) => rng.normal(shape, 0, gain * Math.sqrt(2 / bothFans(shape, "xavierNormal")));
}

/** U(±√(6 / ((1 + a²) · fan))). He, Zhang, Ren and Sun 2015, equations 10 and 14. */
export function kaimingUniform(options: KaimingOptions = {}): Initializer {
  const { a, fan } = kaimingOf(options, "kaimingUniform");
  return symmetric((shape) => Math.sqrt(6 / ((1 + a * a) * Math.max(1, fans(shape, "kaimingUniform")[fan]))));
}

/** N(0, 2 / ((1 + a²) · fan)). He, Zhang, Ren and Sun 2015, equations 10 and 14. */
export function kaimingNormal(options: KaimingOptions = {}): Initializer {
  const { a, fan } = kaimingOf(options, "kaimingNormal");
  return (rng, shape) => rng.normal(shape, 0, Math.sqrt(2 / ((1 + a * a) * Math.max(1, fans(shape, "kaimingNormal")[fan]))));
}

function kaimingOf(options: KaimingOptions, who: string): Required<KaimingOptions> {
  checkOptions(who, options, ["a", "fan"], takeSite);
  const { a = 0, fan = "in" } = options;
  if (!Number.isFinite(a)) throw new ArgumentError(`${who}: a is ${show(a)}`, { help: "the slope, a finite number", site: takeSite() });
  if (fan !== "in" && fan !== "out") throw new ArgumentError(`${who}: fan is ${show(fan)}`, { help: '"in" or "out"', site: takeSite() });
  return { a, fan };
}

function gainOf(options: XavierOptions, who: string): number {
  checkOptions(who, options, ["gain"], takeSite);
  const { gain = 1 } = options;
  if (Number.isFinite(gain)) return gain;
  throw new ArgumentError(`${who}: gain is ${show(gain)}`, { help: "a finite number", site: takeSite() });
}

/**
 * U(±1 / √fanIn): what PyTorch gives the weights and biases of dense and convolutional layers (Kaiming with a = √5).
 * `fanIn` is the layer's, because a bias does not know it.
 */
export const symmetricByFan = (fanIn: number): Initializer => symmetric(() => 1 / Math.sqrt(Math.max(1, fanIn)));

const symmetric =
  (bound: (shape: Shape) => number): Initializer =>
  (rng, shape) => {
    const b = bound(shape);
    return rng.uniform(shape, -b, b);
  };

/** Weights are [out, in, …kernel], as in PyTorch. */
function fans(shape: Shape, who: string): Record<Fan, number> {
  if (shape.length < 2)
    throw new ShapeError(`${who}: a parameter ${showShape(shape)} has no fan in and fan out`, {
      why: "they are sizes of the axes 1 and 0",
      help: "use uniform, normal or zeros for vectors",
    });
  const field = sizeOf(shape.slice(2));
  return { in: shape[1]! * field, out: shape[0]! * field };
}

function bothFans(shape: Shape, who: string): number {
  const fan = fans(shape, who);
  return Math.max(1, fan.in + fan.out);
}
