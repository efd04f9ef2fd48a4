/** Kernels that go along an axis one element after another: cumulative sums and products, stable sorting, scatter-add. Parallel over rows. */
import { bytesOf } from "../../core/dtype.ts";
import { InternalError } from "../../core/errors.ts";
import type { Lowered, LoweringContext, Serial } from "../kernel.ts";
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
  type Statement,
  type Vec,
  vec,
} from "../loop.ts";
import { ArgumentBlock, blockSize, keyOf } from "./block.ts";
import { asLane, laneOf } from "./scalar.ts";

export function lowerSerial(kernel: Serial, context: LoweringContext): Lowered {
  switch (kernel.template) {
    case "cumulate":
      return cumulate(kernel, context);
    case "argsort":
      return argsort(kernel, context);
    case "scatterAdd":
      return scatterAdd(kernel, context);
  }
}

const [ARGS, BEGIN, END, THREAD] = [int("arguments"), int("begin"), int("end"), int("thread")];
const set = (local: IntLocal, value: Int): Statement => ({ do: "int", local, value });
const loop = (local: IntLocal, from: Int, to: Int, body: Statement[], step: Int = 1): Statement => ({
  do: "for",
  local,
  from,
  to,
  step,
  body,
});

function lanesFor(kernel: Serial, context: LoweringContext): number {
  return context.target.vectorBytes / bytesOf(kernel.dtype === "float64" ? "float64" : "float32");
}

interface Parts {
  readonly block: ArgumentBlock;
  readonly body: Statement[];
  readonly lanes: number;
  readonly blocks: number;
  readonly work: number;
}

function finish({ block, body, lanes, blocks, work }: Parts, reads: number[], writes: number[]): Lowered {
  const entry = { name: "kernel", parameters: [ARGS, BEGIN, END, THREAD], body: [...block.prologue, ...body] };
  const module: LoopModule = { lanes, helpers: [], entry };
  return { threadBytes: 0, calls: [{ code: { key: keyOf(module), module }, arguments: block.words, blocks, work, reads, writes }] };
}

/** Rows of the last axis, shared out in blocks. */
function overRows(
  kernel: Serial,
  block: ArgumentBlock,
  workOfRow: number,
  row: IntLocal,
  body: Statement[],
): { statements: Statement[]; blocks: number } {
  const rows = kernel.sizes.slice(0, -1).reduce((n, d) => n * d, 1);
  const size = blockSize(rows, workOfRow);
  const each = block.size(size, "block");
  const all = block.size(rows, "rows");
  return { statements: [loop(row, imul(BEGIN, each), imin(imul(END, each), all), body)], blocks: Math.max(1, Math.ceil(rows / size)) };
}

function cumulate(kernel: Serial, context: LoweringContext): Lowered {
  const { dtype } = kernel;
  const bytes = bytesOf(dtype);
  const lane = laneOf(dtype);
  const length = kernel.sizes.at(-1)!;
  const block = new ArgumentBlock();
  const [from, to] = [kernel.reads[0]!, kernel.write];
  const source = block.address(from.buffer, from.offset * bytes, "x");
  const target = block.address(to.buffer, to.offset * bytes, "y");
  const n = block.size(length, "n");
  const [row, i, at, k] = [int("row"), int("i"), int("at"), int("k")];
  const acc = vec("acc", lane);
  const sum = kernel.combine !== "product";
  const element: Vec = { op: "load", dtype, form: "splat", at: iadd(source, at), lane };
  const inner: Statement[] = [
    set(k, kernel.reverse ? isub(isub(n, 1), i) : i),
    set(at, imul(iadd(imul(row, n), k), bytes)),
    { do: "vec", local: acc, value: { op: sum ? "add" : "mul", args: [acc, element], lane } },
    { do: "store", dtype, at: iadd(target, at), value: acc, form: "first" },
  ];
  const body: Statement[] = [{ do: "vec", local: acc, value: { op: "splat", value: sum ? 0 : 1, lane } }, loop(i, 0, n, inner)];
  const { statements, blocks } = overRows(kernel, block, length * 4, row, body);
  const work = kernel.sizes.reduce((a, b) => a * b, 4);
  return finish({ block, body: statements, lanes: lanesFor(kernel, context), blocks, work }, [from.buffer], [to.buffer]);
}

