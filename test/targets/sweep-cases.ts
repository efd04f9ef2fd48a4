/** Every function of floats, element by element, and the numbers it is asked for: all of a type's range. */
import type { Value } from "../../src/graph/op.ts";
import * as o from "../../src/ops/index.ts";
import { celu, hardshrink, hardsigmoid, hardswish, hardtanh, relu6, softshrink, tanhshrink } from "../../src/tensor/mathematics.ts";
import { Tensor } from "../../src/tensor/tensor.ts";
import { randomNumbers } from "../ops/samples.ts";

export type FloatType = "float32" | "float64";

/** How far a result may be off: in ulp of itself, or by as much as `floor` (in units of 2⁻²⁴ or 2⁻⁵³) where it is a difference of larger ones. */
export interface Bound {
  readonly ulp: number;
  readonly floor?: number;
}

export interface SweepCase {
  readonly name: string;
  readonly build: (...xs: Value[]) => Value;
  readonly value: Bound;
  /** Missing: it has none. */
  readonly slope?: Bound;
  /** Slopes may overflow that many times before the type's largest number: a factor is multiplied last. */
  readonly early?: number;
  /** Where the slope can be asked for in this type. */
  readonly inside?: (args: readonly number[], dtype: FloatType) => boolean;
}

const EXACT: Bound = { ulp: 0 };
const ROUNDED: Bound = { ulp: 0.5 };
const near = (ulp: number, floor?: number): Bound => (floor === undefined ? { ulp } : { ulp, floor });
const surface = (f: (x: Tensor) => Tensor) => (x: Value) => f(new Tensor(x)).node();

const RANGE = {
  float32: { least: -149, normal: 2 ** -126, most: 127, largest: 3.4028234663852886e38 },
  float64: { least: -1074, normal: 2 ** -1022, most: 1023, largest: Number.MAX_VALUE },
};

/** Where squares are finite. */
const SQUARES = { float32: 2 ** 63, float64: 2 ** 511 };

/** Where √(a² + b²) is finite, which slopes divide by. */
const hasLength = ([a, b]: readonly number[], dtype: FloatType): boolean => Math.hypot(a!, b!) <= RANGE[dtype].largest;

/** … and where its share in each side has all digits. */
const hasNormalSides = (args: readonly number[], dtype: FloatType): boolean =>
  hasLength(args, dtype) && args.every((x) => x === 0 || Math.abs(x) >= RANGE[dtype].normal);

