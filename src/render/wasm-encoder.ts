/**
 * A small assembler for WebAssembly's binary format. Instructions are nested lists of bytes, operands first, so that an
 * expression reads like a call: `i32.add(local.get(0), i32.const(4))`.
 *
 * Source of all numbers: WebAssembly Core Specification 2.0 with the threads and relaxed SIMD proposals.
 */

export type Bytes = number | readonly Bytes[];

export const TYPE = { i32: 0x7f, i64: 0x7e, v128: 0x7b } as const;
export type ValueType = (typeof TYPE)[keyof typeof TYPE];

/** LEB128 of a number below 2³². */
export function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let rest = value >>> 0;
  do {
    const low = rest & 127;
    rest >>>= 7;
    bytes.push(rest ? low | 128 : low);
  } while (rest);
  return bytes;
}

/** Signed LEB128 of a 32-bit number. */
export function signed(value: number): number[] {
  const bytes: number[] = [];
  let rest = value | 0;
  for (;;) {
    const low = rest & 127;
    rest >>= 7;
    if ((rest === 0 && !(low & 64)) || (rest === -1 && low & 64)) return [...bytes, low];
    bytes.push(low | 128);
  }
}

function flatten(code: Bytes, into: number[] = []): number[] {
  if (typeof code === "number") into.push(code);
  else for (const part of code) flatten(part, into);
  return into;
}

/** An instruction whose operands stand before it. */
const plain =
  (code: number) =>
  (...operands: Bytes[]): Bytes => [operands, code];
const prefixed =
  (prefix: number, code: number) =>
  (...operands: Bytes[]): Bytes => [operands, prefix, unsigned(code)];
/** Memory instructions: `offset` is added to the address without wrapping; `alignment` is a hint, log2 of bytes. */
const load =
  (alignment: number, ...code: number[]) =>
  (address: Bytes, offset = 0): Bytes => [address, code, alignment, unsigned(offset)];
const store =
  (alignment: number, ...code: number[]) =>
  (address: Bytes, value: Bytes, offset = 0): Bytes => [address, value, code, alignment, unsigned(offset)];

export const i32 = {
  const: (value: number): Bytes => [0x41, signed(value)],
  eqz: plain(0x45),
  eq: plain(0x46),
  ne: plain(0x47),
  ltS: plain(0x48),
  ltU: plain(0x49),
  gtS: plain(0x4a),
  leS: plain(0x4c),
  geS: plain(0x4e),
  geU: plain(0x4f),
  add: plain(0x6a),
  sub: plain(0x6b),
  mul: plain(0x6c),
  divS: plain(0x6d),
  divU: plain(0x6e),
  remS: plain(0x6f),
  remU: plain(0x70),
  and: plain(0x71),
  or: plain(0x72),
  xor: plain(0x73),
  shl: plain(0x74),
  shrU: plain(0x76),
  wrap: plain(0xa7),
  load: load(2, 0x28),
  load8: load(0, 0x2d),
  store: store(2, 0x36),
  store8: store(0, 0x3a),
  atomicLoad: load(2, 0xfe, 0x10),
  atomicStore: store(2, 0xfe, 0x17),
  atomicAdd: store(2, 0xfe, 0x1e),
};

export const i64 = {
  const: (value: number): Bytes => [0x42, signed(value)],
  eq: plain(0x51),
  ne: plain(0x52),
  ltU: plain(0x54),
  geU: plain(0x5a),
  add: plain(0x7c),
  or: plain(0x84),
  shl: plain(0x86),
  shrU: plain(0x88),
  extend: plain(0xad),
  load: load(3, 0x29),
  store: store(3, 0x37),
  atomicLoad: load(3, 0xfe, 0x11),
  /** Gives what stood there; `value` was stored if that equals `expected`. */
  atomicExchange: (address: Bytes, expected: Bytes, value: Bytes): Bytes => [address, expected, value, 0xfe, 0x49, 3, 0],
};

export const atomic = {
  /** Wakes up to `count` who wait at the address; gives how many. */
  notify: (address: Bytes, count: Bytes, offset = 0): Bytes => [address, count, 0xfe, 0x00, 2, unsigned(offset)],
  /** 0: woken, 1: another value stood there, 2: timed out. `timeout`: an i64 of nanoseconds. */
  wait32: (address: Bytes, expected: Bytes, timeout: Bytes, offset = 0): Bytes => [
    address,
    expected,
    timeout,
    0xfe,
    0x01,
    2,
    unsigned(offset),
  ],
};

export const local = {
  get: (index: number): Bytes => [0x20, unsigned(index)],
  set: (index: number, value: Bytes): Bytes => [value, 0x21, unsigned(index)],
  tee: (index: number, value: Bytes): Bytes => [value, 0x22, unsigned(index)],
};

