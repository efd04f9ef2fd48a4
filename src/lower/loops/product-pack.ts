/** Who packs: a call of its own before the tiles, all of an operand; or a block, what it is about to use. */
import { bytesOf } from "../../core/dtype.ts";
import { sizeOf } from "../../core/shape.ts";
import type { Operand } from "../../kernel/kernel.ts";
import { type Int, type IntLocal, iadd, idiv, imin, imul, int, irem, isub, type LoopModule } from "../../kernel/loop.ts";
import type { LoweredCall } from "../target.ts";
import { ArgumentBlock, blockSize, keyOf } from "./block.ts";
import { Lines } from "./lines.ts";
import type { LoopContext } from "./machine.ts";
import { type PanelShape, packHelper, panelBytes } from "./product-panel.ts";
import { dense } from "./product-plan.ts";

/** A packed operand; distances in bytes. */
export interface Packed {
  readonly buffer: number;
  readonly panelBytes: number;
  readonly batchStrides: readonly number[];
}

/** Positions of one axis of k that are packed: steps of the source and of the panel, in bytes, and the position the panel begins at. */
export interface PackAxis {
  readonly from: Int;
  readonly to: Int;
  readonly source: Int;
  readonly target: Int;
  readonly origin: Int;
}

/** What is written for each run of the innermost axis: the addresses at which it begins, its length, and the positions of the axes around it. */
type PackRun = (
  lines: Lines,
  run: { readonly source: Int; readonly target: Int; readonly count: Int; readonly positions: readonly Int[] },
) => void;

/** Loops over all axes but the innermost. */
export function packRuns(lines: Lines, axes: readonly PackAxis[], [source, target]: readonly [Int, Int], run: PackRun): void {
  const walk = (inside: Lines, d: number, from: Int, to: Int, positions: readonly Int[]): void => {
    const axis = axes[d]!;
    const next = (at: Int): [Int, Int] => [iadd(from, imul(at, axis.source)), iadd(to, imul(isub(at, axis.origin), axis.target))];
    if (d === axes.length - 1) {
      const [first, panel] = next(axis.from);
      run(inside, { source: first, target: panel, count: isub(axis.to, axis.from), positions: [...positions, axis.from] });
      return;
    }
    inside.loop("k", axis.from, axis.to, 1, (k, body) => {
      const [first, panel] = next(k);
      walk(body, d + 1, body.int(first, "source"), body.int(panel, "target"), [...positions, k]);
    });
  };
  walk(lines, 0, source, target, []);
}

export interface PackOptions {
  readonly shape: PanelShape;
  readonly operand: Operand;
  readonly rows: number;
  /** Sizes of the axes of k. */
  readonly k: readonly number[];
  readonly batch: readonly number[];
}

/** How the work is handed out: rows and steps of the innermost axis that a unit packs. */
interface PackSizes {
  readonly group: number;
  readonly groups: number;
  readonly chunk: number;
  readonly chunks: number;
  readonly units: number;
  readonly each: number;
}

/** What a unit of packing reads next to each other: long enough for prefetching, short enough that there are several units. */
const RUN_BYTES = 512;
/** Steps of the innermost axis in a unit, where steps do not run over into the next. */
const CHUNK = 256;

function sizesOfPack({ shape, rows, k }: PackOptions, copies: number): PackSizes {
  const panels = Math.ceil(rows / shape.width);
  const along = shape.fetch === "across" ? Math.round(RUN_BYTES / (shape.width * bytesOf(shape.dtype))) : 1;
  const group = Math.max(1, Math.min(panels, along));
  const inner = k.at(-1)!;
  const chunk = shape.width < shape.lanes || inner < 2 * CHUNK ? inner : CHUNK;
  // The last chunk takes what is left: vectors along k need a whole one.
  const [groups, chunks] = [Math.ceil(panels / group), Math.floor(inner / chunk)];
  const units = groups * chunks * copies;
  const each = blockSize(units, (group * shape.width * sizeOf(k) * 2) / chunks);
  return { group: group * shape.width, groups, chunk, chunks, units, each };
}

