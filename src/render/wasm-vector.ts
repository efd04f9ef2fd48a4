/** Vector expressions of the WebAssembly printer: one table per family of operations. */
import { InternalError } from "../core/errors.ts";
import type { Lane, Vec, VecBinary, VecCompare, VecUnary } from "../kernel/loop.ts";
import { convert, words } from "./wasm-convert.ts";
import {
  type Bytes,
  call,
  type FunctionWriter,
  f32x4,
  f64x2,
  giveBack,
  i32,
  i32x4,
  i64x2,
  local,
  TYPE,
  v128,
  when,
} from "./wasm-encoder.ts";
import { printGather, printLoad } from "./wasm-memory.ts";
import { type Scope, widthOf } from "./wasm-scope.ts";

type Instruction = (...operands: Bytes[]) => Bytes;
type ByLane = Partial<Record<Lane, Instruction>>;

const ints = (instruction: Instruction): ByLane => ({ i32: instruction, u32: instruction });
const every = (instruction: Instruction): ByLane => ({
  f32: instruction, f64: instruction, i32: instruction, u32: instruction, mask32: instruction, mask64: instruction,
}); // biome-ignore format: one row

const UNARY = {
  neg: { f32: f32x4.neg, f64: f64x2.neg, ...ints(i32x4.neg) },
  abs: { f32: f32x4.abs, f64: f64x2.abs, i32: i32x4.abs, u32: (x = []) => x },
  sqrt: { f32: f32x4.sqrt, f64: f64x2.sqrt },
  floor: { f32: f32x4.floor, f64: f64x2.floor },
  ceil: { f32: f32x4.ceil, f64: f64x2.ceil },
  trunc: { f32: f32x4.trunc, f64: f64x2.trunc },
  nearest: { f32: f32x4.nearest, f64: f64x2.nearest },
  not: every(v128.not),
} satisfies Record<VecUnary, ByLane>;

const BINARY = {
  add: { f32: f32x4.add, f64: f64x2.add, ...ints(i32x4.add) },
  sub: { f32: f32x4.sub, f64: f64x2.sub, ...ints(i32x4.sub) },
  mul: { f32: f32x4.mul, f64: f64x2.mul, ...ints(i32x4.mul) },
  div: { f32: f32x4.div, f64: f64x2.div },
  pmin: { f32: f32x4.pmin, f64: f64x2.pmin, i32: i32x4.minS, u32: i32x4.minU },
  pmax: { f32: f32x4.pmax, f64: f64x2.pmax, i32: i32x4.maxS, u32: i32x4.maxU },
  floordiv: {},
  mod: {},
  and: every(v128.and),
  or: every(v128.or),
  xor: every(v128.xor),
} satisfies Record<VecBinary, ByLane>;

/** By the operands' lane. Masks count as false < true: as unsigned words, or as signed ones the other way round. */
const COMPARE = {
  eq: { f32: f32x4.eq, f64: f64x2.eq, i32: i32x4.eq, u32: i32x4.eq, mask32: i32x4.eq, mask64: i64x2.eq },
  ne: { f32: f32x4.ne, f64: f64x2.ne, i32: i32x4.ne, u32: i32x4.ne, mask32: i32x4.ne, mask64: i64x2.ne },
  lt: { f32: f32x4.lt, f64: f64x2.lt, i32: i32x4.ltS, u32: i32x4.ltU, mask32: i32x4.ltU, mask64: i64x2.gtS },
  le: { f32: f32x4.le, f64: f64x2.le, i32: i32x4.leS, u32: i32x4.leU, mask32: i32x4.leU, mask64: i64x2.geS },
} satisfies Record<VecCompare, ByLane>;

function instruction(table: ByLane, op: string, lane: Lane): Instruction {
  const found = table[lane];
  if (!found) throw new InternalError(`wasm: there is no ${op} of ${lane}`);
  return found;
}

type Of<Op extends string> = Extract<Vec, { readonly op: Op }>;
type Printers = { readonly [Op in Exclude<Vec, { readonly kind: "vec" }>["op"]]: (scope: Scope, e: Of<Op>) => Bytes };

