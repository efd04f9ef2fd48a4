/**
 * WebAssembly as text: the functions of a module that `ModuleWriter` wrote, an instruction a line, in the names of the text format
 * (WebAssembly Core Specification 2.0, section 6, with threads and relaxed SIMD). For reading; nothing assembles it again.
 */
import { InternalError } from "../core/errors.ts";

/** What follows an opcode. */
type Immediates = "" | "index" | "int" | "memory" | "memoryLane" | "lane" | "bytes" | "block" | "table" | "indirect";
type Names = Readonly<Record<number, readonly [name: string, immediates?: Immediates]>>;

/** Opcodes that follow each other from the first on: their names, after "shape: " without it, "-" where there is none. */
type Run = readonly [first: number, names: string, immediates?: Immediates];

const opcodes = (runs: readonly Run[]): Names =>
  Object.fromEntries(
    runs.flatMap(([first, text, immediates = ""]) => {
      const [names, shape] = text.split(": ").toReversed() as [string, string?];
      return names
        .split(" ")
        .flatMap((name, i) => (name === "-" ? [] : [[first + i, [shape ? `${shape}.${name}` : name, immediates] as const]]));
    }),
  );

const PLAIN = opcodes([
  [0x00, "unreachable nop"],
  [0x02, "block loop if", "block"],
  [0x05, "else"],
  [0x0b, "end"],
  [0x0c, "br br_if", "index"],
  [0x0e, "br_table", "table"],
  [0x0f, "return"],
  [0x10, "call", "index"],
  [0x11, "call_indirect", "indirect"],
  [0x1a, "drop select"],
  [0x20, "local.get local.set local.tee", "index"],
  [0x28, "i32.load i64.load f32.load f64.load i32.load8_s i32.load8_u i32.load16_s i32.load16_u", "memory"],
  [0x36, "i32.store i64.store f32.store f64.store i32.store8 i32.store16", "memory"],
  [0x41, "i32.const i64.const", "int"],
  [0x45, "i32.eqz i32.eq i32.ne i32.lt_s i32.lt_u i32.gt_s i32.gt_u i32.le_s i32.le_u i32.ge_s i32.ge_u"],
  [0x50, "i64.eqz i64.eq i64.ne i64.lt_s i64.lt_u i64.gt_s i64.gt_u i64.le_s i64.le_u i64.ge_s i64.ge_u"],
  [0x6a, "i32.add i32.sub i32.mul i32.div_s i32.div_u i32.rem_s i32.rem_u i32.and i32.or i32.xor i32.shl i32.shr_s i32.shr_u"],
  [0x7c, "i64.add i64.sub i64.mul i64.div_s i64.div_u i64.rem_s i64.rem_u i64.and i64.or i64.xor i64.shl i64.shr_s i64.shr_u"],
  [0xa7, "i32.wrap_i64"],
  [0xac, "i64.extend_i32_s i64.extend_i32_u"],
]);

const ATOMIC = opcodes([
  [0x00, "memory.atomic.notify memory.atomic.wait32 memory.atomic.wait64", "memory"],
  [0x10, "i32.atomic.load i64.atomic.load", "memory"],
  [0x17, "i32.atomic.store i64.atomic.store", "memory"],
  [0x1e, "i32.atomic.rmw.add i64.atomic.rmw.add", "memory"],
  [0x49, "i64.atomic.rmw.cmpxchg", "memory"],
]);

const VECTOR = opcodes([
  [0x00, "v128.load", "memory"],
  [0x07, "v128.load8_splat v128.load16_splat v128.load32_splat v128.load64_splat v128.store", "memory"],
  [0x0c, "v128.const i8x16.shuffle", "bytes"],
  [0x0f, "i8x16.splat i16x8.splat i32x4.splat i64x2.splat f32x4.splat f64x2.splat"],
  [0x1b, "i32x4.extract_lane i32x4.replace_lane i64x2.extract_lane i64x2.replace_lane", "lane"],
  [0x1f, "f32x4.extract_lane f32x4.replace_lane f64x2.extract_lane f64x2.replace_lane", "lane"],
  [0x37, "i32x4: eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u"],
  [0x41, "f32x4: eq ne lt gt le ge"],
  [0x47, "f64x2: eq ne lt gt le ge"],
  [0x4d, "v128: not and andnot or xor bitselect any_true"],
  [0x54, "v128.load8_lane v128.load16_lane v128.load32_lane v128.load64_lane", "memoryLane"],
  [0x58, "v128.store8_lane v128.store16_lane v128.store32_lane v128.store64_lane", "memoryLane"],
  [0x5c, "v128.load32_zero v128.load64_zero", "memory"],
  [0x5e, "f32x4.demote_f64x2_zero f64x2.promote_low_f32x4"],
  [0x67, "f32x4: ceil floor trunc nearest"],
  [0x74, "f64x2.ceil f64x2.floor - - - - f64x2.trunc"],
  [0x89, "i16x8.extend_low_i8x16_u"],
  [0x94, "f64x2.nearest"],
  [0xa0, "i32x4.abs i32x4.neg"],
  [0xa9, "i32x4.extend_low_i16x8_u - i32x4.shl i32x4.shr_s i32x4.shr_u i32x4.add"],
  [0xb1, "i32x4: sub - - - mul min_s min_u max_s max_u"],
  [0xd6, "i64x2: eq ne lt_s gt_s le_s ge_s"],
  [0xe0, "f32x4: abs neg - sqrt add sub mul div min max pmin pmax"],
  [0xec, "f64x2: abs neg - sqrt add sub mul div min max pmin pmax"],
  [0xf8, "i32x4.trunc_sat_f32x4_s i32x4.trunc_sat_f32x4_u f32x4.convert_i32x4_s f32x4.convert_i32x4_u"],
  [0xfc, "i32x4.trunc_sat_f64x2_s_zero i32x4.trunc_sat_f64x2_u_zero f64x2.convert_low_i32x4_s f64x2.convert_low_i32x4_u"],
  [0x105, "f32x4.relaxed_madd f32x4.relaxed_nmadd f64x2.relaxed_madd f64x2.relaxed_nmadd"],
  [0x109, "i8x16.relaxed_laneselect i16x8.relaxed_laneselect i32x4.relaxed_laneselect i64x2.relaxed_laneselect"],
]);

