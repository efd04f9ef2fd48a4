/** What the parts of the WebAssembly printer share: one function's locals, temporaries and constants, and integer expressions. */
import { InternalError } from "../core/errors.ts";
import type { Int, IntLocal, Lane, Vec, VecLocal } from "../kernel/loop.ts";
import { isIntLocal } from "../kernel/loop.ts";
import { type Bytes, type FunctionWriter, i32, i32x4, local, select, TYPE, type ValueType, v128 } from "./wasm-encoder.ts";

/** Functions a module has once, added when first needed; each gives the function's index. */
export interface Support {
  readonly partial: (bytes: 1 | 4 | 8) => number;
  readonly divide: (op: "floordiv" | "mod", signed: boolean) => number;
  readonly report: () => number;
}

export interface ScopeOptions {
  readonly writer: FunctionWriter;
  readonly parameters: readonly IntLocal[];
  readonly lanes: number;
  readonly relaxed: boolean;
  readonly support: Support;
  /** Index of a function of the same code by name. */
  readonly functions: ReadonlyMap<string, number>;
  /** Name of the parameter that holds the address of the argument block. */
  readonly argumentBlock: string;
  readonly printVec: (scope: Scope, vec: Vec) => Bytes;
}

/**
 * Offsets up to this much go into an instruction's immediate. What is left as base cannot have wrapped below 0, because nothing is owned
 * below this address.
 */
const LARGEST_OFFSET = 65_536;

export class Scope {
  readonly lanes: number;
  readonly relaxed: boolean;
  readonly support: Support;
  readonly functions: ReadonlyMap<string, number>;
  private readonly options: ScopeOptions;
  private readonly writer: FunctionWriter;
  private readonly known = new Map<string, number>();
  private readonly constants = new Map<string, { readonly index: number; readonly bytes: Uint8Array }>();
  /** Temporaries by type, and how many are in use. */
  private readonly pools = new Map<ValueType, { readonly indices: number[]; used: number }>();

  constructor(options: ScopeOptions) {
    this.options = options;
    this.lanes = options.lanes;
    this.relaxed = options.relaxed;
    this.support = options.support;
    this.functions = options.functions;
    this.writer = options.writer;
    options.parameters.forEach((parameter, i) => {
      this.known.set(`int ${parameter.name}`, i);
    });
  }

  /** The number of a local, made when first met. */
  index({ kind, name }: IntLocal | VecLocal): number {
    const key = `${kind} ${name}`;
    const known = this.known.get(key);
    if (known !== undefined) return known;
    const index = this.writer.local(kind === "int" ? TYPE.i32 : TYPE.v128);
    this.known.set(key, index);
    return index;
  }

  /** A local nobody else uses until the statement ends. */
  temporary(type: ValueType): number {
    let pool = this.pools.get(type);
    if (!pool) {
      pool = { indices: [], used: 0 };
      this.pools.set(type, pool);
    }
    if (pool.used === pool.indices.length) pool.indices.push(this.writer.local(type));
    return pool.indices[pool.used++]!;
  }

  /** Prints something and then frees the temporaries it took. */
  during<T>(print: () => T): T {
    const before = new Map([...this.pools].map(([type, pool]) => [type, pool.used]));
    const result = print();
    for (const [type, pool] of this.pools) pool.used = before.get(type) ?? 0;
    return result;
  }

  /** A constant vector; it is loaded once, at the top of the function: V8 makes a v128.const anew wherever it stands. */
  constant(bytes: Uint8Array): Bytes {
    const key = bytes.join();
    let entry = this.constants.get(key);
    if (!entry) {
      entry = { index: this.writer.local(TYPE.v128), bytes };
      this.constants.set(key, entry);
    }
    return local.get(entry.index);
  }

  zero(): Bytes {
    return this.constant(new Uint8Array(16));
  }

  splat32(bits: number): Bytes {
    return this.constant(new Uint8Array(new Int32Array(4).fill(bits).buffer));
  }

  /** Code that fills the locals of the constants. */
  prelude(): Bytes {
    return [...this.constants.values()].map(({ index, bytes }) => local.set(index, v128.const(bytes)));
  }

  vec(value: Vec): Bytes {
    return this.options.printVec(this, value);
  }

  int(value: Int): Bytes {
    if (typeof value === "number") return i32.const(value);
    if (isIntLocal(value)) return local.get(this.index(value));
    switch (value.op) {
      case "argument":
        return i32.load(this.argumentBlock(), 4 * value.i);
      case "word": {
        const { base, offset } = this.address(value.at);
        return i32.load(base, offset);
      }
      case "lane":
        return i32x4.extract(this.vec(value.of), value.lane);
      case "min":
        return this.lesser(value.a, value.b);
      default:
        return INT[value.op](this.int(value.a), this.int(value.b));
    }
  }

  /** An address as a base and what the instruction adds to it. */
  address(at: Int): { readonly base: Bytes; readonly offset: number } {
    let rest = at;
    let offset = 0;
    while (typeof rest === "object" && "op" in rest && rest.op === "add") {
      const [literal, other] = typeof rest.b === "number" ? [rest.b, rest.a] : [rest.a, rest.b];
      if (typeof literal !== "number" || literal < 0 || offset + literal > LARGEST_OFFSET) break;
      offset += literal;
      rest = other;
    }
    return { base: this.int(rest), offset };
  }

  /** A value kept in a temporary: code to do first, and code that reads it. */
  keep(type: ValueType, value: Bytes): { readonly first: Bytes; readonly get: Bytes } {
    const index = this.temporary(type);
    return { first: local.set(index, value), get: local.get(index) };
  }

  /** An integer that can be read many times: kept unless it is a literal or a local. */
  keepInt(value: Int): { readonly first: Bytes; readonly get: Bytes } {
    return typeof value === "number" || isIntLocal(value) ? { first: [], get: this.int(value) } : this.keep(TYPE.i32, this.int(value));
  }

  private lesser(a: Int, b: Int): Bytes {
    const x = this.keepInt(a);
    const y = this.keepInt(b);
    return [x.first, y.first, select(x.get, y.get, i32.ltS(x.get, y.get))];
  }

  private argumentBlock(): Bytes {
    const index = this.known.get(`int ${this.options.argumentBlock}`);
    if (index === undefined) throw new InternalError(`wasm: a helper reads arguments but has no parameter "${this.options.argumentBlock}"`);
    return local.get(index);
  }
}

type Plain = Exclude<Extract<Int, { readonly a: Int }>["op"], "min">;
const INT = {
  add: i32.add,
  sub: i32.sub,
  mul: i32.mul,
  div: i32.divU,
  rem: i32.remU,
  and: i32.and,
  lt: i32.ltS,
  le: i32.leS,
  eq: i32.eq,
} satisfies Record<Plain, (a: Bytes, b: Bytes) => Bytes>;

/** Bytes of an element of a lane. */
export const widthOf = (lane: Lane): 4 | 8 => (lane === "f64" || lane === "mask64" ? 8 : 4);