const unary = (scope: Scope, { op, args, lane }: Of<VecUnary>): Bytes => instruction(UNARY[op], op, lane)(scope.vec(args[0]));
const binary = (scope: Scope, { op, args, lane }: Of<VecBinary>): Bytes =>
  op === "floordiv" || op === "mod"
    ? divide(scope, op, args, lane)
    : instruction(BINARY[op], op, lane)(scope.vec(args[0]), scope.vec(args[1]));

function compare(scope: Scope, { op, args, lane }: Of<VecCompare>): Bytes {
  const from = args[0].lane;
  const result = instruction(COMPARE[op], op, from)(scope.vec(args[0]), scope.vec(args[1]));
  return convert(scope, result, widthOf(from) === 8 ? "mask64" : "mask32", lane);
}

const shift =
  (by32: Instruction) =>
  (scope: Scope, { op, args, by, lane }: Of<"shl" | "shr">): Bytes => {
    if (lane !== "i32" && lane !== "u32") throw new InternalError(`wasm: there is no ${op} of ${lane}`);
    return by >= 32 ? scope.zero() : by32(scope.vec(args[0]), i32.const(by));
  };

const half =
  (first: number) =>
  (scope: Scope, { args }: Of<"low" | "high">): Bytes =>
    v128.shuffle(scope.vec(args[0]), scope.zero(), words(first, first + 2, first, first + 2));

const PRINT: Printers = {
  splat: (scope, { value, lane }) => scope.constant(splatBytes(value, lane)),
  splatInt: (scope, { value }) => (typeof value === "number" ? scope.splat32(value) : i32x4.splat(scope.int(value))),
  ramp: (scope, { value }) => {
    const steps = scope.constant(new Uint8Array(Int32Array.of(0, 1, 2, 3).buffer));
    return value === 0 ? steps : i32x4.add(i32x4.splat(scope.int(value)), steps);
  },
  load: printLoad,
  gather: printGather,
  neg: unary,
  abs: unary,
  sqrt: unary,
  floor: unary,
  ceil: unary,
  trunc: unary,
  nearest: unary,
  not: unary,
  add: binary,
  sub: binary,
  mul: binary,
  div: binary,
  pmin: binary,
  pmax: binary,
  floordiv: binary,
  mod: binary,
  and: binary,
  or: binary,
  xor: binary,
  shl: shift(i32x4.shl),
  shr: shift(i32x4.shrU),
  fma: (scope, { args, lane }) => {
    const [a, b, c] = args.map((x) => scope.vec(x)) as [Bytes, Bytes, Bytes];
    if (scope.relaxed && lane === "f32") return f32x4.relaxedMadd(a, b, c);
    if (scope.relaxed && lane === "f64") return f64x2.relaxedMadd(a, b, c);
    return instruction(BINARY.add, "fma", lane)(instruction(BINARY.mul, "fma", lane)(a, b), c);
  },
  eq: compare,
  ne: compare,
  lt: compare,
  le: compare,
  select: (scope, { args, lane }) => {
    const wide = widthOf(lane) === 8;
    const mask = convert(scope, scope.vec(args[0]), args[0].lane, wide ? "mask64" : "mask32");
    // On all ones and all zeros the relaxed forms mean the same, and are one instruction (a blend) instead of three.
    const choose = scope.relaxed ? (wide ? i64x2.relaxedSelect : i32x4.relaxedSelect) : v128.bitselect;
    return choose(scope.vec(args[1]), scope.vec(args[2]), mask);
  },
  convert: (scope, { args, lane }) => convert(scope, scope.vec(args[0]), args[0].lane, lane),
  bitcast: (scope, { args, lane }) => {
    if (widthOf(args[0].lane) !== widthOf(lane)) throw new InternalError(`wasm: ${args[0].lane} has not the width of ${lane}`);
    return scope.vec(args[0]);
  },
  pair: (scope, { args }) => v128.shuffle(scope.vec(args[0]), scope.vec(args[1]), words(0, 4, 1, 5)),
  low: half(0),
  high: half(1),
  shuffle: (scope, { args, pick, lane }) => {
    const wide = widthOf(lane) / 4;
    const perVector = 4 / wide;
    const slots = Array.from({ length: perVector }, (_, l) => pick[l % pick.length]!);
    const places = slots.map((p) => (p < scope.lanes ? p : perVector + p - scope.lanes));
    return v128.shuffle(scope.vec(args[0]), scope.vec(args[1]), words(...places.flatMap((p) => (wide === 1 ? [p] : [2 * p, 2 * p + 1]))));
  },
  across,
};