export const unreachable: Bytes = 0x00;
export const drop = plain(0x1a);
/** `yes` if the condition is not 0. */
export const select = (yes: Bytes, no: Bytes, condition: Bytes): Bytes => [yes, no, condition, 0x1b];
export const call = (index: number, ...operands: Bytes[]): Bytes => [operands, 0x10, unsigned(index)];
/** Calls function `index` of table 0. */
export const callIndirect = (type: number, index: Bytes, ...operands: Bytes[]): Bytes => [operands, index, 0x11, unsigned(type), 0];
export const block = (...body: Bytes[]): Bytes => [0x02, 0x40, body, 0x0b];
export const loop = (...body: Bytes[]): Bytes => [0x03, 0x40, body, 0x0b];
export const branch = (depth: number): Bytes => [0x0c, unsigned(depth)];
export const branchIf = (depth: number, condition: Bytes): Bytes => [condition, 0x0d, unsigned(depth)];
/** Jumps out of the block that stands `case` levels up; the last depth is for all other numbers. */
export const branchTable = (index: Bytes, depths: readonly number[], other: number): Bytes => [
  index, 0x0e, unsigned(depths.length), depths.map(unsigned), unsigned(other),
]; // biome-ignore format: as the format has it
export const when = (condition: Bytes, then: Bytes, otherwise?: Bytes): Bytes => [
  condition, 0x04, 0x40, then, otherwise === undefined ? [] : [0x05, otherwise], 0x0b,
]; // biome-ignore format: as the format has it
export const giveBack = (...values: Bytes[]): Bytes => [values, 0x0f];

const simd = (code: number) => prefixed(0xfd, code);
const simdLoad = (code: number) => load(0, 0xfd, ...unsigned(code));
const simdStore = (code: number) => store(0, 0xfd, ...unsigned(code));
const laneLoad =
  (code: number) =>
  (address: Bytes, vector: Bytes, lane: number, offset = 0): Bytes => [address, vector, 0xfd, code, 0, unsigned(offset), lane];

export const v128 = {
  const: (bytes: ArrayLike<number>): Bytes => [0xfd, 0x0c, Array.from(bytes)],
  load: simdLoad(0x00),
  load32Splat: simdLoad(0x09),
  load64Splat: simdLoad(0x0a),
  load32Zero: simdLoad(0x5c),
  load64Zero: simdLoad(0x5d),
  store: simdStore(0x0b),
  load32Lane: laneLoad(0x56),
  load64Lane: laneLoad(0x57),
  store8Lane: laneLoad(0x58),
  store16Lane: laneLoad(0x59),
  store32Lane: laneLoad(0x5a),
  store64Lane: laneLoad(0x5b),
  /** Bytes 0 … 15 of a and 16 … 31 of b. */
  shuffle: (a: Bytes, b: Bytes, bytes: readonly number[]): Bytes => [a, b, 0xfd, 0x0d, bytes],
  not: simd(0x4d),
  and: simd(0x4e),
  or: simd(0x50),
  xor: simd(0x51),
  bitselect: simd(0x52),
  anyTrue: simd(0x53),
};

const extract =
  (code: number) =>
  (vector: Bytes, lane: number): Bytes => [vector, 0xfd, code, lane];

export const i32x4 = {
  splat: simd(0x11),
  extract: extract(0x1b),
  replace: (vector: Bytes, lane: number, value: Bytes): Bytes => [vector, value, 0xfd, 0x1c, lane],
  eq: simd(0x37),
  ne: simd(0x38),
  ltS: simd(0x39),
  ltU: simd(0x3a),
  leS: simd(0x3d),
  leU: simd(0x3e),
  extendFrom8: (vector: Bytes): Bytes => simd(0xa9)(simd(0x89)(vector)),
  abs: simd(0xa0),
  neg: simd(0xa1),
  shl: simd(0xab),
  shrU: simd(0xad),
  add: simd(0xae),
  sub: simd(0xb1),
  mul: simd(0xb5),
  minS: simd(0xb6),
  minU: simd(0xb7),
  maxS: simd(0xb8),
  maxU: simd(0xb9),
  truncF32S: simd(0xf8),
  truncF32U: simd(0xf9),
  truncF64S: simd(0xfc),
  truncF64U: simd(0xfd),
  relaxedSelect: simd(0x10b),
};

export const i64x2 = {
  eq: simd(0xd6),
  ne: simd(0xd7),
  gtS: simd(0xd9),
  geS: simd(0xdb),
  relaxedSelect: simd(0x10c),
};

export const f32x4 = {
  eq: simd(0x41),
  ne: simd(0x42),
  lt: simd(0x43),
  le: simd(0x45),
  ceil: simd(0x67),
  floor: simd(0x68),
  trunc: simd(0x69),
  nearest: simd(0x6a),
  abs: simd(0xe0),
  neg: simd(0xe1),
  sqrt: simd(0xe3),
  add: simd(0xe4),
  sub: simd(0xe5),
  mul: simd(0xe6),
  div: simd(0xe7),
  pmin: simd(0xea),
  pmax: simd(0xeb),
  convertI32S: simd(0xfa),
  convertI32U: simd(0xfb),
  demote: simd(0x5e),
  relaxedMadd: simd(0x105),
};

