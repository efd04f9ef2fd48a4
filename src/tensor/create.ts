/** Tensors from JavaScript's numbers, and from nothing. */

import { describe } from "../core/describe.ts";
import { arrayOf, bytesOf, checkDType, type DType, type TypedArray } from "../core/dtype.ts";
import { checkElements, isElement, notAnElement } from "../core/elements.ts";
import { ArgumentError, DTypeError, MemoryError, ShapeError } from "../core/errors.ts";
import { checkOptions } from "../core/options.ts";
import { checkShape, showShape, sizeOf } from "../core/shape.ts";
import type { Checked, Known, Nested, Plain, Shape, ShapeOf } from "../core/shape-types.ts";
import { atUserLine, calledAs } from "../core/site.ts";
import * as ops from "../ops/index.ts";
import { HostStorage } from "../run/storage.ts";
import { castTo, positions, stretch } from "../surface/index.ts";
import { shapeOfNested, writeNested } from "./nested.ts";
import { defaultDType, nodeOf, numberValue } from "./operand.ts";
import { Tensor } from "./tensor.ts";
import type { TensorLike } from "./tensor-types.ts";
import { currentTrace } from "./trace.ts";

export interface DTypeOption {
  readonly dtype?: DType;
}

/** The dtype that options ask for, or the one for when they do not. */
export function dtypeIn(options: DTypeOption | undefined, missing: DType, who: string): DType {
  checkOptions(who, options, ["dtype"]);
  return checkDType(options?.dtype ?? missing, who);
}

/** The shape of what `tensor` is given: a typed array is a vector. */
type Literal<A> = A extends TypedArray ? [number] : ShapeOf<A>;

/** The dtype a typed array stands for. */
export function dtypeOfArray(x: TypedArray, who: string): DType {
  if (x instanceof Float32Array) return "float32";
  if (x instanceof Float64Array) return "float64";
  if (x instanceof Int32Array) return "int32";
  if (x instanceof Uint32Array) return "uint32";
  if (x instanceof Uint8Array || (x as unknown) instanceof Uint8ClampedArray) return "uint8";
  throw new DTypeError(`${who}: ${describe(x)} has no element type`, {
    help: "Float32Array, Float64Array, Int32Array, Uint32Array or Uint8Array",
  });
}

/**
 * A tensor of nested numbers (float32 unless said) or booleans, or of a flat array and a shape. The numbers are copied.
 *
 * @example
 * tensor([[1, 2], [3, 4]]); tensor(pixels, [28, 28]); tensor([3, 1], { dtype: "int32" })
 */
export function tensor<const A extends Nested | TypedArray>(
  values: Checked<Literal<A>, A>,
  options?: DTypeOption,
): Tensor<Known<Literal<A>>>;
export function tensor<const S extends Shape>(values: ArrayLike<number>, shape: S, options?: DTypeOption): Tensor<Plain<S>>;
export function tensor(values: unknown, second?: unknown, third?: unknown): Tensor {
  return atUserLine(() => {
    const shape = Array.isArray(second) ? checkShape(second, "tensor") : undefined;
    const options = ((shape ? third : second) ?? {}) as DTypeOption;
    checkOptions("tensor", options, ["dtype"]);
    if (shape) return fromFlat(values as ArrayLike<number>, shape, options.dtype);
    return asTensor(values as TensorLike, options.dtype, "tensor");
  });
}

function fromFlat(values: ArrayLike<number>, shape: Shape, wanted: DType | undefined): Tensor {
  const size = sizeOf(shape);
  if (typeof values !== "object" || values === null || values.length !== size)
    throw new ShapeError(`tensor: ${values?.length ?? describe(values)} numbers do not fill ${showShape(shape)}`, {
      why: `it has ${size} elements`,
    });
  const dtype = checkDType(
    wanted ?? (ArrayBuffer.isView(values) ? dtypeOfArray(values as TypedArray, "tensor") : defaultDType(values)),
    "tensor",
  );
  if (!ArrayBuffer.isView(values) || wanted) checkElements(values, dtype, "tensor");
  const data = arrayOf(dtype, size);
  data.set(values);
  return held(data, shape, dtype);
}

/** A tensor that holds these elements, which nobody else may write to. */
export function held(data: TypedArray, shape: Shape, dtype: DType): Tensor {
  if (currentTrace()) return new Tensor(ops.constant(data, shape, dtype));
  return new Tensor({ shape, dtype }, { storage: new HostStorage(data) });
}

/** What a user passes where a tensor is meant. Numbers take `dtype` where it is said; a tensor is never cast. */
export function asTensor(x: TensorLike, dtype: DType | undefined, who: string): Tensor {
  if (x instanceof Tensor) return x;
  if (ArrayBuffer.isView(x) && !((x as unknown) instanceof DataView)) return fromFlat(x, [x.length], dtype);
  if (typeof x !== "number" && typeof x !== "boolean" && !Array.isArray(x))
    throw new DTypeError(`${who}: ${describe(x)} is not a tensor`, {
      help: "give a tensor, a number, nested arrays of numbers, or a typed array",
    });
  const type = checkDType(dtype ?? defaultDType(x), who);
  const shape = checkShape(shapeOfNested(x, who), who);
  const data = arrayOf(type, sizeOf(shape));
  writeNested(x, data, type, who);
  return held(data, shape, type);
}