export function printVec(scope: Scope, value: Vec): Bytes {
  if ("kind" in value) return local.get(scope.index(value));
  return (PRINT[value.op] as (scope: Scope, e: Vec) => Bytes)(scope, value);
}

function splatBytes(value: number, lane: Lane): Uint8Array {
  if (lane === "f64") return new Uint8Array(new Float64Array(2).fill(value).buffer);
  if (lane === "f32") return new Uint8Array(new Float32Array(4).fill(value).buffer);
  const bits = lane === "mask32" || lane === "mask64" ? (value ? -1 : 0) : value;
  return new Uint8Array(new Int32Array(4).fill(bits).buffer);
}

/** Each step puts the two halves under each other in all lanes, so that every lane computes the same. */
function across(scope: Scope, { combine, args, lane }: Of<"across">): Bytes {
  const wide = widthOf(lane) === 8;
  const apply = instruction(BINARY[combine], combine, lane);
  const code: Bytes[] = [];
  let value = scope.vec(args[0]);
  for (let span = scope.lanes / 2; span >= 1; span /= 2) {
    const kept = scope.keep(TYPE.v128, value);
    const pick = (from: number): Bytes => {
      const slots = Array.from({ length: wide ? 2 : 4 }, (_, l) => from + (l % span));
      return v128.shuffle(kept.get, kept.get, words(...slots.flatMap((p) => (wide ? [2 * p, 2 * p + 1] : [p]))));
    };
    code.push(kept.first);
    value = apply(pick(0), pick(span));
  }
  return [code, value];
}

/** Integer division, lane by lane: there is no vector instruction. */
function divide(scope: Scope, op: "floordiv" | "mod", args: readonly [Vec, Vec], lane: Lane): Bytes {
  if (lane !== "i32" && lane !== "u32") throw new InternalError(`wasm: there is no ${op} of ${lane}`);
  const a = scope.keep(TYPE.v128, scope.vec(args[0]));
  const b = scope.keep(TYPE.v128, scope.vec(args[1]));
  const divider = scope.support.divide(op, lane === "i32");
  const quotient = (l: number): Bytes => call(divider, i32x4.extract(a.get, l), i32x4.extract(b.get, l));
  let result = i32x4.splat(quotient(0));
  for (let l = 1; l < scope.lanes; l++) result = i32x4.replace(result, l, quotient(l));
  return [a.first, b.first, result];
}

/** (a, b): ⌊a / b⌋ or a − b·⌊a / b⌋, and 0 where b is 0; −2³¹ / −1 wraps. */
export function writeDivide(writer: FunctionWriter, op: "floordiv" | "mod", isSigned: boolean): void {
  const [a, b] = [local.get(0), local.get(1)];
  writer.emit(when(i32.eqz(b), giveBack(i32.const(0))));
  if (!isSigned) {
    writer.emit(op === "mod" ? i32.remU(a, b) : i32.divU(a, b));
    return;
  }
  writer.emit(when(i32.eq(b, i32.const(-1)), giveBack(op === "mod" ? i32.const(0) : i32.sub(i32.const(0), a))));
  const rest = writer.local(TYPE.i32);
  writer.emit(local.set(rest, i32.remS(a, b)));
  // Division rounds toward 0: one less where the rest is not 0 and has not the divisor's sign.
  const below = i32.and(i32.ne(local.get(rest), i32.const(0)), i32.ltS(i32.xor(local.get(rest), b), i32.const(0)));
  writer.emit(op === "mod" ? i32.add(local.get(rest), i32.mul(b, below)) : i32.sub(i32.divS(a, b), below));
}
