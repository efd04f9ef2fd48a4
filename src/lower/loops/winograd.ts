/**
 * `product` of 3×3 windows → Winograd's F(2×2, 3×3): Y = Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A (Lavin and Gray 2016, equations 8 and 9). A chunk of tiles of
 * the image is transformed into thread-private scratch, 16 products over its channels run in register tiles, and their sums become four
 * results for each tile of the image, which go through the kernel's stores.
 */
import { bytesOf } from "../../core/dtype.ts";
import { readsBelow } from "../../kernel/expr.ts";
import type { Product } from "../../kernel/kernel.ts";
import {
  type Int,
  type IntLocal,
  iadd,
  idiv,
  ile,
  ilt,
  imin,
  imul,
  int,
  irem,
  isub,
  type LoopModule,
  type Vec,
  type VecLocal,
} from "../../kernel/loop.ts";
import { expand } from "../../kernel/math/index.ts";
import type { Lowered, LoweredCall } from "../target.ts";
import { ArgumentBlock, blockSize, keyOf } from "./block.ts";
import { Lines } from "./lines.ts";
import type { LoopContext } from "./machine.ts";
import { Epilogue, fitsTile, present } from "./product-epilogue.ts";
import { columnsOf, tileHelper } from "./product-tile.ts";
import {
  type Form,
  type ImageAxis,
  planWinograd,
  RESULTS,
  TAPS,
  tilesAlong,
  tilesOf,
  type WinogradPlan,
  winogradForm,
} from "./winograd-form.ts";
import { panelOfWeights, weightsCall } from "./winograd-weights.ts";

/** The product's calls where Winograd's form computes it faster; undefined for all others. */
export function lowerWinograd(kernel: Product, context: LoopContext): Lowered | undefined {
  const form = winogradForm(kernel, context.isSettled(kernel.b.buffer));
  if (!form) return undefined;
  const values = expand(kernel.stores.map((s) => s.value));
  const p: Product = { ...kernel, stores: kernel.stores.map((s, i) => ({ to: s.to, value: values[i]! })) };
  if (!fitsTile(p, context)) return undefined;
  const plan = planWinograd(p, form, context.machine);
  const weights = weightsCall(p, form, plan, context);
  const code = new WinogradCode({ p, form, plan, weights: weights.buffer }, context);
  return { threadBytes: code.threadBytes, calls: [weights.call, code.call()] };
}

interface Parts {
  readonly p: Product;
  readonly form: Form;
  readonly plan: WinogradPlan;
  readonly weights: number;
}

const LANE = "f32";
const add = (a: Vec, b: Vec): Vec => ({ op: "add", args: [a, b], lane: LANE });
const sub = (a: Vec, b: Vec): Vec => ({ op: "sub", args: [a, b], lane: LANE });

/** Bᵀ d for four numbers. */
const ofImage = ([a, b, c, d]: readonly VecLocal[], lines: Lines): VecLocal[] => [
  lines.vec(sub(a!, c!)),
  lines.vec(add(b!, c!)),
  lines.vec(sub(c!, b!)),
  lines.vec(sub(b!, d!)),
];

/** Aᵀ m for four numbers. */
function ofSums([a, b, c, d]: readonly VecLocal[], lines: Lines): VecLocal[] {
  return [lines.vec(add(lines.vec(add(a!, b!)), c!)), lines.vec(sub(lines.vec(sub(b!, c!)), d!))];
}

const SIDE = [0, 1, 2, 3] as const;

/** Four by four values transformed along columns, then along rows. */
const inBoth = (
  values: readonly VecLocal[],
  transform: (four: readonly VecLocal[], lines: Lines) => VecLocal[],
  lines: Lines,
): VecLocal[] => {
  const columns = SIDE.map((j) => transform(SIDE.map((i) => values[4 * i + j]!), lines)); // biome-ignore format: one line
  return columns[0]!.flatMap((_, i) => transform(columns.map((column) => column[i]!), lines)); // biome-ignore format: one line
};

/** Where a tile of the image is: its first row and column of results, and positions along the axes (…batch, m) of its first result. */
interface TileAt {
  readonly row: Int;
  readonly column: Int;
  readonly positions: readonly Int[];
}

