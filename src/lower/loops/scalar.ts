/** Basic scalar operations of an expression, over lanes. */
import type { DType } from "../../core/dtype.ts";
import { InternalError } from "../../core/errors.ts";
import type { BasicOp, Scalar } from "../../kernel/expr.ts";
import type { Lane, Vec, VecCompare } from "../../kernel/loop.ts";

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

/** `bind` gives a name to what is used twice. */
type Rule = (e: Scalar, args: readonly Vec[], bind: (v: Vec) => Vec) => Vec;

/** The operation of the same name over lanes. */
const plain: Rule = ({ op, dtype }, args) => {
  const lane = laneOf(dtype);
  return { op, args: args.map((x) => asLane(x, lane)), lane } as unknown as Vec;
};
const comparing: Rule = ({ op }, [a, b]) => comparison(op as VecCompare, a!, b!);
const logic: Rule = (e, args, bind) => (e.dtype === "bool" ? logical(e.op as "and", args) : plain(e, args, bind));
const half: Rule = ({ op }, [x]) => ({ op: op as "low", args: [x!], lane: "u32" });

const shift: Rule = (e, [x]) => {
  const by = e.args[1]!;
  if (by.op !== "const") throw new InternalError(`${e.op} by a count that is not a constant`);
  return { op: e.op as "shl", args: [x!], by: by.value, lane: laneOf(e.dtype) };
};

function chosen([mask, yes, no]: readonly Vec[]): Vec {
  const lane = isMask(yes!.lane) ? "mask32" : yes!.lane;
  return { op: "select", args: [asLane(mask!, maskFor(lane)), asLane(yes!, lane), asLane(no!, lane)], lane };
}

const RULES: Record<BasicOp, Rule> = {
  add: plain,
  sub: plain,
  mul: plain,
  div: plain,
  neg: plain,
  abs: plain,
  sqrt: plain,
  fma: plain,
  pmin: plain,
  pmax: plain,
  floor: plain,
  ceil: plain,
  trunc: plain,
  nearest: plain,
  floordiv: plain,
  mod: plain,
  shl: shift,
  shr: shift,
  and: logic,
  or: logic,
  xor: logic,
  not: logic,
  eq: comparing,
  ne: comparing,
  lt: comparing,
  le: comparing,
  select: (_, args) => chosen(args),
  cast: (e, [x], bind) => castTo(x!, e.dtype, bind),
  bitcast: (e, [x]) => (x!.lane === laneOf(e.dtype) ? x! : { op: "bitcast", args: [x!], lane: laneOf(e.dtype) }),
  pair: (_, [low, high]) => ({ op: "pair", args: [asLane(low!, "u32"), asLane(high!, "u32")], lane: "f64" }),
  low: half,
  high: half,
};

/** One operation over operands that are already vectors; `bind` gives a name to what is used twice. */
export const scalarToVec: Rule = (e, args, bind) => RULES[e.op](e, args, bind);

function comparison(op: VecCompare, a: Vec, b: Vec): Vec {
  if (!isMask(a.lane)) return { op, args: [a, asLane(b, a.lane)], lane: maskFor(a.lane) };
  const [x, y] = [asLane(a, "mask32"), asLane(b, "mask32")];
  const differs: Vec = { op: "xor", args: [x, y], lane: "mask32" };
  if (op === "ne") return differs;
  if (op === "eq") return { op: "not", args: [differs], lane: "mask32" };
  const notX: Vec = { op: "not", args: [x], lane: "mask32" };
  return { op: op === "lt" ? "and" : "or", args: [notX, y], lane: "mask32" };
}

function logical(op: "and" | "or" | "xor" | "not", args: readonly Vec[]): Vec {
  const width = args.every((a) => a.lane === args[0]!.lane) && isMask(args[0]!.lane) ? args[0]!.lane : "mask32";
  const masks = args.map((a) => asLane(a, width));
  if (op === "not") return { op: "not", args: [masks[0]!], lane: width };
  return { op, args: [masks[0]!, masks[1]!], lane: width };
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
