import { type Shape, sizeOf } from "../../core/shape.ts";
import type { Access } from "../../kernel/expr.ts";
import type { Serial } from "../../kernel/kernel.ts";
import { type Int, iadd, idiv, imin, imul, int, irem, isub, type Statement, type Vec, type VecLocal } from "../../kernel/loop.ts";
import { ArgumentBlock } from "../loops/block.ts";
import type { LoopContext } from "../loops/machine.ts";
import type { Lowered } from "../target.ts";
import { Elements, reportRow } from "./matrix.ts";
import { finish, loop, set, sharedOut } from "./parts.ts";
import type { LoopTemplate } from "./template.ts";

/** Attributes of `triangular`. */
export interface TriangularAttributes {
  /** Reads what is above the diagonal of T, else what is below. */
  readonly upper: boolean;
  /** Tᵀ·X = B instead of T·X = B. */
  readonly transpose: boolean;
  /** The diagonal counts as 1, whatever is there. */
  readonly unit: boolean;
}

/**
 * Forward or back substitution, T·X = B for many columns at once (Golub and Van Loan, *Matrix Computations*, Algorithms 3.1.1 and 3.1.2).
 * Reads T […, n, n] and B […, n, m], writes X […, n, m]; parallel over matrices and columns. A 0 on the diagonal is reported: the matrix's
 * number, and the row.
 */
export const triangular: LoopTemplate<TriangularAttributes> = { name: "triangular", lower };

/** Vectors of a row whose sums run side by side. A block takes so many columns, so that what it has computed stays near. */
const VECTORS = 4;

function lower(kernel: Serial<TriangularAttributes>, context: LoopContext): Lowered {
  const e = new Elements(kernel, context);
  const [shape, right] = kernel.shapes as [Shape, Shape];
  const [length, width, count] = [shape.at(-1)!, right.at(-1)!, sizeOf(shape.slice(0, -2))];
  const columns = Math.min(VECTORS * e.lanes, Math.max(1, width));
  const pieces = Math.ceil(width / columns);
  const block = new ArgumentBlock();
  const [t, b] = kernel.reads as [Access, Access];
  const [matrices, rights, target] = [
    block.address(t.buffer, t.offset * e.bytes, "t"),
    block.address(b.buffer, b.offset * e.bytes, "b"),
    block.address(kernel.write.buffer, kernel.write.offset * e.bytes, "x"),
  ];
  const { upper, transpose, unit } = kernel.attributes;
  const [n, m] = [block.size(length, "n"), block.size(width, "m")];
  const [part, many, step] = [block.size(columns, "columns"), block.size(pieces, "pieces"), block.size(transpose ? length : 1, "step")];
  const cell = unit ? 0 : block.check(kernel.check!);
  const [piece, matrix, first, last] = [int("piece"), int("matrix"), int("first"), int("last")];
  const [s, i, row] = [int("s"), int("i"), int("row")];
  const [at, from, to] = [int("at"), int("from"), int("to")];
  const diagonal = e.local("diagonal");
  // A lower triangle is gone through from its first row, an upper one from its last; a transposed one is the other.
  const backwards = upper !== transpose;
  const inOrder = (turn: Int): Int => (backwards ? isub(isub(n, 1), turn) : turn);
  const body: Statement[] = [
    set(matrix, idiv(piece, many)),
    set(first, imul(irem(piece, many), part)),
    set(last, imin(iadd(first, part), m)),
    set(at, e.at(matrices, imul(matrix, imul(n, n)))),
    set(from, e.at(rights, imul(matrix, imul(n, m)))),
    set(to, e.at(target, imul(matrix, imul(n, m)))),
    loop(s, 0, n, [
      set(i, inOrder(s)),
      // Element (i, j) of the triangle, transposed or not, is j steps from here.
      set(row, e.at(at, transpose ? i : imul(i, n))),
      ...(unit
        ? []
        : [e.let(diagonal, e.one(e.at(row, imul(i, step)))), reportRow(cell, e.compare("eq", diagonal, e.constant(0)), matrix, i)]),
      ...solveRow(e, { s, i, m, row, step, from, to, inOrder, diagonal: unit ? undefined : diagonal }, first, last),
    ]),
  ];
  const work = length ** 2 * columns + 4 * length * columns;
  const { statements, blocks } = sharedOut(count * pieces, block, work, piece, body);
  return finish(
    { block, body: statements, lanes: e.lanes, blocks, work: work * count * pieces },
    [t.buffer, b.buffer],
    [kernel.write.buffer],
  );
}

/** What row i needs: the rows before it in order, and its own element of the diagonal where that is not 1. */
interface Row {
  readonly s: Int;
  readonly i: Int;
  readonly m: Int;
  readonly row: Int;
  readonly step: Int;
  readonly from: Int;
  readonly to: Int;
  readonly inOrder: (turn: Int) => Int;
  readonly diagonal: Vec | undefined;
}

/** Columns `first` … `last` − 1 of row i: several vectors at a time, so that their sums do not wait for each other, then one. */
function solveRow(e: Elements, { s, i, m, row, step, from, to, inOrder, diagonal }: Row, first: Int, last: Int): Statement[] {
  const [c, whole, k, j] = [int("c"), int("whole"), int("k"), int("j")];
  const minus = e.local("minus");
  const sums = Array.from({ length: VECTORS }, (_, v) => e.local(`sum${v}`));
  const place = (base: Int, line: Int, column: Int, v: number): Int => e.at(base, iadd(iadd(imul(line, m), column), v * e.lanes));
  const solved = (total: Vec): Vec => (diagonal ? e.binary("div", total, diagonal) : total);
  const summed = (column: Int, totals: readonly VecLocal[]): Statement[] => [
    ...totals.map((total, v) => e.let(total, e.many(place(from, i, column, v)))),
    loop(k, 0, s, [
      set(j, inOrder(k)),
      e.let(minus, e.negative(e.one(e.at(row, imul(j, step))))),
      ...totals.map((total, v) => e.let(total, e.fma(minus, e.many(place(to, j, column, v)), total))),
    ]),
  ];
  const stored = sums.map(
    (total, v): Statement => ({ do: "store", dtype: e.dtype, at: place(to, i, c, v), value: solved(total), form: "vector" }),
  );
  return [
    set(whole, isub(last, irem(isub(last, first), VECTORS * e.lanes))),
    loop(c, first, whole, [...summed(c, sums), ...stored], VECTORS * e.lanes),
    ...e.along(
      "d",
      whole,
      last,
      (d) => [{ at: place(to, i, d, 0), value: solved(sums[0]!) }],
      (d) => summed(d, sums.slice(0, 1)),
    ),
  ];
}