class WinogradCode {
  private readonly parts: Parts;
  private readonly block = new ArgumentBlock();
  private readonly epilogue: Epilogue;
  private readonly sizes = new Map<string, IntLocal>();
  private readonly thread = int("thread");
  private readonly units: number;
  private readonly each: number;
  private readonly work: number;
  private readonly bytes: number;

  constructor(parts: Parts, context: LoopContext) {
    this.parts = parts;
    const { p, form, plan } = parts;
    this.bytes = bytesOf(p.dtype);
    this.epilogue = new Epilogue(p, plan.tile, context, this.block);
    this.units = plan.chunks * plan.groups;
    this.work = tilesOf(form) * TAPS * form.channels * p.n;
    this.each = blockSize(this.units, this.work / 8 / this.units);
  }

  /** Where in a thread's scratch everything lies: zeros for what is outside of the image, transformed tiles, sums, results. */
  private get places(): { tiles: number; sums: number; results: number; end: number } {
    const { form, plan } = this.parts;
    const tiles = Math.ceil((form.channels * this.bytes) / 64) * 64 + 64;
    const sums = tiles + TAPS * plan.tapBytes;
    const results = sums + plan.together * TAPS * plan.sumTapBytes;
    return { tiles, sums, results, end: results + RESULTS * RESULTS * this.resultBytes };
  }

  /** Bytes of one result's channels, as far as they are computed together. */
  private get resultBytes(): number {
    const { plan } = this.parts;
    return plan.together * columnsOf(plan.tile) * this.bytes;
  }

  get threadBytes(): number {
    return Math.ceil(this.places.end / 4096) * 4096;
  }

  call(): LoweredCall {
    const module = this.module();
    const { p, weights } = this.parts;
    const reads = [p.a.buffer, weights, ...readsBelow(p.stores.map((s) => s.value)).map((a) => a.buffer)];
    return {
      code: { key: keyOf(module), module },
      arguments: this.block.words,
      blocks: Math.ceil(this.units / this.each),
      work: 2 * this.work,
      reads: [...new Set(reads)],
      writes: [...new Set(p.stores.map((s) => s.to.buffer))],
    };
  }

  private size(name: string, value: number): IntLocal {
    const known = this.sizes.get(name) ?? this.block.size(value, name);
    this.sizes.set(name, known);
    return known;
  }

  private module(): LoopModule {
    const { plan, weights, p } = this.parts;
    const [args, begin, end] = [int("arguments"), int("begin"), int("end")];
    const mine = this.block.privateScratch(this.thread);
    const image = this.block.address(p.a.buffer, p.a.offset * this.bytes, "image");
    const panels = this.block.address(weights, 0, "weights");
    const each = this.size("each", this.each);
    const lines = new Lines();
    this.zeros(lines, mine);
    lines.loop("unit", imul(begin, each), imin(imul(end, each), this.size("units", this.units)), 1, (unit, body) => {
      const groups = this.size("groups", plan.groups);
      const first = body.int(imul(idiv(unit, groups), this.size("chunk", plan.chunk)), "first");
      const count = body.int(imin(isub(this.size("tiles", tilesOf(this.parts.form)), first), this.size("chunk", plan.chunk)), "count");
      const from = body.int(imul(irem(unit, groups), this.size("group", plan.group)), "from");
      const to = body.int(imin(iadd(from, this.size("group", plan.group)), this.size("panels", plan.panels)), "to");
      this.transformImage(body, { first, count, mine, image });
      body.loop("q", from, to, this.size("together", plan.together), (q, some) => {
        const last = some.int(imin(iadd(q, this.size("together", plan.together)), to), "last");
        this.products(some, { q, last, count, mine, panels });
        this.results(some, { q, last, first, count, mine });
      });
    });
    const entry = { name: "kernel", parameters: [args, begin, end, this.thread], body: [...this.block.prologue, ...lines.statements] };
    return { lanes: plan.tile.lanes, helpers: [tileHelper(plan.tile, "along", false)], entry };
  }

  private zeros(lines: Lines, mine: Int): void {
    const { plan } = this.parts;
    const step = plan.tile.lanes * this.bytes;
    lines.loop("z", 0, this.size("tilesAt", this.places.tiles), step, (z, body) => {
      body.statements.push({
        do: "store",
        dtype: "float32",
        at: iadd(mine, z),
        value: { op: "splat", value: 0, lane: LANE },
        form: "vector",
      });
    });
  }

