/** Loads, stores and reports of the WebAssembly printer. */
import type { DType } from "../core/dtype.ts";
import { InternalError } from "../core/errors.ts";
import type { Int, Lane, Statement, Vec } from "../kernel/loop.ts";
import { convert } from "./wasm-convert.ts";
import { type Bytes, block, branchIf, call, type FunctionWriter, i32, i32x4, i64, local, loop, TYPE, v128, when } from "./wasm-encoder.ts";
import { type Scope, widthOf } from "./wasm-scope.ts";

interface Stored {
  readonly bytes: 1 | 4 | 8;
  /** The lane type a load gives before any conversion. */
  readonly lane: Lane;
}

const STORED: Record<DType, Stored> = {
  float32: { bytes: 4, lane: "f32" },
  float64: { bytes: 8, lane: "f64" },
  int32: { bytes: 4, lane: "i32" },
  uint32: { bytes: 4, lane: "u32" },
  uint8: { bytes: 1, lane: "u32" },
  bool: { bytes: 1, lane: "mask32" },
};

type Load = Extract<Vec, { readonly op: "load" }>;
type Gather = Extract<Vec, { readonly op: "gather" }>;
type Store = Extract<Statement, { readonly do: "store" }>;
type Report = Extract<Statement, { readonly do: "report" }>;

export function printLoad(scope: Scope, load: Load): Bytes {
  const raw = load.form === "strided" ? strided(scope, load) : adjacent(scope, load);
  return finish(scope, raw, load.dtype, load.lane);
}

export function printGather(scope: Scope, { dtype, at, index, step, lane }: Gather): Bytes {
  const base = scope.keepInt(at);
  const indices = scope.keep(TYPE.v128, scope.vec(index));
  const stride = scope.keepInt(step);
  const addresses = lanes(scope).map((l) => ({ base: i32.add(base.get, i32.mul(i32x4.extract(indices.get, l), stride.get)), offset: 0 }));
  return finish(scope, [base.first, indices.first, stride.first, collect(scope, addresses, STORED[dtype].bytes)], dtype, lane);
}

/** From the lanes a load gives (bytes as u32) to the ones asked for. */
function finish(scope: Scope, raw: Bytes, dtype: DType, lane: Lane): Bytes {
  const natural = STORED[dtype].lane;
  const value = dtype === "bool" ? i32x4.ne(raw, scope.zero()) : raw;
  return convert(scope, value, natural, lane);
}

const lanes = (scope: Scope): number[] => Array.from({ length: scope.lanes }, (_, l) => l);

function adjacent(scope: Scope, { dtype, at, form }: Extract<Load, { form: "vector" | "splat" }>): Bytes {
  const { base, offset } = scope.address(at);
  const { bytes } = STORED[dtype];
  if (form === "splat") {
    if (bytes === 1) return i32x4.splat(i32.load8(base, offset));
    return bytes === 4 ? v128.load32Splat(base, offset) : v128.load64Splat(base, offset);
  }
  if (bytes === 1) return i32x4.extendFrom8(v128.load32Zero(base, offset));
  return WHOLE_LOAD[whole(scope, bytes)](base, offset);
}

/** Bytes all lanes take together in memory. */
function whole(scope: Scope, bytes: 4 | 8): 4 | 8 | 16 {
  const total = bytes * scope.lanes;
  if (total === 4 || total === 8 || total === 16) return total;
  throw new InternalError(`wasm: ${scope.lanes} lanes of ${bytes} bytes do not fit a vector`);
}

const WHOLE_LOAD = { 4: v128.load32Zero, 8: v128.load64Zero, 16: v128.load };

type Address = ReturnType<Scope["address"]>;

function strided(scope: Scope, { dtype, at, step }: Extract<Load, { form: "strided" }>): Bytes {
  const { first, addresses } = apart(scope, at, step);
  return [first, collect(scope, addresses, STORED[dtype].bytes)];
}

/** Addresses of the lanes, `step` bytes apart. */
function apart(scope: Scope, at: Int, step: Int): { readonly first: Bytes; readonly addresses: readonly Address[] } {
  const { base, offset } = scope.address(at);
  const start = scope.keep(TYPE.i32, base);
  if (typeof step === "number" && step >= 0 && 3 * step + offset <= 65_536)
    return { first: start.first, addresses: lanes(scope).map((l) => ({ base: start.get, offset: offset + l * step })) };
  const stride = scope.keepInt(step);
  const addresses = lanes(scope).map((l) => {
    if (l === 0) return { base: start.get, offset };
    return { base: i32.add(start.get, l === 1 ? stride.get : i32.mul(stride.get, i32.const(l))), offset };
  });
  return { first: [start.first, stride.first], addresses };
}

/** A vector of the elements at the addresses; the other lanes are 0. */
function collect(scope: Scope, addresses: readonly Address[], bytes: 1 | 4 | 8): Bytes {
  let result: Bytes = [];
  addresses.forEach(({ base, offset }, l) => {
    if (bytes === 1) result = l === 0 ? i32x4.splat(i32.load8(base, offset)) : i32x4.replace(result, l, i32.load8(base, offset));
    else if (bytes === 4) result = l === 0 ? v128.load32Zero(base, offset) : v128.load32Lane(base, result, l, offset);
    else result = l === 0 ? v128.load64Zero(base, offset) : v128.load64Lane(base, result, l, offset);
  });
  if (bytes === 8) whole(scope, 8);
  return result;
}