export const f64x2 = {
  eq: simd(0x47),
  ne: simd(0x48),
  lt: simd(0x49),
  le: simd(0x4b),
  ceil: simd(0x74),
  floor: simd(0x75),
  trunc: simd(0x7a),
  nearest: simd(0x94),
  abs: simd(0xec),
  neg: simd(0xed),
  sqrt: simd(0xef),
  add: simd(0xf0),
  sub: simd(0xf1),
  mul: simd(0xf2),
  div: simd(0xf3),
  pmin: simd(0xf6),
  pmax: simd(0xf7),
  convertI32S: simd(0xfe),
  convertI32U: simd(0xff),
  promote: simd(0x5f),
  relaxedMadd: simd(0x107),
};

interface FunctionType {
  readonly parameters: readonly ValueType[];
  readonly results: readonly ValueType[];
}

/** A function being written: its locals are numbered after its parameters. */
export class FunctionWriter {
  readonly index: number;
  readonly type: number;
  private readonly parameterCount: number;
  private readonly locals: ValueType[] = [];
  private readonly body: Bytes[] = [];

  constructor(index: number, type: number, parameterCount: number) {
    this.index = index;
    this.type = type;
    this.parameterCount = parameterCount;
  }

  local(type: ValueType): number {
    this.locals.push(type);
    return this.parameterCount + this.locals.length - 1;
  }

  emit(...code: Bytes[]): void {
    this.body.push(...code);
  }

  /** The function's entry in the code section. */
  bytes(): Bytes {
    const code = flatten([unsigned(this.locals.length), this.locals.map((type) => [1, type]), this.body, 0x0b]);
    return [unsigned(code.length), code];
  }
}

export interface Imports {
  /** Imported as "env" "memory". */
  readonly memory: { readonly shared: boolean };
  /** Imported as "env" "table": functions that `callIndirect` calls. */
  readonly table?: boolean;
  /** Imported as "env" NAME; they are the functions 0, 1, … of the module. */
  readonly functions?: readonly ({ readonly name: string } & FunctionType)[];
}

/** A module being written. */
export class ModuleWriter {
  private readonly imports: Imports;
  private readonly types: FunctionType[] = [];
  private readonly functions: FunctionWriter[] = [];
  private readonly exports: { readonly name: string; readonly index: number }[] = [];

  constructor(imports: Imports) {
    this.imports = imports;
  }

  /** The number of a function type. */
  type(parameters: readonly ValueType[], results: readonly ValueType[] = []): number {
    const same = (a: readonly ValueType[], b: readonly ValueType[]) => a.length === b.length && a.every((x, i) => x === b[i]);
    const known = this.types.findIndex((type) => same(type.parameters, parameters) && same(type.results, results));
    return known >= 0 ? known : this.types.push({ parameters, results }) - 1;
  }

  /** A new function; its index is known before its body is. */
  function(parameters: readonly ValueType[], results: readonly ValueType[] = [], exportAs?: string): FunctionWriter {
    const imported = this.imports.functions?.length ?? 0;
    const writer = new FunctionWriter(imported + this.functions.length, this.type(parameters, results), parameters.length);
    this.functions.push(writer);
    if (exportAs !== undefined) this.exports.push({ name: exportAs, index: writer.index });
    return writer;
  }

  bytes(): Uint8Array<ArrayBuffer> {
    const text = (name: string): Bytes => {
      // Names are ASCII, and a worklet has no TextEncoder.
      const bytes = Array.from(name, (character) => character.charCodeAt(0));
      return [unsigned(bytes.length), bytes];
    };
    const list = (items: readonly Bytes[]): Bytes => [unsigned(items.length), items];
    const section = (id: number, content: Bytes): Bytes => {
      const bytes = flatten(content);
      return [id, unsigned(bytes.length), bytes];
    };
    const memory: Bytes = [text("env"), text("memory"), 0x02, this.imports.memory.shared ? [0x03, 0, unsigned(65_536)] : [0x00, 0]];
    const table: Bytes = [text("env"), text("table"), 0x01, 0x70, 0x00, 0];
    const functions = (this.imports.functions ?? []).map(
      (f): Bytes => [text("env"), text(f.name), 0x00, unsigned(this.type(f.parameters, f.results))],
    );
    return Uint8Array.from(
      flatten([
        [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
        section(1, list(this.types.map(({ parameters, results }) => [0x60, list(parameters), list(results)]))),
        section(2, list([memory, ...(this.imports.table ? [table] : []), ...functions])),
        section(3, list(this.functions.map((f) => unsigned(f.type)))),
        section(7, list(this.exports.map(({ name, index }) => [text(name), 0x00, unsigned(index)]))),
        section(10, list(this.functions.map((f) => f.bytes()))),
      ]),
    );
  }
}