  private tileAt(lines: Lines, number: Int): TileAt {
    const { height, width, images } = this.parts.form;
    const [across, down] = [this.size("tilesAcross", tilesAlong(width)), this.size("tilesDown", tilesAlong(height))];
    const column = lines.int(imul(irem(number, across), RESULTS), "column");
    const above = lines.int(idiv(number, across), "above");
    const row = lines.int(imul(irem(above, down), RESULTS), "row");
    const positions: Int[] = [];
    positions[height.axis] = row;
    positions[width.axis] = column;
    let rest: Int = lines.int(idiv(above, down), "rest");
    images.toReversed().forEach(({ axis, size }, i) => {
      if (i + 1 === images.length) {
        positions[axis] = rest;
        return;
      }
      const count = this.size(`images${axis}`, size);
      positions[axis] = lines.int(irem(rest, count), "i");
      rest = lines.int(idiv(rest, count), "rest");
    });
    return { row, column, positions };
  }

  // ---- Bᵀ d B

  private transformImage(lines: Lines, { first, count, mine, image }: { first: Int; count: Int; mine: Int; image: Int }): void {
    const { plan, form } = this.parts;
    const step = plan.tile.lanes * this.bytes;
    lines.loop("t", 0, count, 1, (t, body) => {
      const at = this.tileAt(body, iadd(first, t));
      const corner = this.cornerOf(body, at, image);
      const rows = this.inside(body, form.height, at.row, "height");
      const columns = this.inside(body, form.width, at.column, "width");
      const [rowStep, columnStep] = [form.height, form.width].map(({ step: s }, k) => this.size(`imageStep${k}`, s * this.bytes)) as [
        IntLocal,
        IntLocal,
      ];
      // Outside of the image zeros are read.
      const sources = SIDE.flatMap((i) =>
        SIDE.map((j) => {
          const there = iadd(iadd(corner, imul(rowStep, i)), imul(columnStep, j));
          return body.int(iadd(mine, imul(imul(rows[i]!, columns[j]!), isub(there, mine))), "source");
        }),
      );
      const target = body.int(
        iadd(iadd(mine, this.size("tilesAt", this.places.tiles)), imul(t, this.size("rowBytes", plan.rowBytes))),
        "target",
      );
      body.loop("c", 0, this.size("channelBytes", form.channels * this.bytes), step, (c, inner) => {
        const values = sources.map((source) =>
          inner.vec({ op: "load", dtype: "float32", at: iadd(source, c), form: "vector", lane: LANE }, "d"),
        );
        const to = inner.int(iadd(target, c), "to");
        inBoth(values, ofImage, inner).forEach((value, k) => {
          inner.statements.push({
            do: "store",
            dtype: "float32",
            at: iadd(to, imul(this.size("tapBytes", plan.tapBytes), k)),
            value,
            form: "vector",
          });
        });
      });
    });
  }

  /** The address of the first element of a tile's first row and column, which may be outside of the image. */
  private cornerOf(lines: Lines, { positions }: TileAt, image: Int): Int {
    const { p } = this.parts;
    const steps = [...p.a.batchStrides, p.a.rowStride];
    const at = positions.reduce<Int>(
      (sum, i, axis) => iadd(sum, imul(i, steps[axis] === 0 ? 0 : this.size(`image${axis}`, steps[axis]! * this.bytes))),
      image,
    );
    return lines.int(at, "corner");
  }

  /** For each of the four rows (or columns) of a tile's window 1 if it is in the image, otherwise 0. */
  private inside(lines: Lines, { from, bound }: ImageAxis, start: Int, name: string): Int[] {
    const first = lines.int(iadd(start, this.size(`${name}From`, from)), "first");
    return SIDE.map((i) => lines.int(imul(ile(0, iadd(first, i)), ilt(iadd(first, i), this.size(`${name}Bound`, bound))), "inside"));
  }

  // ---- products

