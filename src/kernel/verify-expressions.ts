/** What can be known of a kernel's expressions without running it: element types, the axes they depend on, and how large whole numbers get. */
import { type DType, isFloat } from "../core/dtype.ts";
import { accessOf, boundsOf, type Call, type Expr, givesPosition, operands, type Scalar } from "./expr.ts";

/** The smallest and the largest value of a whole number, both included. */
export interface Range {
  readonly low: number;
  readonly high: number;
}

const compares = ({ args, dtype }: Scalar): boolean => dtype === "bool" && args[0]!.dtype === args[1]!.dtype;

/** What the types of an operation's operands are, where they are not all the type of its result. */
const OPERANDS: Readonly<Record<string, (e: Scalar) => boolean>> = {
  select: ({ args: [mask, yes, no], dtype }) => mask!.dtype === "bool" && yes!.dtype === dtype && no!.dtype === dtype,
  cast: () => true,
  bitcast: () => true,
  pair: ({ args, dtype }) => dtype === "float64" && args.every((x) => x.dtype === "uint32"),
  low: ({ args, dtype }) => dtype === "uint32" && args[0]!.dtype === "float64",
  high: ({ args, dtype }) => dtype === "uint32" && args[0]!.dtype === "float64",
  shl: ({ args, dtype }) => args[0]!.dtype === dtype && args[1]!.op === "const",
  shr: ({ args, dtype }) => args[0]!.dtype === dtype && args[1]!.op === "const",
  eq: compares,
  ne: compares,
  lt: compares,
  le: compares,
};

/** What is wrong with the types of a node and its operands; undefined where nothing is. */
export function typeFault(e: Expr, dtypeOf: (buffer: number) => DType | undefined): string | undefined {
  switch (e.op) {
    case "const":
    case "index":
    case "accumulator":
    case "parameter":
      return undefined;
    case "inside":
      return undefined;
    case "load":
      return e.dtype === dtypeOf(e.from.buffer) ? undefined : `reads ${dtypeOf(e.from.buffer)} as ${e.dtype}`;
    case "loadAt":
      if (e.at.dtype !== "int32") return `reads at a position that is ${e.at.dtype}`;
      return e.dtype === dtypeOf(e.from.buffer) ? undefined : `reads ${dtypeOf(e.from.buffer)} as ${e.dtype}`;
    case "inRange":
      return e.of.dtype === "int32" ? undefined : `asks whether ${e.of.dtype} is in range`;
    case "reduce":
      return e.dtype === (givesPosition(e.combine) ? "int32" : e.of.dtype) ? undefined : `${e.combine} of ${e.of.dtype} is ${e.dtype}`;
    case "repeat":
      return e.args[0].dtype === "int32" && e.args[1].dtype === e.dtype ? undefined : "a repetition's count or start is of another type";
    default: {
      const same = e.args.every((x) => x.dtype === e.dtype);
      const fine = e.op === "call" ? same && e.callee.types.includes(e.dtype) : (OPERANDS[e.op]?.(e) ?? same);
      return fine ? undefined : `${nameOf(e)} of ${e.args.map((x) => x.dtype).join(", ")} is ${e.dtype}`;
    }
  }
}

/** The axes each node depends on; nodes come operands first. */
export function axesOf(nodes: readonly Expr[]): Map<Expr, Set<number>> {
  const axes = new Map<Expr, Set<number>>();
  for (const e of nodes) {
    const own = new Set(operands(e).flatMap((x) => [...axes.get(x)!]));
    if (e.op === "index") own.add(e.axis);
    for (const { strides } of [accessOf(e) ?? [], boundsOf(e)].flat()) strides.forEach((s, a) => s !== 0 && own.add(a));
    if (e.op === "reduce") for (const a of e.over) own.delete(a);
    axes.set(e, own);
  }
  return axes;
}

/** The range of a whole number, from those of its operands; undefined where nothing is known. */
export function rangeOf(e: Expr, sizes: readonly number[], known: (e: Expr) => Range | undefined): Range | undefined {
  if (isFloat(e.dtype)) return e.op === "const" ? { low: e.value, high: e.value } : undefined;
  switch (e.op) {
    case "const":
      return { low: e.value, high: e.value };
    case "index":
      return { low: 0, high: Math.max(0, sizes[e.axis]! - 1) };
    case "inRange":
      return { low: 0, high: e.bound - 1 };
    case "reduce":
      if (givesPosition(e.combine)) return { low: 0, high: Math.max(0, e.over.reduce((n, a) => n * sizes[a]!, 1) - 1) };
      return e.combine === "max" || e.combine === "min" ? known(e.of) : undefined;
    case "load":
    case "loadAt":
    case "accumulator":
    case "inside":
    case "parameter":
    case "repeat":
      return undefined;
    default:
      return scalarRange(e, e.args.map(known));
  }
}

const nameOf = (e: Scalar | Call): string => (e.op === "call" ? e.callee.name : e.op);

function scalarRange(e: Scalar | Call, ranges: readonly (Range | undefined)[]): Range | undefined {
  const { args, dtype } = e;
  const op = nameOf(e);
  if (dtype === "bool") return { low: 0, high: 1 };
  if (op === "select") return ranges[1] && ranges[2] && spanning([ranges[1].low, ranges[1].high, ranges[2].low, ranges[2].high]);
  const [a, b] = ranges;
  if (op === "mod" && b && b.low > 0) return { low: 0, high: b.high - 1 };
  if (!a) return undefined;
  if (op === "cast") return args[0]!.dtype === "bool" || a.low >= 0 ? a : undefined;
  if (op === "neg") return { low: -a.high, high: -a.low };
  if (!b) return undefined;
  const corners = (f: (x: number, y: number) => number): Range => spanning([a.low, a.high].flatMap((x) => [f(x, b.low), f(x, b.high)]));
  switch (op) {
    case "add":
      return corners((x, y) => x + y);
    case "sub":
      return corners((x, y) => x - y);
    case "mul":
      return corners((x, y) => x * y);
    case "floordiv":
      return b.low > 0 ? corners((x, y) => Math.floor(x / y)) : undefined;
    case "min":
    case "pmin":
      return corners(Math.min);
    case "max":
    case "pmax":
      return corners(Math.max);
    default:
      return undefined;
  }
}

const spanning = (numbers: readonly number[]): Range => ({ low: Math.min(...numbers), high: Math.max(...numbers) });