/** The call that packs an operand, once for each batch element that differs. */
export function packCall(options: PackOptions, context: LoopContext): { packed: Packed; call: LoweredCall } {
  const { shape, operand, rows, k, batch } = options;
  const bytes = panelBytes(shape, sizeOf(k));
  const one = Math.ceil(rows / shape.width) * bytes;
  const batchStrides = batch.map(() => 0);
  let whole = one;
  batch.forEach((_, i) => {
    const d = batch.length - 1 - i;
    if (operand.batchStrides[d] === 0) return;
    batchStrides[d] = whole;
    whole *= batch[d]!;
  });
  const buffer = context.allocate(whole, shape.dtype);
  const packed = { buffer, panelBytes: bytes, batchStrides };
  const sizes = sizesOfPack(options, whole / one);
  const block = new ArgumentBlock();
  const module = packModule(options, { packed, one, sizes }, block);
  const call: LoweredCall = {
    code: { key: keyOf(module), module },
    arguments: block.words,
    blocks: Math.max(1, Math.ceil(sizes.units / sizes.each)),
    work: whole / bytesOf(shape.dtype),
    reads: [operand.buffer],
    writes: [buffer],
    label: "pack",
  };
  return { packed, call };
}

function packModule(
  { shape, operand, rows, k, batch }: PackOptions,
  { packed, one, sizes }: { packed: Packed; one: number; sizes: PackSizes },
  block: ArgumentBlock,
): LoopModule {
  const bytes = bytesOf(shape.dtype);
  const [args, begin, end, thread] = ["arguments", "begin", "end", "thread"].map(int) as [IntLocal, IntLocal, IntLocal, IntLocal];
  const from = block.address(operand.buffer, operand.offset * bytes, "from");
  const to = block.address(packed.buffer, 0, "to");
  const rowStep = block.size(operand.rowStride * bytes, "rowStep");
  const [group, panel] = [block.size(sizes.group, "group"), block.size(packed.panelBytes, "panel")];
  const [each, groups] = [block.size(sizes.each, "each"), block.size(sizes.groups, "groups")];
  const [chunk, chunks] = [block.size(sizes.chunk, "chunk"), block.size(sizes.chunks, "chunks")];
  const steps = dense(k, shape.width * bytes);
  const axes = k.map((size, d) => ({
    size: block.size(size, "size"),
    source: block.size(operand.depthStrides[d]! * bytes, "step"),
    target: d === k.length - 1 ? shape.width * bytes : block.size(steps[d]!, "dense"),
  }));
  const lines = new Lines();
  lines.loop("unit", imul(begin, each), imin(imul(end, each), block.size(sizes.units, "units")), 1, (unit, body) => {
    const [column, line] = [body.int(irem(unit, groups), "column"), body.int(idiv(unit, groups), "line")];
    const [part, copy] = [body.int(irem(line, chunks), "part"), body.int(idiv(line, chunks), "copy")];
    const row = body.int(imul(column, group), "row");
    let source = body.int(iadd(from, imul(row, rowStep)), "source");
    let rest: Int = copy;
    batch.toReversed().forEach((size, i) => {
      const stride = operand.batchStrides[batch.length - 1 - i]!;
      if (stride === 0) return;
      const n = block.size(size, "batch");
      source = body.int(iadd(source, imul(irem(rest, n), block.size(stride * bytes, "stride"))), "source");
      rest = body.int(idiv(rest, n), "rest");
    });
    const target = body.int(
      iadd(
        iadd(to, imul(copy, block.size(one, "one"))),
        imul(column, block.size((sizes.group / shape.width) * packed.panelBytes, "groupBytes")),
      ),
      "target",
    );
    const count = body.int(imin(isub(block.size(rows, "rows"), row), group), "count");
    const first = body.int(imul(part, chunk), "first");
    const last = body.int(chunkEnd(part, { chunk, chunks, size: axes.at(-1)!.size }), "last");
    const nest = axes.map(({ size, source: step, target: apart }, d): PackAxis => {
      const inner = d === axes.length - 1;
      return { from: inner ? first : 0, to: inner ? last : size, source: step, target: apart, origin: 0 };
    });
    const depthStep = axes.at(-1)!.source;
    packRuns(body, nest, [source, target], (inside, run) => {
      inside.statements.push({
        do: "call",
        name: "pack",
        arguments: [run.source, run.target, count, run.count, rowStep, depthStep, panel, 0, 0],
      });
    });
  });
  return {
    lanes: shape.lanes,
    helpers: [packHelper(shape, "pack")],
    entry: { name: "kernel", parameters: [args, begin, end, thread], body: [...block.prologue, ...lines.statements] },
  };
}

/** Where a chunk ends: the last one takes what is left. */
const chunkEnd = (part: Int, { chunk, chunks, size }: { chunk: Int; chunks: Int; size: Int }): Int => {
  const next = iadd(part, 1);
  // next · chunk, and from the last part on the whole size.
  return iadd(imul(next, chunk), imul(idiv(next, chunks), isub(size, imul(next, chunk))));
};
