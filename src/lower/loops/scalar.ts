/** Basic scalar operations of an expression, over lanes. */
import type { DType } from "../../core/dtype.ts";
import { InternalError } from "../../core/errors.ts";
import type { Scalar } from "../../kernel/expr.ts";
import type { Lane, Vec, VecBinary, VecUnary } from "../../kernel/loop.ts";

/** What a dtype is in a register. Booleans are masks as wide as what they came from; 32 bits unless said. */
export function laneOf(dtype: DType): Lane {
  switch (dtype) {
    case "float32":
      return "f32";
    case "float64":
      return "f64";
    case "int32":
      return "i32";
    case "uint32":
    case "uint8":
      return "u32";
    case "bool":
      return "mask32";
  }
}

const isMask = (lane: Lane): lane is "mask32" | "mask64" => lane === "mask32" || lane === "mask64";

/** The mask that chooses between values of a lane type. */
export const maskFor = (lane: Lane): "mask32" | "mask64" => (lane === "f64" || lane === "mask64" ? "mask64" : "mask32");

/** The value in another lane type; a mask becomes 0 or 1, a number is asked whether it is not 0. */
export function asLane(v: Vec, lane: Lane): Vec {
  if (v.lane === lane) return v;
  if ("op" in v && v.op === "splat" && !isMask(v.lane) && !isMask(lane) && lane !== "f32") return { ...v, lane };
  if (isMask(lane) && !isMask(v.lane)) {
    const zero: Vec = { op: "splat", value: 0, lane: v.lane };
    return asLane({ op: "ne", args: [v, zero], lane: maskFor(v.lane) }, lane);
  }
  const narrow = isMask(v.lane) && !isMask(lane) ? asLane(v, maskFor(lane)) : v;
  return { op: "convert", args: [narrow], lane };
}

const UNARY = new Set<string>(["neg", "abs", "sqrt", "floor", "ceil", "trunc", "nearest", "not"] satisfies VecUnary[]);
const BINARY = new Set<string>(["add", "sub", "mul", "div", "pmin", "pmax", "floordiv", "mod", "and", "or", "xor"] satisfies VecBinary[]);

/** One operation over operands that are already vectors; `bind` gives a name to what is used twice. */
export function scalarToVec(e: Scalar, args: readonly Vec[], bind: (v: Vec) => Vec): Vec {
  const lane = e.dtype === "bool" ? "mask32" : laneOf(e.dtype);
  const { op } = e;
  if (op === "eq" || op === "ne" || op === "lt" || op === "le") return comparison(op, args[0]!, args[1]!);
  if (op === "select") {
    const width = isMask(args[1]!.lane) ? "mask32" : args[1]!.lane;
    const [yes, no] = [asLane(args[1]!, width), asLane(args[2]!, width)];
    return { op: "select", args: [asLane(args[0]!, maskFor(width)), yes, no], lane: width };
  }
  if (op === "cast") return castTo(args[0]!, e.dtype, bind);
  if (op === "bitcast") return args[0]!.lane === lane ? args[0]! : { op: "bitcast", args: [args[0]!], lane };
  if (op === "shl" || op === "shr") {
    const by = e.args[1]!;
    if (by.op !== "const") throw new InternalError(`${op} by a count that is not a constant`);
    return { op, args: [args[0]!], by: by.value, lane };
  }
  if (op === "fma") return { op, args: [args[0]!, args[1]!, args[2]!], lane };
  if (op === "pair") return { op, args: [asLane(args[0]!, "u32"), asLane(args[1]!, "u32")], lane: "f64" };
  if (op === "low" || op === "high") return { op, args: [args[0]!], lane: "u32" };
  if (e.dtype === "bool") return logical(op, args);
  if (UNARY.has(op)) return { op: op as VecUnary, args: [asLane(args[0]!, lane)], lane };
  if (BINARY.has(op)) return { op: op as VecBinary, args: [asLane(args[0]!, lane), asLane(args[1]!, lane)], lane };
  throw new InternalError(`${op} should have been expanded before it was lowered`);
}

function comparison(op: "eq" | "ne" | "lt" | "le", a: Vec, b: Vec): Vec {
  if (!isMask(a.lane)) return { op, args: [a, asLane(b, a.lane)], lane: maskFor(a.lane) };
  const [x, y] = [asLane(a, "mask32"), asLane(b, "mask32")];
  const differs: Vec = { op: "xor", args: [x, y], lane: "mask32" };
  if (op === "ne") return differs;
  if (op === "eq") return { op: "not", args: [differs], lane: "mask32" };
  const notX: Vec = { op: "not", args: [x], lane: "mask32" };
  return { op: op === "lt" ? "and" : "or", args: [notX, y], lane: "mask32" };
}

function logical(op: string, args: readonly Vec[]): Vec {
  const width = args.every((a) => a.lane === args[0]!.lane) && isMask(args[0]!.lane) ? args[0]!.lane : "mask32";
  const masks = args.map((a) => asLane(a, width));
  if (op === "not") return { op: "not", args: [masks[0]!], lane: width };
  if (op === "and" || op === "or" || op === "xor") return { op, args: [masks[0]!, masks[1]!], lane: width };
  throw new InternalError(`${op} does not mean anything for bool`);
}

function castTo(x: Vec, dtype: DType, bind: (v: Vec) => Vec): Vec {
  if (dtype === "bool") return isMask(x.lane) ? x : asLane(x, maskFor(x.lane));
  const value = asLane(x, laneOf(dtype));
  if (dtype !== "uint8" || isMask(x.lane)) return value;
  const byte: Vec = { op: "splat", value: 255, lane: "u32" };
  // Floats saturate; integers keep their low bits.
  if (x.lane === "f32" || x.lane === "f64") return { op: "pmin", args: [bind(value), byte], lane: "u32" };
  return { op: "and", args: [bind(value), byte], lane: "u32" };
}