const TYPES: Readonly<Record<number, string>> = { 127: "i32", 126: "i64", 123: "v128" };

/** Reads numbers and instructions, one after another. */
class Reader {
  at = 0;
  private readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  get done(): boolean {
    return this.at >= this.bytes.length;
  }

  byte(): number {
    return this.bytes[this.at++]!;
  }

  take(count: number): Uint8Array {
    this.at += count;
    return this.bytes.subarray(this.at - count, this.at);
  }

  unsigned(): number {
    let [value, factor] = [0, 1];
    for (;;) {
      const byte = this.byte();
      value += (byte & 127) * factor;
      if (byte < 128) return value;
      factor *= 128;
    }
  }

  signed(): bigint {
    let [value, shift] = [0n, 0n];
    for (;;) {
      const byte = this.byte();
      value |= BigInt(byte & 127) << shift;
      shift += 7n;
      if (byte < 128) return byte & 64 ? value - (1n << shift) : value;
    }
  }

  /** As many items as a number in front says. */
  list<T>(item: () => T): T[] {
    return Array.from({ length: this.unsigned() }, item);
  }
}

/** The functions of a module as text. @throws InternalError for an instruction that nothing here writes */
export function wasmText(module: Uint8Array): string {
  const sections = new Map<number, Uint8Array>();
  const reader = new Reader(module);
  reader.take(8);
  while (!reader.done) {
    const id = reader.byte();
    sections.set(id, reader.take(reader.unsigned()));
  }
  const section = (id: number): Reader => new Reader(sections.get(id) ?? Uint8Array.of(0));
  const valueTypes = (from: Reader): string[] => from.list(() => TYPES[from.byte()]!);
  const types = section(1);
  const signatures = types.list(() => {
    types.byte();
    return { parameters: valueTypes(types), results: valueTypes(types) };
  });
  const functions = section(3);
  const typeOf = functions.list(() => functions.unsigned());
  const exports = section(7);
  const names = new Map(
    exports.list(() => {
      const name = new TextDecoder().decode(exports.take(exports.unsigned()));
      exports.byte();
      return [exports.unsigned(), name] as const;
    }),
  );
  const bodies = section(10);
  return bodies
    .list(() => new Reader(bodies.take(bodies.unsigned())))
    .map((body, i) => {
      const { parameters, results } = signatures[typeOf[i]!]!;
      const exported = names.has(i) ? ` (export "${names.get(i)}")` : "";
      const part = (word: string, list: readonly string[]): string => (list.length > 0 ? ` (${word} ${list.join(" ")})` : "");
      return `(func $${i}${exported}${part("param", parameters)}${part("result", results)}${bodyText(body)})`;
    })
    .join("\n\n");
}

function bodyText(body: Reader): string {
  const locals = body.list(() => ({ count: body.unsigned(), type: TYPES[body.byte()]! }));
  const lines = locals.length > 0 ? [`(local ${locals.flatMap(({ count, type }) => Array(count).fill(type)).join(" ")})`] : [];
  let depth = 1;
  while (!body.done) {
    const { name, operands } = instruction(body);
    if (name === "end" && body.done) break;
    if (name === "end" || name === "else") depth--;
    lines.push("  ".repeat(depth) + [name, ...operands].join(" "));
    if (name === "else" || name === "block" || name === "loop" || name === "if") depth++;
  }
  return `\n${locals.length > 0 ? "  " : ""}${lines.join("\n")}`;
}

const PREFIXES: Readonly<Record<number, Names>> = { 253: VECTOR, 254: ATOMIC };

function instruction(body: Reader): { name: string; operands: string[] } {
  const first = body.byte();
  const code = PREFIXES[first] ? body.unsigned() : first;
  const found = (PREFIXES[first] ?? PLAIN)[code];
  if (!found) throw new InternalError(`wasm: no name for the instruction ${first.toString(16)} ${code.toString(16)}`);
  return { name: found[0], operands: operandsOf(body, found[1] ?? "") };
}

function operandsOf(body: Reader, immediates: Immediates): string[] {
  switch (immediates) {
    case "":
      return [];
    case "index":
      return [String(body.unsigned())];
    case "int":
      return [String(body.signed())];
    case "lane":
      return [String(body.byte())];
    case "bytes":
      return Array.from(body.take(16), String);
    case "block":
      body.byte();
      return [];
    case "table":
      return [...body.list(() => String(body.unsigned())), String(body.unsigned())];
    case "indirect": {
      const type = body.unsigned();
      body.unsigned();
      return [`(type ${type})`];
    }
    case "memory":
    case "memoryLane": {
      // The alignment is a hint.
      body.unsigned();
      const offset = body.unsigned();
      return [...(offset > 0 ? [`offset=${offset}`] : []), ...(immediates === "memoryLane" ? [String(body.byte())] : [])];
    }
  }
}