const storeLane = (bytes: 1 | 4 | 8, address: Address, vector: Bytes, lane: number): Bytes =>
  (bytes === 1 ? v128.store8Lane : bytes === 4 ? v128.store32Lane : v128.store64Lane)(address.base, vector, lane, address.offset);

/** The value as it stands in memory: bytes packed at the front, or lanes. */
function packed(scope: Scope, dtype: DType, value: Vec): Bytes {
  const code = scope.vec(value);
  if (dtype === "bool") return pack8(scope, v128.and(convert(scope, code, value.lane, "mask32"), scope.splat32(1)));
  const wanted = STORED[dtype];
  if (widthOf(value.lane) !== widthOf(wanted.lane)) throw new InternalError(`wasm: ${value.lane} cannot be stored as ${dtype}`);
  return dtype === "uint8" ? pack8(scope, code) : code;
}

/** The low bytes of four words side by side. */
const pack8 = (scope: Scope, code: Bytes): Bytes => v128.shuffle(code, scope.zero(), [0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12]);

export function printStore(scope: Scope, store: Store): Bytes {
  const value = packed(scope, store.dtype, store.value);
  const { bytes } = STORED[store.dtype];
  switch (store.form) {
    case "vector":
      return storeWhole(scope, scope.address(store.at), value, bytes);
    case "first":
      return storeLane(bytes, scope.address(store.at), value, 0);
    case "partial":
      return call(scope.support.partial(bytes), scope.int(store.at), value, scope.int(store.count));
    case "strided":
      return storeStrided(scope, store, value, bytes);
  }
}

function storeWhole(scope: Scope, address: Address, value: Bytes, bytes: 1 | 4 | 8): Bytes {
  if (bytes !== 1) {
    const total = whole(scope, bytes);
    return total === 16 ? v128.store(address.base, value, address.offset) : storeLane(total, address, value, 0);
  }
  if (scope.lanes === 2) return v128.store16Lane(address.base, value, 0, address.offset);
  return storeLane(scope.lanes === 4 ? 4 : 1, address, value, 0);
}

function storeStrided(scope: Scope, { at, step, count }: Extract<Store, { form: "strided" }>, value: Bytes, bytes: 1 | 4 | 8): Bytes {
  const { first, addresses } = apart(scope, at, step);
  const vector = scope.keep(TYPE.v128, value);
  const stores = addresses.map((address, l) => storeLane(bytes, address, vector.get, l));
  if (typeof count === "number") return [first, vector.first, stores.slice(0, count)];
  const number = scope.keepInt(count);
  const guarded = stores.map((code, l) => (l === 0 ? code : when(i32.ltS(i32.const(l), number.get), code)));
  return [first, vector.first, number.first, guarded];
}

export function printReport(scope: Scope, { cell, bad, position, value, count }: Report): Bytes {
  const mask = scope.keep(TYPE.v128, scope.vec(bad));
  const where = scope.keepInt(cell);
  const positions = scope.keep(TYPE.v128, scope.vec(position));
  const values = scope.keep(TYPE.v128, scope.vec(value));
  const limit = scope.keepInt(count);
  const lane = (l: number): Bytes => {
    const word = i64.or(i64.shl(i64.extend(i32x4.extract(positions.get, l)), i64.const(32)), i64.extend(i32x4.extract(values.get, l)));
    const fires = i32.and(i32x4.extract(mask.get, l), i32.ltS(i32.const(l), limit.get));
    return when(fires, call(scope.support.report(), where.get, word));
  };
  const details = [where.first, positions.first, values.first, limit.first, lanes(scope).map(lane)];
  return [mask.first, when(v128.anyTrue(mask.get), details)];
}

/** (address, vector, count): writes the first `count` lanes; bytes stand packed at the front. */
export function writePartial(writer: FunctionWriter, bytes: 1 | 4 | 8): void {
  const [address, vector, count] = [local.get(0), local.get(1), local.get(2)];
  const has = (bit: number): Bytes => i32.and(count, i32.const(bit));
  const at = (offset: number): Address => ({ base: address, offset });
  if (bytes === 8) {
    const pair = when(has(2), v128.store(address, vector), when(has(1), v128.store64Lane(address, vector, 0)));
    writer.emit(pair);
    return;
  }
  const two = bytes === 1 ? v128.store16Lane(address, vector, 0) : v128.store64Lane(address, vector, 0);
  const four = bytes === 1 ? v128.store32Lane(address, vector, 0) : v128.store(address, vector);
  const afterTwo = [two, when(has(1), storeLane(bytes, at(2 * bytes), vector, 2))];
  const fewer = when(has(2), afterTwo, when(has(1), storeLane(bytes, at(0), vector, 0)));
  writer.emit(when(has(4), four, fewer));
}

/** (cell, word): cell = min(cell, word) as unsigned numbers, atomically where memory is shared. */
export function writeReport(writer: FunctionWriter, shared: boolean): void {
  const [cell, word] = [local.get(0), local.get(1)];
  if (!shared) {
    writer.emit(when(i64.ltU(word, i64.load(cell)), i64.store(cell, word)));
    return;
  }
  const seen = writer.local(TYPE.i64);
  writer.emit(
    block(
      loop(
        local.set(seen, i64.atomicLoad(cell)),
        branchIf(1, i64.geU(word, local.get(seen))),
        branchIf(0, i64.ne(i64.atomicExchange(cell, local.get(seen), word), local.get(seen))),
      ),
    ),
  );
}
