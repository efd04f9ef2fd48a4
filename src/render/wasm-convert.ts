/** Between lane types. In a vector of two lanes, 32-bit ones stand in the low half and the high half means nothing. */
import type { Lane } from "../kernel/loop.ts";
import { type Bytes, f32x4, f64x2, i32x4, v128 } from "./wasm-encoder.ts";
import type { Scope } from "./wasm-scope.ts";

/** The bytes of a shuffle of 32-bit words: 0 … 3 of a, 4 … 7 of b. */
export const words = (...picks: number[]): number[] => picks.flatMap((pick) => [0, 1, 2, 3].map((byte) => 4 * pick + byte));

/** Two 64-bit masks as 32-bit ones. */
export const narrow = (scope: Scope, mask: Bytes): Bytes => v128.shuffle(mask, scope.zero(), words(0, 2, 0, 2));
/** Two 32-bit masks as 64-bit ones. */
const widen = (scope: Scope, mask: Bytes): Bytes => v128.shuffle(mask, scope.zero(), words(0, 0, 1, 1));

type Rule = (scope: Scope, x: Bytes) => Bytes;

const same: Rule = (_, x) => x;
const ONE_F32 = 0x3f800000;
const masked =
  (bits: number): Rule =>
  (scope, mask) =>
    v128.and(mask, scope.splat32(bits));
/** 1.0 where the mask is set. */
const maskToF64: Rule = (scope, mask) => v128.and(mask, scope.constant(new Uint8Array(new Float64Array([1, 1]).buffer)));
const notZero =
  (differs: (a: Bytes, b: Bytes) => Bytes): Rule =>
  (scope, x) =>
    differs(x, scope.zero());
const narrowed =
  (rule: Rule): Rule =>
  (scope, x) =>
    rule(scope, narrow(scope, x));
const widened =
  (rule: Rule): Rule =>
  (scope, x) =>
    widen(scope, rule(scope, x));
const simple =
  (instruction: (x: Bytes) => Bytes): Rule =>
  (_, x) =>
    instruction(x);

const fromInt = { i32: same, u32: same, mask32: notZero(i32x4.ne), mask64: widened(notZero(i32x4.ne)) };

const CONVERT: Record<Lane, Record<Lane, Rule>> = {
  f32: {
    f32: same,
    f64: simple(f64x2.promote),
    i32: simple(i32x4.truncF32S),
    u32: simple(i32x4.truncF32U),
    mask32: notZero(f32x4.ne),
    mask64: widened(notZero(f32x4.ne)),
  },
  f64: {
    f32: simple(f32x4.demote),
    f64: same,
    i32: simple(i32x4.truncF64S),
    u32: simple(i32x4.truncF64U),
    mask32: (scope, x) => narrow(scope, notZero(f64x2.ne)(scope, x)),
    mask64: notZero(f64x2.ne),
  },
  i32: { ...fromInt, f32: simple(f32x4.convertI32S), f64: simple(f64x2.convertI32S) },
  u32: { ...fromInt, f32: simple(f32x4.convertI32U), f64: simple(f64x2.convertI32U) },
  mask32: {
    f32: masked(ONE_F32),
    f64: (scope, x) => maskToF64(scope, widen(scope, x)),
    i32: masked(1),
    u32: masked(1),
    mask32: same,
    mask64: widened(same),
  },
  mask64: {
    f32: narrowed(masked(ONE_F32)),
    f64: maskToF64,
    i32: narrowed(masked(1)),
    u32: narrowed(masked(1)),
    mask32: narrowed(same),
    mask64: same,
  },
};

export const convert = (scope: Scope, x: Bytes, from: Lane, to: Lane): Bytes => CONVERT[from][to](scope, x);
