/**
 * Random numbers as a function of a key and a position: threefry over (linear index, site). The key is two uint32 scalars, made from
 * a seed and the number of the call; `site` tells the draws of one call apart. Same key and site: same numbers on every target.
 */

import type { DType } from "../core/dtype.ts";
import { DTypeError } from "../core/errors.ts";
import { type Shape, sizeOf } from "../core/shape.ts";
import type { Value } from "../graph/op.ts";
import { add, mul } from "./elementwise.ts";
import { filled, iota, scalarLike } from "./leaf.ts";
import { cast, lt, shiftRight, threefry } from "./logic.ts";
import { log, sqrt } from "./maths.ts";
import { broadcastTo, reshape } from "./move.ts";
import { argsort } from "./serial.ts";
import { cos } from "./trigonometry.ts";

/** Where a draw comes from. */
export interface Draw {
  readonly key0: Value;
  readonly key1: Value;
  /** Tells draws under one key apart: a whole number below 2³². */
  readonly site: number;
}

/** The draw in one turn of a loop: each has another key, made from its number, a uint32 scalar. Turns of turns are told apart by drawing so twice. */
export function drawInTurn({ key0, key1, site }: Draw, turn: Value): Draw {
  const word = (word: 0 | 1): Value => threefry(key0, key1, turn, scalarLike(turn, site), { word });
  return { key0: word(0), key1: word(1), site };
}

/** 32 random bits per element: word 0 or 1 of what threefry makes of the position. */
export function randomBits(key0: Value, key1: Value, site: number, shape: Shape, word: 0 | 1 = 0): Value {
  const position = reshape(iota([sizeOf(shape)], 0, "uint32"), shape);
  return threefry(broadcastTo(key0, shape, []), broadcastTo(key1, shape, []), position, filled(site, shape, "uint32"), { word });
}

const bits = ({ key0, key1, site }: Draw, shape: Shape, word: 0 | 1 = 0): Value => randomBits(key0, key1, site, shape, word);

/** The top 24 bits of a word as float32 in [0, 1), or all bits as float64 in [0, 1). */
function fraction(word: Value, dtype: DType): Value {
  const [value, scale] = dtype === "float32" ? [cast(shiftRight(word, 8), dtype), 2 ** -24] : [cast(word, dtype), 2 ** -32];
  return mul(value, scalarLike(value, scale));
}

function checkFloat(who: string, dtype: DType): void {
  if (dtype !== "float32" && dtype !== "float64") throw new DTypeError(`${who}: gives float32 or float64, not ${dtype}`);
}

/** Uniform in [0, 1): 24 random bits for float32, 53 for float64. */
export function uniform(draw: Draw, shape: Shape, dtype: DType = "float32"): Value {
  checkFloat("uniform", dtype);
  if (dtype === "float32") return fraction(bits(draw, shape), dtype);
  const high = cast(shiftRight(bits(draw, shape), 5), dtype);
  const low = cast(shiftRight(bits(draw, shape, 1), 6), dtype);
  const whole = add(mul(high, scalarLike(high, 2 ** 26)), low);
  return mul(whole, scalarLike(whole, 2 ** -53));
}

/** Normal with mean 0 and variance 1, by Box and Muller (1958): √(−2 ln u) · cos 2πv, with u in (0, 1] from one word and v from the other. */
export function normal(draw: Draw, shape: Shape, dtype: DType = "float32"): Value {
  checkFloat("normal", dtype);
  const u = fraction(bits(draw, shape), dtype);
  const v = fraction(bits(draw, shape, 1), dtype);
  const above0 = add(u, scalarLike(u, dtype === "float32" ? 2 ** -24 : 2 ** -32));
  const radius = sqrt(mul(scalarLike(u, -2), log(above0)));
  return mul(radius, cos(mul(v, scalarLike(v, 2 * Math.PI))));
}

/** True with probability p, a number or a float32 value of the shape. */
export function bernoulli(draw: Draw, p: number | Value, shape: Shape): Value {
  const u = uniform(draw, shape);
  return lt(u, typeof p === "number" ? scalarLike(u, p) : p);
}

/** The int32 numbers 0 … n − 1 in random order. */
export function permutation(draw: Draw, n: number): Value {
  return argsort(bits(draw, [n]), 0);
}