  private products(lines: Lines, { q, last, count, mine, panels }: { q: Int; last: Int; count: Int; mine: Int; panels: Int }): void {
    const { plan, form } = this.parts;
    const columnBytes = columnsOf(plan.tile) * this.bytes;
    const { rows } = plan.tile;
    const panel = this.size("panel", panelOfWeights(plan, form));
    const matrix = this.size("matrix", panelOfWeights(plan, form) / TAPS);
    const rowBytes = this.size("rowBytes", plan.rowBytes);
    lines.loop("panel", q, last, 1, (number, inPanel) => {
      const sums = inPanel.int(
        iadd(iadd(mine, this.size("sumsAt", this.places.sums)), imul(isub(number, q), this.size("sums", TAPS * plan.sumTapBytes))),
        "sums",
      );
      const weights = inPanel.int(iadd(panels, imul(number, panel)), "weights");
      inPanel.loop("k", 0, TAPS, 1, (k, inTap) => {
        const a = inTap.int(iadd(iadd(mine, this.size("tilesAt", this.places.tiles)), imul(k, this.size("tapBytes", plan.tapBytes))), "a");
        const b = inTap.int(iadd(weights, imul(k, matrix)), "b");
        const c = inTap.int(iadd(sums, imul(k, this.size("sumTapBytes", plan.sumTapBytes))), "c");
        inTap.loop("t", 0, count, rows, (t, body) => {
          const from = iadd(a, imul(t, rowBytes));
          const to = iadd(c, imul(t, columnBytes));
          const channels = this.size("channels", form.channels);
          body.statements.push({ do: "call", name: "tile", arguments: [from, b, 1, channels, 0, 0, rowBytes, columnBytes, to, 1] });
        });
      });
    });
  }

  // ---- Aᵀ m A

  private results(lines: Lines, { q, last, first, count, mine }: { q: Int; last: Int; first: Int; count: Int; mine: Int }): void {
    const { plan, form, p } = this.parts;
    const columnBytes = columnsOf(plan.tile) * this.bytes;
    const step = plan.tile.lanes * this.bytes;
    const results = lines.int(iadd(mine, this.size("resultsAt", this.places.results)), "results");
    const n = lines.int(imul(q, columnsOf(plan.tile)), "n");
    const columns = lines.int(present(this.size("nSize", p.n), n, plan.together * columnsOf(plan.tile)), "columns");
    lines.loop("t", 0, count, 1, (t, body) => {
      body.loop("panel", q, last, 1, (number, inPanel) => {
        const part = inPanel.int(isub(number, q), "part");
        const sums = iadd(
          iadd(iadd(mine, this.size("sumsAt", this.places.sums)), imul(part, this.size("sums", TAPS * plan.sumTapBytes))),
          imul(t, columnBytes),
        );
        const from = inPanel.int(sums, "from");
        const to = inPanel.int(iadd(results, imul(part, columnBytes)), "to");
        inPanel.loop("j", 0, columnBytes, step, (j, inner) => {
          const at = inner.int(iadd(from, j), "at");
          const values = Array.from({ length: TAPS }, (_, k) => inner.vec({ op: "load", dtype: "float32", at: iadd(at, imul(this.size("sumTapBytes", plan.sumTapBytes), k)), form: "vector", lane: LANE }, "m")); // biome-ignore format: one line
          inBoth(values, ofSums, inner).forEach((value, i) => {
            inner.statements.push({
              do: "store",
              dtype: "float32",
              at: iadd(iadd(to, j), imul(this.size("resultBytes", this.resultBytes), i)),
              value,
              form: "vector",
            });
          });
        });
      });
      const at = this.tileAt(body, iadd(first, t));
      const side = (axis: ImageAxis, start: Int, name: string): Int =>
        body.int(present(this.size(`${name}Size`, axis.size), start, RESULTS), name);
      const [rows, across] = [side(form.height, at.row, "height"), side(form.width, at.column, "width")];
      body.loop("i", 0, rows, 1, (i, inRow) => {
        inRow.loop("j", 0, across, 1, (j, inResult) => {
          const positions = [...at.positions];
          positions[form.height.axis] = inResult.int(iadd(at.row, i), "y");
          positions[form.width.axis] = inResult.int(iadd(at.column, j), "x");
          this.epilogue.begin(inResult, positions.slice(0, -1));
          const sums = inResult.int(iadd(results, imul(iadd(imul(i, RESULTS), j), this.size("resultBytes", this.resultBytes))), "sums");
          this.epilogue.finish(inResult, { m: positions.at(-1)!, n, sums, rows: 1, columns });
        });
      });
    });
  }
}