/** Bottom-up merge sort of positions: stable; NaN counts as the largest. */
function argsort(kernel: Serial, context: LoweringContext): Lowered {
  const { dtype } = kernel;
  const length = kernel.sizes.at(-1)!;
  const rows = kernel.sizes.slice(0, -1).reduce((n, d) => n * d, 1);
  const block = new ArgumentBlock();
  const [from, to] = [kernel.reads[0]!, kernel.write];
  const spare = context.allocate(rows * length * 4, "int32");
  const bytes = bytesOf(dtype);
  const values = block.address(from.buffer, from.offset * bytes, "x");
  const result = block.address(to.buffer, to.offset * 4, "y");
  const other = block.address(spare, 0, "spare");
  const n = block.size(length, "n");
  const passes = Math.ceil(Math.log2(Math.max(1, length)));
  const [row, i, pass, width, low] = [int("row"), int("i"), int("pass"), int("width"), int("low")];
  const [x, source, target, swap] = [int("x"), int("source"), int("target"), int("swap")];
  const word = (at: Int): Int => ({ op: "word", at });
  const merge = mergeRuns({ x, source, target, low, width, n, dtype, descending: kernel.descending === true });
  const body: Statement[] = [
    set(x, iadd(values, imul(imul(row, n), bytes))),
    set(source, iadd(result, imul(imul(row, n), 4))),
    set(target, iadd(other, imul(imul(row, n), 4))),
    loop(i, 0, n, [{ do: "word", at: iadd(source, imul(i, 4)), value: i }]),
    set(width, 1),
    loop(pass, 0, block.size(passes, "passes"), [
      loop(low, 0, n, merge, imul(width, 2)),
      set(swap, source),
      set(source, target),
      set(target, swap),
      set(width, imul(width, 2)),
    ]),
    // After an odd number of passes the order is in the spare row, and `target` is the result.
    {
      do: "if",
      test: irem(block.size(passes, "odd"), 2),
      then: [loop(i, 0, n, [{ do: "word", at: iadd(target, imul(i, 4)), value: word(iadd(source, imul(i, 4))) }])],
    },
  ];
  const { statements, blocks } = overRows(kernel, block, length * passes * 10, row, body);
  const work = rows * length * Math.max(1, passes) * 10;
  return finish({ block, body: statements, lanes: lanesFor(kernel, context), blocks, work }, [from.buffer], [to.buffer, spare]);
}

interface Runs {
  readonly x: IntLocal;
  readonly source: IntLocal;
  readonly target: IntLocal;
  readonly low: IntLocal;
  readonly width: IntLocal;
  readonly n: IntLocal;
  readonly dtype: Serial["dtype"];
  readonly descending: boolean;
}

/** Merges the sorted runs [low, low + width) and [low + width, low + 2 · width). */
function mergeRuns({ x, source, target, low, width, n, dtype, descending }: Runs): Statement[] {
  const [middle, high, i, j, k, right, chosen] = ["middle", "high", "left", "rightAt", "k", "right", "chosen"].map(int) as IntLocal[];
  const lane = laneOf(dtype);
  const at = (position: Int): Int => ({ op: "word", at: iadd(source, imul(position, 4)) });
  const element = (position: Int): Vec => ({ op: "load", dtype, form: "splat", at: iadd(x, imul(at(position), bytesOf(dtype))), lane });
  const [a, b] = [vec("a", lane), vec("b", lane)];
  return [
    set(middle!, imin(iadd(low, width), n)),
    set(high!, imin(iadd(low, imul(width, 2)), n)),
    set(i!, low),
    set(j!, middle!),
    loop(k!, low, high!, [
      set(right!, ile(middle!, i!)),
      {
        do: "if",
        test: { op: "and", a: ilt(i!, middle!), b: ilt(j!, high!) },
        then: [
          { do: "vec", local: a, value: element(i!) },
          { do: "vec", local: b, value: element(j!) },
          set(right!, { op: "lane", of: comesFirst(b, a, descending), lane: 0 }),
        ],
      },
      {
        do: "if",
        test: right!,
        then: [set(chosen!, at(j!)), set(j!, iadd(j!, 1))],
        else: [set(chosen!, at(i!)), set(i!, iadd(i!, 1))],
      },
      { do: "word", at: iadd(target, imul(k!, 4)), value: chosen! },
    ]),
  ];
}

