import { type Shape, sizeOf } from "../../core/shape.ts";
import type { Access } from "../../kernel/expr.ts";
import type { Serial } from "../../kernel/kernel.ts";
import { type Int, iadd, idiv, imin, imul, int, irem, isub, type Statement } from "../../kernel/loop.ts";
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

/** Columns that a block takes, so that what it has computed stays in the first cache. */
const COLUMNS = 64;

function lower(kernel: Serial<TriangularAttributes>, context: LoopContext): Lowered {
  const e = new Elements(kernel, context);
  const [shape, right] = kernel.shapes as [Shape, Shape];
  const [length, width, count] = [shape.at(-1)!, right.at(-1)!, sizeOf(shape.slice(0, -2))];
  const columns = Math.min(COLUMNS, Math.max(1, width));
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
  const [s, i, j, k, row] = [int("s"), int("i"), int("j"), int("k"), int("row")];
  const [at, from, to] = [int("at"), int("from"), int("to")];
  const diagonal = e.local("diagonal");
  // A lower triangle is gone through from its first row, an upper one from its last; a transposed one is the other.
  const backwards = upper !== transpose;
  const inOrder = (turn: Int): Int => (backwards ? isub(isub(n, 1), turn) : turn);
  const total = e.local("total");
  const sum = (c: Int): Statement[] => {
    const minus = e.negative(e.one(e.at(row, imul(j, step))));
    const known = e.many(e.at(to, iadd(imul(j, m), c)));
    const turns = loop(k, 0, s, [set(j, inOrder(k)), e.let(total, e.fma(minus, known, total))]);
    return [e.let(total, e.many(e.at(from, iadd(imul(i, m), c)))), turns];
  };
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
      ...e.along(
        "c",
        first,
        last,
        (c) => [{ at: e.at(to, iadd(imul(i, m), c)), value: unit ? total : e.binary("div", total, diagonal) }],
        (c) => sum(c),
      ),
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
