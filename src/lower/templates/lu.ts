import type { Serial } from "../../kernel/kernel.ts";
import { type IntLocal, iadd, ieq, imul, int, type Statement, type Vec } from "../../kernel/loop.ts";
import type { LoopContext } from "../loops/machine.ts";
import type { Lowered } from "../target.ts";
import { type Elements, holds, squareMatrices } from "./matrix.ts";
import { finish, loop, set, sharedOut } from "./parts.ts";
import type { LoopTemplate } from "./template.ts";

/**
 * Gaussian elimination with partial pivoting, P·A = L·U (Golub and Van Loan, *Matrix Computations*, Algorithm 3.4.1).
 * Reads A […, n, n]; writes […, n + 2, n]: U and, below its diagonal, L without its diagonal of 1; then the rows of A in the order they
 * were taken; then −1 for each exchange and 1 for each step without one. Of equally large pivots the first is taken; a column that
 * has none but 0 stays as it is.
 */
export const lu: LoopTemplate<undefined> = { name: "lu", lower };

/** Step k of the elimination: the matrix is at `y`, its row k at `row`. */
interface Step {
  readonly e: Elements;
  readonly n: IntLocal;
  readonly y: IntLocal;
  readonly k: IntLocal;
  readonly row: IntLocal;
}

function lower(kernel: Serial, context: LoopContext): Lowered {
  const { e, block, source, target, n, length, count } = squareMatrices(kernel, context, "lu");
  const [matrix, x, y, k, row] = [int("matrix"), int("x"), int("y"), int("k"), int("row")];
  const step: Step = { e, n, y, k, row };
  const body: Statement[] = [
    set(x, e.at(source, imul(matrix, imul(n, n)))),
    set(y, e.at(target, imul(matrix, imul(iadd(n, 2), n)))),
    ...e.along("c", 0, imul(n, n), (c) => [{ at: e.at(y, c), value: e.many(e.at(x, c)) }]),
    loop(k, 0, n, [e.store(e.at(y, iadd(imul(n, n), k)), e.whole(k))]),
    loop(k, 0, n, [set(row, e.at(y, imul(k, n))), ...exchange(step), ...eliminate(step)]),
  ];
  const work = Math.ceil((2 * length ** 3) / 3) + 4 * length ** 2;
  const { statements, blocks } = sharedOut(count, block, work, matrix, body);
  return finish({ block, body: statements, lanes: e.lanes, blocks, work: work * count }, [kernel.reads[0]!.buffer], [kernel.write.buffer]);
}

/** Finds the largest element of column k from row k on, and exchanges its row with row k. */
function exchange({ e, n, y, k, row }: Step): Statement[] {
  const [i, pivot, other, order] = [int("i"), int("pivot"), int("other"), int("order")];
  const [best, size] = [e.local("best"), e.local("size")];
  const inColumn = (position: IntLocal): Vec => e.absolute(e.one(e.at(y, iadd(imul(position, n), k))));
  return [
    set(pivot, k),
    e.let(best, inColumn(k)),
    loop(i, iadd(k, 1), n, [
      e.let(size, inColumn(i)),
      { do: "if", test: holds(e.compare("lt", best, size)), then: [set(pivot, i), e.let(best, size)] },
    ]),
    set(order, e.at(y, imul(n, n))),
    {
      do: "if",
      test: ieq(pivot, k),
      then: [e.store(e.at(order, iadd(n, k)), e.constant(1))],
      else: [
        e.store(e.at(order, iadd(n, k)), e.constant(-1)),
        set(other, e.at(y, imul(pivot, n))),
        ...swap(e, [e.at(order, k), e.at(order, pivot)]),
        ...swapRows(e, n, [row, other]),
      ],
    },
  ];
}

function swap(e: Elements, [a, b]: [ReturnType<Elements["at"]>, ReturnType<Elements["at"]>]): Statement[] {
  const [one, two] = [e.local("one"), e.local("two")];
  return [e.let(one, e.one(a)), e.let(two, e.one(b)), e.store(a, two), e.store(b, one)];
}

function swapRows(e: Elements, n: IntLocal, [a, b]: [IntLocal, IntLocal]): Statement[] {
  const [one, two] = [e.local("upper"), e.local("under")];
  return e.along(
    "s",
    0,
    n,
    (c) => [
      { at: e.at(a, c), value: two },
      { at: e.at(b, c), value: one },
    ],
    (c) => [e.let(one, e.many(e.at(a, c))), e.let(two, e.many(e.at(b, c)))],
  );
}

/** Takes row k from those below, so many times that column k becomes 0; L gets how many times. */
function eliminate({ e, n, y, k, row }: Step): Statement[] {
  const [i, below] = [int("r"), int("below")];
  const [pivot, times, minus] = [e.local("p"), e.local("times"), e.local("minus")];
  return [
    e.let(pivot, e.one(e.at(row, k))),
    {
      do: "if",
      test: holds(e.compare("ne", pivot, e.constant(0))),
      then: [
        loop(i, iadd(k, 1), n, [
          set(below, e.at(y, imul(i, n))),
          e.let(times, e.binary("div", e.one(e.at(below, k)), pivot)),
          e.store(e.at(below, k), times),
          e.let(minus, e.negative(times)),
          ...e.along("j", iadd(k, 1), n, (c) => [
            { at: e.at(below, c), value: e.fma(minus, e.many(e.at(row, c)), e.many(e.at(below, c))) },
          ]),
        ]),
      ],
    },
  ];
}
