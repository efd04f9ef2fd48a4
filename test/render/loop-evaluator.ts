/** Runs loop IR one lane at a time over a DataView: what every printer's code must do to memory. */
import type { DType } from "../../src/core/dtype.ts";
import { bytesOf } from "../../src/core/dtype.ts";
import type { Int, Lane, LoopFunction, LoopModule, Statement, Vec } from "../../src/kernel/loop.ts";

type Lanes = number[];
interface Frame {
  readonly ints: Map<string, number>;
  readonly vectors: Map<string, Lanes>;
}

/** What a number becomes in a lane; masks are 0 and 1. */
const INTO: Record<Lane, (x: number) => number> = {
  f32: Math.fround,
  f64: (x) => x,
  i32: (x) => x | 0,
  u32: (x) => x >>> 0,
  mask32: (x) => (x !== 0 ? 1 : 0),
  mask64: (x) => (x !== 0 ? 1 : 0),
};

const isMask = (lane: Lane): boolean => lane === "mask32" || lane === "mask64";
const clamp = (x: number, low: number, high: number): number => (Number.isNaN(x) ? 0 : Math.min(high, Math.max(low, Math.trunc(x))));

function nearestEven(x: number): number {
  const down = Math.floor(x);
  if (!Number.isFinite(x) || x === down) return x;
  const rest = x - down;
  const up = rest > 0.5 || (rest === 0.5 && down % 2 !== 0);
  const result = up ? down + 1 : down;
  return result === 0 && x < 0 ? -0 : result;
}

const UNARY: Record<string, (x: number) => number> = {
  neg: (x) => -x,
  abs: Math.abs,
  sqrt: Math.sqrt,
  floor: Math.floor,
  ceil: Math.ceil,
  trunc: Math.trunc,
  nearest: nearestEven,
};

const mod = (a: number, b: number): number => (b === 0 ? 0 : a - b * Math.floor(a / b));

const BINARY: Record<string, (a: number, b: number) => number> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  // Not Math.min: a NaN or a zero of the other sign must give a.
  // Not Math.min or Math.max: see above
  pmin: (a, b) => (b < a ? b : a),
  // Not Math.min or Math.max: see above
  pmax: (a, b) => (a < b ? b : a),
  floordiv: (a, b) => (b === 0 ? 0 : Math.floor(a / b)),
  mod,
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
  eq: (a, b) => Number(a === b),
  ne: (a, b) => Number(a !== b),
  lt: (a, b) => Number(a < b),
  le: (a, b) => Number(a <= b),
};

export class LoopEvaluator {
  private readonly module: LoopModule;
  private readonly memory: DataView;
  private block = 0;

  constructor(module: LoopModule, memory: ArrayBufferLike) {
    this.module = module;
    this.memory = new DataView(memory);
  }

  /** Calls the entry; `address` is that of the argument block. */
  run(address: number, begin: number, end: number, thread: number): void {
    this.block = address;
    this.call(this.module.entry, [address, begin, end, thread]);
  }

  private call(f: LoopFunction, values: readonly number[]): void {
    const frame: Frame = { ints: new Map(f.parameters.map((p, i) => [p.name, values[i]!])), vectors: new Map() };
    this.all(frame, f.body);
  }

  private all(frame: Frame, statements: readonly Statement[]): void {
    for (const s of statements) this.statement(frame, s);
  }

  private statement(frame: Frame, s: Statement): void {
    switch (s.do) {
      case "int":
        frame.ints.set(s.local.name, this.int(frame, s.value));
        break;
      case "vec":
        frame.vectors.set(s.local.name, this.vec(frame, s.value));
        break;
      case "store":
        this.store(frame, s);
        break;
      case "word":
        this.memory.setInt32(this.int(frame, s.at), this.int(frame, s.value), true);
        break;
      case "for": {
        const to = this.int(frame, s.to);
        const step = this.int(frame, s.step);
        for (let i = this.int(frame, s.from); i < to; i += step) {
          frame.ints.set(s.local.name, i);
          this.all(frame, s.body);
        }
        break;
      }
      case "if":
        this.all(frame, this.int(frame, s.test) !== 0 ? s.then : (s.else ?? []));
        break;
      case "call": {
        const helper = this.module.helpers.find((f) => f.name === s.name)!;
        this.call(
          helper,
          s.arguments.map((x) => this.int(frame, x)),
        );
        break;
      }
      case "report":
        this.report(frame, s);
    }
  }

  private report(frame: Frame, s: Extract<Statement, { do: "report" }>): void {
    const cell = this.int(frame, s.cell);
    const bad = this.vec(frame, s.bad);
    const position = this.vec(frame, s.position);
    const value = this.vec(frame, s.value);
    const count = this.int(frame, s.count);
    for (let l = 0; l < count; l++) {
      if (!bad[l]) continue;
      const word = (BigInt(position[l]! >>> 0) << 32n) | BigInt(value[l]! >>> 0);
      if (word < this.memory.getBigUint64(cell, true)) this.memory.setBigUint64(cell, word, true);
    }
  }

  private store(frame: Frame, s: Extract<Statement, { do: "store" }>): void {
    const at = this.int(frame, s.at);
    const value = this.vec(frame, s.value);
    const width = this.module.lanes;
    const count = "count" in s ? this.int(frame, s.count) : s.form === "first" ? 1 : width;
    const step = s.form === "strided" ? this.int(frame, s.step) : bytesOf(s.dtype);
    for (let l = 0; l < count; l++) this.write(s.dtype, at + l * step, value[l]!);
  }