/** 1 where b must stand before a although it came after it. */
function comesFirst(b: Vec, a: Vec, descending: boolean): Vec {
  const float = a.lane === "f32" || a.lane === "f64";
  const mask = a.lane === "f64" ? "mask64" : "mask32";
  const [small, large] = descending ? [a, b] : [b, a];
  const less: Vec = { op: "lt", args: [small, large], lane: mask };
  if (!float) return asLane(less, "i32");
  const notANumber = (v: Vec): Vec => ({ op: "ne", args: [v, v], lane: mask });
  // The larger one is NaN and the smaller is not.
  const over: Vec = { op: "and", args: [notANumber(large), { op: "eq", args: [small, small], lane: mask }], lane: mask };
  return asLane({ op: "or", args: [less, over], lane: mask }, "i32");
}

/** Adds rows of updates to the rows they name. Each block owns some rows of the result and goes through all indices in order. */
function scatterAdd(kernel: Serial, context: LoweringContext): Lowered {
  const { dtype, bound } = kernel;
  if (bound === undefined) throw new InternalError("scatterAdd without a bound");
  const [batch, count, row] = kernel.sizes as [number, number, number];
  const lanes = lanesFor(kernel, context);
  const bytes = bytesOf(dtype);
  const lane = laneOf(dtype);
  const block = new ArgumentBlock();
  const [indices, updates] = kernel.reads as [Serial["write"], Serial["write"]];
  const work = batch * count * (row + 4);
  const parts = work < 1 << 16 ? 1 : Math.min(8, bound);
  const [index, source, target] = [
    block.address(indices.buffer, indices.offset * 4, "indices"),
    block.address(updates.buffer, updates.offset * bytes, "updates"),
    block.address(kernel.write.buffer, kernel.write.offset * bytes, "y"),
  ];
  const [batches, n, length, rows, pieces] = [batch, count, row, bound, parts].map((size, i) => block.size(size, `n${i}`));
  const [b, j, r, at, low, high, from, to, whole] = ["b", "j", "r", "at", "low", "high", "from", "to", "whole"].map(int) as IntLocal[];
  const position = imul(r!, bytes);
  const sum: Vec = {
    op: "add",
    lane,
    args: [
      { op: "load", dtype, form: "vector", at: iadd(to!, position), lane },
      { op: "load", dtype, form: "vector", at: iadd(from!, position), lane },
    ],
  };
  const addRow: Statement[] = [
    set(from!, iadd(source, imul(imul(iadd(imul(b!, n!), j!), length!), bytes))),
    set(to!, iadd(target, imul(imul(iadd(imul(b!, rows!), at!), length!), bytes))),
    loop(r!, 0, whole!, [{ do: "store", dtype, at: iadd(to!, position), value: sum, form: "vector" }], lanes),
    loop(
      r!,
      whole!,
      length!,
      [{ do: "store", dtype, at: iadd(to!, position), value: sum, form: "partial", count: isub(length!, whole!) }],
      lanes,
    ),
  ];
  const body: Statement[] = [
    set(low!, idiv(imul(BEGIN, rows!), pieces!)),
    set(high!, idiv(imul(END, rows!), pieces!)),
    set(whole!, isub(length!, irem(length!, lanes))),
    loop(b!, 0, batches!, [
      loop(j!, 0, n!, [
        set(at!, { op: "word", at: iadd(index, imul(iadd(imul(b!, n!), j!), 4)) }),
        { do: "if", test: { op: "and", a: ile(low!, at!), b: ilt(at!, high!) }, then: addRow },
      ]),
    ]),
  ];
  return finish({ block, body, lanes, blocks: parts, work }, [indices.buffer, updates.buffer, kernel.write.buffer], [kernel.write.buffer]);
}
