/** Where graphs end: constants, arguments, variables, positions. */
import { arrayOf, type DType, type TypedArray } from "../core/dtype.ts";
import { InternalError, ShapeError } from "../core/errors.ts";
import { checkAxis, checkShape, type Shape, showShape, sizeOf } from "../core/shape.ts";
import type { Value } from "../graph/op.ts";
import {
  type ArgumentAttributes,
  apply,
  type ConstantAttributes,
  type IotaAttributes,
  type Leaf,
  type Type,
  type VariableAttributes,
} from "../graph/op.ts";
import { broadcastTo } from "./move.ts";

/** A leaf has no inputs: nothing to differentiate, nothing to batch. */
function leaf<A extends Type>(source: Leaf["source"], check: (attributes: A) => void): Leaf<A> {
  return {
    kind: "leaf",
    name: source,
    source,
    infer(_, attributes) {
      check(attributes);
      return { shape: checkShape(attributes.shape, source), dtype: attributes.dtype };
    },
    vjp: () => [],
    batch() {
      throw new InternalError(`${source}: a leaf has no inputs that could be batched`);
    },
  };
}

/** Numbers known when the graph is built, in row-major order. */
export function constant(data: TypedArray, shape: Shape, dtype: DType, options: { lifted?: boolean } = {}): Value {
  return apply(constantOp, [], { data, shape, dtype, ...options });
}
export const constantOp: Leaf<ConstantAttributes> = leaf("constant", ({ data, shape }) => {
  if (data.length !== sizeOf(shape))
    throw new ShapeError(`constant: ${data.length} numbers do not fill ${showShape(shape)}`, { why: `it has ${sizeOf(shape)} elements` });
});

/** One number, of shape []. */
export function scalarConstant(value: number, dtype: DType, options: { lifted?: boolean } = {}): Value {
  const data = arrayOf(dtype, 1);
  data[0] = dtype === "bool" ? Number(value !== 0) : value;
  return constant(data, [], dtype, options);
}

/** Input number `index` of a function that is being traced. */
export function argument(index: number, { shape, dtype }: Type): Value {
  return apply(argumentOp, [], { index, shape, dtype });
}
export const argumentOp: Leaf<ArgumentAttributes> = leaf("argument", () => {});

/** What a cell holds when the program starts. */
export function variable(cell: object, { shape, dtype }: Type): Value {
  return apply(variableOp, [], { cell, shape, dtype });
}
export const variableOp: Leaf<VariableAttributes> = leaf("variable", () => {});

/** A parameter of a body: what is handed to it in its place. */
export function bound({ shape, dtype }: Type): Value {
  return apply(boundOp, [], { shape, dtype });
}
export const boundOp: Leaf<Type> = leaf("bound", () => {});

/** Each element is its position along the axis: iota([2, 3], 1) = [[0, 1, 2], [0, 1, 2]]. */
export function iota(shape: Shape, axis: number, dtype: DType = "int32"): Value {
  return apply(iotaOp, [], { shape, axis: checkAxis(axis, shape.length, "iota"), dtype });
}
export const iotaOp: Leaf<IotaAttributes> = leaf("iota", () => {});

/** One number everywhere. */
export function filled(value: number, shape: Shape, dtype: DType): Value {
  return broadcastTo(scalarConstant(value, dtype), shape, []);
}

export const scalarLike = (x: Type, value: number): Value => filled(value, x.shape, x.dtype);
export const zerosLike = (x: Type): Value => scalarLike(x, 0);
export const onesLike = (x: Type): Value => scalarLike(x, 1);