  private write(dtype: DType, at: number, x: number): void {
    const m = this.memory;
    if (dtype === "float32") m.setFloat32(at, x, true);
    else if (dtype === "float64") m.setFloat64(at, x, true);
    else if (dtype === "int32" || dtype === "uint32") m.setInt32(at, x, true);
    else m.setUint8(at, dtype === "bool" ? Number(x !== 0) : x & 255);
  }

  private read(dtype: DType, at: number): number {
    const m = this.memory;
    if (dtype === "float32") return m.getFloat32(at, true);
    if (dtype === "float64") return m.getFloat64(at, true);
    if (dtype === "int32") return m.getInt32(at, true);
    return dtype === "uint32" ? m.getUint32(at, true) : m.getUint8(at);
  }

  private int(frame: Frame, x: Int): number {
    if (typeof x === "number") return x;
    if ("kind" in x) return frame.ints.get(x.name)!;
    if (x.op === "argument")
      return x.as === "size" ? this.memory.getInt32(this.block + 4 * x.i, true) : this.memory.getUint32(this.block + 4 * x.i, true);
    if (x.op === "word") return this.memory.getInt32(this.int(frame, x.at), true);
    if (x.op === "lane") return this.vec(frame, x.of)[x.lane]!;
    const a = this.int(frame, x.a);
    const b = this.int(frame, x.b);
    if (x.op === "div") return Math.floor(a / b);
    if (x.op === "rem") return a % b;
    if (x.op === "min") return Math.min(a, b);
    return BINARY[x.op]!(a, b);
  }

  private vec(frame: Frame, e: Vec): Lanes {
    if ("kind" in e) return frame.vectors.get(e.name)!;
    const width = this.module.lanes;
    const make = (f: (l: number) => number): Lanes => Array.from({ length: width }, (_, l) => INTO[e.lane](f(l)));
    switch (e.op) {
      case "splat":
        return make(() => e.value);
      case "splatInt":
      case "ramp": {
        const value = this.int(frame, e.value);
        return make((l) => (e.op === "ramp" ? value + l : value));
      }
      case "load": {
        const at = this.int(frame, e.at);
        const step = e.form === "strided" ? this.int(frame, e.step) : e.form === "splat" ? 0 : bytesOf(e.dtype);
        return make((l) => this.read(e.dtype, at + l * step));
      }
      case "gather": {
        const at = this.int(frame, e.at);
        const step = this.int(frame, e.step);
        const index = this.vec(frame, e.index);
        return make((l) => this.read(e.dtype, at + index[l]! * step));
      }
      default:
        return this.compute(
          e,
          e.args.map((x) => this.vec(frame, x)),
          make,
        );
    }
  }

  private compute(
    e: Exclude<Vec, { kind: "vec" } | { op: "splat" | "splatInt" | "ramp" | "load" | "gather" }>,
    args: Lanes[],
    make: (f: (l: number) => number) => Lanes,
  ): Lanes {
    const [a, b, c] = args as [Lanes, Lanes, Lanes];
    const width = this.module.lanes;
    switch (e.op) {
      case "not":
        return make((l) => (isMask(e.lane) ? 1 - a[l]! : ~a[l]!));
      case "mul":
        return make((l) => (e.lane === "i32" || e.lane === "u32" ? Math.imul(a[l]!, b[l]!) : a[l]! * b[l]!));
      case "shl":
        return make((l) => (e.by >= 32 ? 0 : a[l]! << e.by));
      case "shr":
        return make((l) => (e.by >= 32 ? 0 : a[l]! >>> e.by));
      case "fma":
        return make((l) => a[l]! * b[l]! + c[l]!);
      case "select":
        return make((l) => (a[l] ? b[l]! : c[l]!));
      case "convert":
        return make((l) => converted(a[l]!, e.args[0].lane, e.lane));
      case "bitcast":
        return a.map((x) => recast(x, e.args[0].lane, e.lane));
      case "pair":
        return make((l) => new Float64Array(Uint32Array.of(a[l]!, b[l]!).buffer)[0]!);
      case "low":
      case "high":
        return make((l) => new Uint32Array(Float64Array.of(a[l]!).buffer)[e.op === "low" ? 0 : 1]!);
      case "shuffle":
        return make((l) => (e.pick[l]! < width ? a[e.pick[l]!]! : b[e.pick[l]! - width]!));
      case "across": {
        let rest = a;
        for (let span = width / 2; span >= 1; span /= 2) {
          const before = rest;
          rest = before.slice(0, span).map((x, l) => INTO[e.lane](combine(e.combine, e.lane, x, before[l + span]!)));
        }
        return make(() => rest[0]!);
      }
      default: {
        const f = UNARY[e.op];
        return make((l) => (f ? f(a[l]!) : BINARY[e.op]!(a[l]!, b[l]!)));
      }
    }
  }
}

const combine = (op: string, lane: Lane, a: number, b: number): number =>
  op === "mul" && (lane === "i32" || lane === "u32") ? Math.imul(a, b) : BINARY[op]!(a, b);

function converted(x: number, from: Lane, to: Lane): number {
  if (from !== "f32" && from !== "f64") return x;
  if (to === "i32") return clamp(x, -(2 ** 31), 2 ** 31 - 1);
  if (to === "u32") return clamp(x, 0, 2 ** 32 - 1);
  return isMask(to) ? Number(x !== 0) : x;
}

function recast(x: number, from: Lane, to: Lane): number {
  if (from === to || from === "mask64" || to === "mask64") return x;
  const bits = new DataView(new ArrayBuffer(4));
  if (from === "f32") bits.setFloat32(0, x);
  else bits.setInt32(0, from === "mask32" ? -x : x);
  if (to === "f32") return bits.getFloat32(0);
  if (to === "mask32") return Number(bits.getInt32(0) !== 0);
  return to === "i32" ? bits.getInt32(0) : bits.getUint32(0);
}
