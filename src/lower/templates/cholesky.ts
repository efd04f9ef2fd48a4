import type { Serial } from "../../kernel/kernel.ts";
import { type IntLocal, iadd, imul, int, type Statement, type Vec } from "../../kernel/loop.ts";
import type { LoopContext } from "../loops/machine.ts";
import type { Lowered } from "../target.ts";
import { type Elements, reportRow, squareMatrices } from "./matrix.ts";
import { finish, loop, set, sharedOut } from "./parts.ts";
import type { LoopTemplate } from "./template.ts";

/**
 * L·Lᵀ = ½(A + Aᵀ), by Lᵀ row after row (Golub and Van Loan, *Matrix Computations*, Algorithm 4.2.1 in outer products). Reads A […, n, n], writes L.
 * A pivot that is not above 0 is reported: the matrix's number, and the pivot's.
 */
export const cholesky: LoopTemplate = { name: "cholesky", lower };

interface Matrix {
  readonly e: Elements;
  readonly n: IntLocal;
  readonly y: IntLocal;
}

function lower(kernel: Serial, context: LoopContext): Lowered {
  const { e, block, source, target, n, length, count } = squareMatrices(kernel, context, "l");
  const cell = block.check(kernel.check!);
  const [matrix, x, y, k, row] = [int("matrix"), int("x"), int("y"), int("k"), int("row")];
  const [pivot, root] = [e.local("pivot"), e.local("root")];
  const bad: Vec = { op: "not", args: [e.compare("lt", e.constant(0), pivot)], lane: e.mask };
  const body: Statement[] = [
    set(x, e.at(source, imul(matrix, imul(n, n)))),
    set(y, e.at(target, imul(matrix, imul(n, n)))),
    ...symmetricPart({ e, n, y }, x),
    loop(k, 0, n, [
      set(row, e.at(y, imul(k, n))),
      e.let(pivot, e.one(e.at(row, k))),
      reportRow(cell, bad, matrix, k),
      e.let(root, { op: "sqrt", args: [pivot], lane: e.lane }),
      ...e.along("c", k, n, (c) => [{ at: e.at(row, c), value: e.binary("div", e.many(e.at(row, c)), root) }]),
      e.store(e.at(row, k), root),
      ...takeOff({ e, n, y }, k, row),
    ]),
    ...transpose({ e, n, y }),
  ];
  const work = Math.ceil(length ** 3 / 3) + 6 * length ** 2;
  const { statements, blocks } = sharedOut(count, block, work, matrix, body);
  return finish({ block, body: statements, lanes: e.lanes, blocks, work: work * count }, [kernel.reads[0]!.buffer], [kernel.write.buffer]);
}

/** Above the diagonal and on it. The halves are taken first, so that none overflows. */
function symmetricPart({ e, n, y }: Matrix, x: IntLocal): Statement[] {
  const [i, j] = [int("i"), int("j")];
  const half = (row: IntLocal, column: IntLocal): Vec => e.binary("mul", e.one(e.at(x, iadd(imul(row, n), column))), e.constant(0.5));
  return [loop(i, 0, n, [loop(j, i, n, [e.store(e.at(y, iadd(imul(i, n), j)), e.binary("add", half(i, j), half(j, i)))])])];
}

/** Takes the outer product of row k from the rows below. */
function takeOff({ e, n, y }: Matrix, k: IntLocal, row: IntLocal): Statement[] {
  const [i, below] = [int("r"), int("below")];
  const minus = e.local("minus");
  return [
    loop(i, iadd(k, 1), n, [
      set(below, e.at(y, imul(i, n))),
      e.let(minus, e.negative(e.one(e.at(row, i)))),
      ...e.along("d", i, n, (c) => [{ at: e.at(below, c), value: e.fma(minus, e.many(e.at(row, c)), e.many(e.at(below, c))) }]),
    ]),
  ];
}

/** What is above the diagonal goes below it, and leaves 0. */
function transpose({ e, n, y }: Matrix): Statement[] {
  const [i, j] = [int("ti"), int("tj")];
  const above = e.at(y, iadd(imul(i, n), j));
  const moved: Statement[] = [e.store(e.at(y, iadd(imul(j, n), i)), e.one(above)), e.store(above, e.constant(0))];
  return [loop(i, 0, n, [loop(j, iadd(i, 1), n, moved)])];
}