export const UNARY: readonly SweepCase[] = [
  { name: "neg", build: o.neg, value: EXACT, slope: EXACT },
  { name: "abs", build: o.abs, value: EXACT, slope: EXACT },
  { name: "sign", build: o.sign, value: EXACT },
  { name: "relu", build: o.relu, value: EXACT, slope: EXACT },
  { name: "sqrt", build: o.sqrt, value: ROUNDED, slope: near(1.5) },
  { name: "exp", build: o.exp, value: near(2), slope: near(2) },
  { name: "expm1", build: o.expm1, value: near(2), slope: near(2) },
  { name: "log", build: o.log, value: near(2), slope: ROUNDED },
  { name: "log1p", build: o.log1p, value: near(2), slope: near(1.5) },
  { name: "tanh", build: o.tanh, value: near(3), slope: near(3, 4) },
  { name: "sigmoid", build: o.sigmoid, value: near(3), slope: near(5, 2) },
  { name: "erf", build: o.erf, value: near(2), slope: near(400) },
  { name: "sin", build: o.sin, value: near(2), slope: near(2) },
  { name: "cos", build: o.cos, value: near(2), slope: near(2) },
  { name: "log2", build: o.log2, value: near(3), slope: near(1.5) },
  { name: "asin", build: o.asin, value: near(4), slope: near(2) },
  { name: "acos", build: o.acos, value: near(4), slope: near(2) },
  { name: "atan", build: o.atan, value: near(3), slope: near(2), inside: ([x], dtype) => Math.abs(x!) < SQUARES[dtype] },
  { name: "sinh", build: o.sinh, value: near(4), slope: near(4) },
  { name: "cosh", build: o.cosh, value: near(4), slope: near(4) },
  { name: "asinh", build: o.asinh, value: near(4), slope: near(3) },
  { name: "acosh", build: o.acosh, value: near(4), slope: near(3) },
  { name: "atanh", build: o.atanh, value: near(4), slope: near(3), inside: ([x]) => Math.abs(x!) <= 1 },
  { name: "floor", build: o.floor, value: EXACT },
  { name: "ceil", build: o.ceil, value: EXACT },
  { name: "trunc", build: o.trunc, value: EXACT },
  { name: "round", build: o.round, value: EXACT },
  { name: "to int32", build: (x) => o.cast(x, "int32"), value: EXACT },
  { name: "to uint32", build: (x) => o.cast(x, "uint32"), value: EXACT },
  { name: "to uint8", build: (x) => o.cast(x, "uint8"), value: EXACT },
  { name: "to bool", build: (x) => o.cast(x, "bool"), value: EXACT },
  { name: "to float32", build: (x) => o.cast(x, "float32"), value: ROUNDED, slope: EXACT },
  { name: "to float64", build: (x) => o.cast(x, "float64"), value: EXACT, slope: EXACT },
  { name: "is NaN", build: o.isNaN, value: EXACT },
  { name: "is finite", build: o.isFinite, value: EXACT },
  { name: "square", build: o.square, value: ROUNDED, slope: EXACT },
  { name: "reciprocal", build: o.reciprocal, value: ROUNDED, slope: near(2) },
  { name: "rsqrt", build: surface((x) => x.rsqrt()), value: near(1.5), slope: near(4) },
  { name: "tan", build: surface((x) => x.tan()), value: near(5), slope: near(9) },
  { name: "softplus", build: surface((x) => x.softplus()), value: near(4), slope: near(3) },
  { name: "logSigmoid", build: surface((x) => x.logSigmoid()), value: near(4), slope: near(3) },
  { name: "softsign", build: surface((x) => x.softsign()), value: near(2), slope: near(4) },
  { name: "silu", build: surface((x) => x.silu()), value: near(60), slope: near(8, 64) },
  { name: "mish", build: surface((x) => x.mish()), value: near(60), slope: near(20, 8) },
  { name: "elu", build: surface((x) => x.elu()), value: near(2), slope: near(2) },
  { name: "elu of 0.5", build: surface((x) => x.elu(0.5)), value: near(2), slope: near(2) },
  { name: "selu", build: surface((x) => x.selu()), value: near(4), slope: near(4) },
  { name: "celu", build: surface((x) => celu(x)), value: near(2), slope: near(2) },
  { name: "celu of 0.5", build: surface((x) => celu(x, 0.5)), value: near(2), slope: near(2) },
  { name: "hardtanh", build: surface((x) => hardtanh(x)), value: EXACT, slope: EXACT },
  { name: "relu6", build: surface(relu6), value: EXACT, slope: EXACT },
  { name: "hardsigmoid", build: surface(hardsigmoid), value: near(2), slope: ROUNDED },
  { name: "hardswish", build: surface(hardswish), value: near(3), slope: near(3, 4) },
  { name: "tanhshrink", build: surface(tanhshrink), value: near(3, 4), slope: near(8) },
  { name: "softshrink", build: surface((x) => softshrink(x)), value: ROUNDED, slope: EXACT },
  { name: "hardshrink", build: surface((x) => hardshrink(x)), value: EXACT, slope: EXACT },
  { name: "leakyRelu", build: surface((x) => x.leakyRelu()), value: near(1), slope: EXACT },
  { name: "gelu", build: surface((x) => x.gelu()), value: near(4, 8), slope: near(8, 8) },
  { name: "gelu by tanh", build: surface((x) => x.gelu("tanh")), value: near(4, 8), slope: near(8, 32) },
  ...[0, 1, 2, 3, 4, -1, -2, 0.5, -0.5, 2.5, -3.75].map(
    (k): SweepCase => ({
      name: `x^${k}`,
      build: (x) => o.pow(x, o.scalarLike(x, k)),
      value: near(2),
      slope: near(4),
      early: 4,
    }),
  ),
];

