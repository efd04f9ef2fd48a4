/**
 * `product` → register tiles: blocks of C, tile by tile, over operands that are read where they stand or packed into panels. A tile's sums
 * stand in thread-private scratch between passes over k, and go from there through the kernel's stores.
 */

import { bytesOf } from "../../core/dtype.ts";
import { stridesOf } from "../../core/shape.ts";
import { type Access, type Expr, load, reduce } from "../../kernel/expr.ts";
import type { Operand, Product, Rows } from "../../kernel/kernel.ts";
import { expand } from "../../kernel/math/index.ts";
import type { Lowered, LoweredCall } from "../target.ts";
import { THREAD_BYTES } from "./block.ts";
import type { LoopContext } from "./machine.ts";
import { TileCode } from "./product-code.ts";
import { simplerDepth } from "./product-depth.ts";
import { fitsTile } from "./product-epilogue.ts";
import { type Packed, packCall } from "./product-pack.ts";
import { fitsTiles, oriented, type Plan, planProduct, type Reading, simplerBatch } from "./product-plan.ts";
import { productAsRows, storesOf } from "./product-rows.ts";
import { columnsOf } from "./product-tile.ts";
import { lowerRows } from "./rows.ts";
import { lowerWinograd } from "./winograd.ts";

export function lowerProduct(kernel: Product, context: LoopContext): Lowered {
  const simple = simplerDepth(simplerBatch(kernel));
  if ([...simple.batch, simple.m, simple.n, ...simple.k].includes(0)) return lowerRows(productAsRows(simple), context);
  const fast = lowerWinograd(kernel, context);
  if (fast) return fast;
  const p = oriented(simple, context.machine);
  if (!fitsTiles(p, context)) return lowerRows(productAsRows(p), context);
  const values = expand(p.stores.map((s) => s.value));
  const ready: Product = { ...p, stores: p.stores.map((s, i) => ({ to: s.to, value: values[i]! })) };
  const plan = planProduct(ready, context);
  if (plan.slices > 1 || !fitsTile(ready, context)) return viaMemory(p, plan, context);
  return { threadBytes: THREAD_BYTES, calls: inTiles(ready, plan, context) };
}

/** The product is stored, one matrix for each slice of k, and a second kernel adds them up in order and does the stores. */
function viaMemory(p: Product, plan: Plan, context: LoopContext): Lowered {
  const sizes = [...p.batch, p.m, p.n];
  const rank = sizes.length;
  const strides = stridesOf(sizes);
  const whole = sizes[0]! * strides[0]!;
  const buffer = context.allocate(plan.slices * whole * bytesOf(p.dtype), p.dtype);
  const to: Access = { buffer, offset: 0, strides };
  const plain: Product = { ...p, stores: [{ to, value: { op: "accumulator", dtype: p.dtype } }] };
  const part: Expr = load({ ...to, strides: [...strides, whole] }, p.dtype);
  const sum = plan.slices > 1 ? reduce("sum", [rank], part) : load({ ...to, strides: [...strides, 0] }, p.dtype);
  const finish: Rows = {
    kind: "rows",
    outer: sizes,
    inner: [plan.slices],
    guards: [],
    stores: storesOf(p, sum),
  };
  return { threadBytes: THREAD_BYTES, calls: [...inTiles(plain, plan, context, whole), ...lowerRows(finish, context).calls] };
}

/** @param sliceStride elements between the results of two slices, where there are several */
function inTiles(p: Product, plan: Plan, context: LoopContext, sliceStride = 0): LoweredCall[] {
  const { dtype, lanes, rows } = plan.tile;
  const calls: LoweredCall[] = [];
  const pack = (operand: Operand, size: number, width: number, { packing, fetch }: Reading): Packed | undefined => {
    if (packing !== "before") return undefined;
    const { packed, call } = packCall({ shape: { dtype, lanes, width, fetch }, operand, rows: size, k: p.k, batch: p.batch }, context);
    calls.push(call);
    return packed;
  };
  const a = pack(p.a, p.m, rows, plan.a);
  const b = pack(p.b, p.n, columnsOf(plan.tile), plan.b);
  calls.push(new TileCode(p, plan, context, { a, b, sliceStride }).call());
  return calls;
}