/** Every element one number. */
export function full<const S extends Shape>(shape: S, value: number | boolean, options: DTypeOption = {}): Tensor<Plain<S>> {
  return atUserLine(() => {
    const dtype = dtypeIn(options, defaultDType(value), "full");
    return new Tensor(stretch(numberValue(value, dtype, "full"), checkShape(shape, "full")));
  });
}

const constantly =
  (value: number, who: string) =>
  (shape: Shape, options: DTypeOption = {}) =>
    atUserLine(() => new Tensor(ops.filled(value, checkShape(shape, who), dtypeIn(options, "float32", who))));
const zerosOf = constantly(0, "zeros");
const onesOf = constantly(1, "ones");

/** Every element 0. */
export function zeros<const S extends Shape>(shape: S, options?: DTypeOption): Tensor<Plain<S>> {
  return zerosOf(shape, options);
}
/** Every element 1. */
export function ones<const S extends Shape>(shape: S, options?: DTypeOption): Tensor<Plain<S>> {
  return onesOf(shape, options);
}
function like(x: Tensor, value: number, who: string): Tensor {
  return atUserLine(() => {
    if (!(x instanceof Tensor))
      throw new DTypeError(`${who}: ${describe(x)} is not a tensor`, { help: "zeros(shape) and ones(shape) need none" });
    return new Tensor(ops.filled(value, x.shape, x.dtype));
  });
}

/** 0 in the shape and dtype of another. */
export function zerosLike<S extends Shape>(x: Tensor<S>): Tensor<S> {
  return like(x, 0, "zerosLike");
}
/** 1 in the shape and dtype of another. */
export function onesLike<S extends Shape>(x: Tensor<S>): Tensor<S> {
  return like(x, 1, "onesLike");
}

/** 1 on the diagonal, 0 elsewhere: [n, n], or [n, m]. */
export function eye<const N extends number, const M extends number = N>(n: N, m?: M, options: DTypeOption = {}): Tensor<[N, M]> {
  return atUserLine(() => {
    const shape = checkShape([n, m ?? n], "eye");
    const diagonal = ops.eq(ops.iota(shape, 0), ops.iota(shape, 1));
    return new Tensor(castTo(diagonal, dtypeIn(options, "float32", "eye")));
  });
}

/** 0, 1, … below `stop`; or start, start + step, … int32 if all three are whole numbers, else float32. */
export function arange(stop: number, options?: DTypeOption): Tensor<[number]>;
export function arange(start: number, stop: number, step?: number, options?: DTypeOption): Tensor<[number]>;
export function arange(first: number, second?: number | DTypeOption, third?: number, fourth?: DTypeOption): Tensor {
  return atUserLine(() => {
    const [start, stop] = typeof second === "number" ? [first, second] : [0, first];
    const step = third ?? 1;
    if (![start, stop, step].every(Number.isFinite) || step === 0)
      throw new ArgumentError(`arange: from ${start} to ${stop} in steps of ${step}`, { help: "finite numbers, a step other than 0" });
    const options = typeof second === "object" ? second : fourth;
    const dtype = dtypeIn(options, [start, stop, step].every(Number.isInteger) ? "int32" : "float32", "arange");
    const count = Math.max(0, Math.ceil((stop - start) / step));
    const shape = checkShape([count], "arange");
    if (start === 0 && step === 1 && dtype === "int32") return new Tensor(ops.iota(shape, 0));
    return held(
      filledBy(dtype, count, "arange", (i) => start + i * step),
      shape,
      dtype,
    );
  });
}

/** What a program could hold at all: its memory is addressed with 32 bits. */
const MOST_BYTES = 2 ** 32;

function filledBy(dtype: DType, count: number, who: string, element: (i: number) => number): TypedArray {
  const bytes = count * bytesOf(dtype);
  if (bytes > MOST_BYTES)
    throw new MemoryError(`${who}: ${count} elements of ${dtype} take ${(bytes / 2 ** 30).toFixed(1)} GiB`, {
      why: "a program has at most 4 GiB",
    });
  const array = arrayOf(dtype, count);
  for (let i = 0; i < count; i++) {
    const value = element(i);
    if (!isElement(value, dtype)) throw notAnElement(value, dtype, who, ` at [${i}]`);
    array[i] = value;
  }
  return array;
}

/** `count` numbers from start to stop, both included. */
export function linspace(start: number, stop: number, count: number, options: DTypeOption = {}): Tensor<[number]> {
  return atUserLine(() => {
    if (!Number.isFinite(start) || !Number.isFinite(stop)) throw new ArgumentError(`linspace: ${start} … ${stop} is no range`);
    const shape = checkShape([count], "linspace");
    const dtype = dtypeIn(options, "float32", "linspace");
    const step = (stop - start) / Math.max(1, count - 1);
    return held(
      filledBy(dtype, count, "linspace", (i) => (i > 0 && i === count - 1 ? stop : start + i * step)),
      shape,
      dtype,
    );
  });
}

/** 1 at the position each element names, along a new last axis: [n] → [n, classes]. A position outside 0 … classes − 1 is an error when it runs. */
export function oneHot<const C extends number>(x: Tensor, classes: C, options: DTypeOption = {}): Tensor {
  return atUserLine(() => {
    const label = calledAs("oneHot");
    return new Tensor(ops.oneHot(positions(nodeOf(x, label), label), classes, dtypeIn(options, "float32", label), label));
  }, "oneHot");
}