export const BINARY: readonly SweepCase[] = [
  { name: "add", build: o.add, value: ROUNDED, slope: EXACT },
  { name: "sub", build: o.sub, value: ROUNDED, slope: EXACT },
  { name: "mul", build: o.mul, value: ROUNDED, slope: EXACT },
  { name: "div", build: o.div, value: ROUNDED, slope: near(3) },
  { name: "maximum", build: o.maximum, value: EXACT, slope: EXACT },
  { name: "minimum", build: o.minimum, value: EXACT, slope: EXACT },
  { name: "floorDiv", build: o.floorDiv, value: EXACT },
  { name: "fmod", build: o.fmod, value: EXACT, slope: EXACT },
  { name: "mod", build: o.mod, value: ROUNDED, slope: EXACT },
  // The slope is b·aᵇ⁻¹: b − 1 must not be rounded, nor the power overflow.
  {
    name: "pow",
    build: o.pow,
    value: near(1.5),
    slope: near(8),
    early: 2 ** 24,
    inside: ([a, b], dtype) => dtype === "float64" || (Math.fround(b! - 1) === b! - 1 && (a === 0 || Math.abs(a!) ** (b! - 1) < 3e38)),
  },
  { name: "hypot", build: o.hypot, value: near(3), slope: near(4), inside: hasLength },
  { name: "atan2", build: o.atan2, value: near(4), slope: near(6), inside: hasNormalSides },
  { name: "xlogy", build: o.xlogy, value: near(4), slope: near(4) },
  { name: "eq", build: o.eq, value: EXACT },
  { name: "ne", build: o.ne, value: EXACT },
  { name: "lt", build: o.lt, value: EXACT },
  { name: "le", build: o.le, value: EXACT },
  { name: "select", build: (a, b) => o.select(o.lt(a, b), a, o.neg(b)), value: EXACT, slope: EXACT },
];

/** Where functions change: ends of ranges, poles, multiples of π, limits of integers. */
const SPECIAL = [
  1, 2, 3, 0.5, 0.25, 1.5, 2.5, 3.5, 7, 9.1, 10, 17.3, 20, 36.7, 40, 88.7228, 103.97, 709.78, 745.13, 1e5, 1e6, 7e6, 1e7, 4e15, 1e18,
  Math.PI / 4, Math.PI / 2, Math.PI, 3 * Math.PI, 355, 103993, 255, 256, 2 ** 23, 2 ** 24, 2 ** 31, 2 ** 32, 2 ** 52, 2 ** 53,
]; // biome-ignore format: a list

const words = new DataView(new ArrayBuffer(8));

/** The next float of a type away from 0 (`by` 1) or towards it (−1). */
function neighbour(x: number, dtype: FloatType, by: number): number {
  if (dtype === "float32") {
    words.setFloat32(0, x);
    words.setInt32(0, words.getInt32(0) + by);
    return words.getFloat32(0);
  }
  words.setFloat64(0, x);
  words.setBigInt64(0, words.getBigInt64(0) + BigInt(by));
  return words.getFloat64(0);
}

/** Both signs of: nothing, every power of two with a number beside it, special numbers and their neighbours, both ends; and NaN. */
export function numbersOf(dtype: FloatType): number[] {
  const { least, normal, most, largest } = RANGE[dtype];
  const random = randomNumbers(11);
  const sizes: number[] = [0, Number.POSITIVE_INFINITY, largest, neighbour(largest, dtype, -1), neighbour(normal, dtype, -1), normal];
  for (let exponent = least; exponent <= most; exponent++) sizes.push(2 ** exponent, 2 ** exponent * (1 + random()));
  for (const x of SPECIAL) {
    const stored = dtype === "float32" ? Math.fround(x) : x;
    sizes.push(stored, neighbour(stored, dtype, 1), neighbour(stored, dtype, -1));
  }
  return bothSigns(sizes, dtype);
}

const bothSigns = (sizes: readonly number[], dtype: FloatType): number[] =>
  [...sizes.flatMap((x) => [x, -x]), Number.NaN].map((x) => (dtype === "float32" ? Math.fround(x) : x));

/** All pairs of fewer numbers: every kind, and exponents far apart. */
export function pairsOf(dtype: FloatType): [number[], number[]] {
  const { least, normal, most, largest } = RANGE[dtype];
  const sizes = [
    0,
    2 ** least,
    normal,
    largest,
    Number.POSITIVE_INFINITY,
    1,
    neighbour(1, dtype, 1),
    neighbour(1, dtype, -1),
    3,
    7,
    0.3,
    2.5,
    1e9,
  ];
  const step = Math.floor((most - least) / 14);
  for (let exponent = least + 5; exponent < most; exponent += step) sizes.push(1.7 * 2 ** exponent);
  const list = bothSigns(sizes, dtype);
  return [list.flatMap((x) => list.map(() => x)), list.flatMap(() => list)];
}
