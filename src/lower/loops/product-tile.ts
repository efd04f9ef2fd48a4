/** The register tile of a product: the one loop in which nearly all of its time is spent. */
import { bytesOf } from "../../core/dtype.ts";
import { type Int, type IntLocal, iadd, imul, int, type LoopFunction, type Statement, type Vec, vec } from "../../kernel/loop.ts";
import { laneOf } from "./scalar.ts";

/** What the code of a product is keyed by: lanes of a vector, rows of the tile, and vectors in each row. */
export interface Tile {
  readonly dtype: "float32" | "float64";
  readonly lanes: number;
  readonly rows: number;
  readonly vectors: number;
}

/** Which step in A is one element: from row to row (panels, and matrices that lie transposed), or from one k to the next. */
export type Walk = "across" | "along";

export const columnsOf = (tile: Tile): number => tile.lanes * tile.vectors;
export const tileBytes = (tile: Tile): number => tile.rows * columnsOf(tile) * bytesOf(tile.dtype);

/**
 * tile(a, b, outer, inner, aOuter, bOuter, aStep, bStep, c, first): c[i, j] (+)= Σ a[o, k, i] · b[o, k, j] over `outer` · `inner` steps. All
 * steps are in bytes; `aStep` is from one k to the next where rows of A are next to each other, and from row to row where the k are. B's
 * columns are next to each other, c is dense and begins at 0 where `first` is not 0. Not `nested`, it takes no steps along o. k is not
 * unrolled: V8 would hoist all loads, and spill; of a loop in a loop it spills sums as well.
 */
export function tileHelper({ dtype, lanes, rows, vectors }: Tile, walk: Walk, nested: boolean): LoopFunction {
  const lane = laneOf(dtype);
  const bytes = bytesOf(dtype);
  const names = ["a", "b", "outer", "inner", "aOuter", "bOuter", "aStep", "bStep", "c", "first"] as const;
  const parameters = names.map(int);
  const [a, b, outer, inner, aOuter, bOuter, aStep, bStep, c, first] = parameters as [
    IntLocal, IntLocal, IntLocal, IntLocal, IntLocal, IntLocal, IntLocal, IntLocal, IntLocal, IntLocal,
  ]; // biome-ignore format: one tuple
  const load = (at: Int, form: "vector" | "splat"): Vec => ({ op: "load", dtype, at, form, lane });
  const cells = Array.from({ length: rows * vectors }, (_, i) => ({ sum: vec(`sum_${i}`, lane), at: iadd(c, i * lanes * bytes) }));
  const columns = Array.from({ length: vectors }, (_, j) => vec(`b_${j}`, lane));
  const x = vec("x", lane);
  // Every third row has an address of its own; the two after it are one and two steps further.
  const bases = Array.from({ length: walk === "across" ? 1 : Math.ceil(rows / GROUP) }, (_, g) => int(`x_${g}`));
  const [twice, y] = [int("twice"), int("y")];
  const row = (i: number): Int => {
    if (walk === "across") return iadd(bases[0]!, i * bytes);
    const base = bases[Math.floor(i / GROUP)]!;
    return i % GROUP === 0 ? base : iadd(base, i % GROUP === 1 ? aStep : twice);
  };
  const step: Statement[] = columns.map((local, j) => ({
    do: "vec",
    local,
    value: load(iadd(nested ? y : b, j * lanes * bytes), "vector"),
  }));
  for (let i = 0; i < rows; i++) {
    step.push({ do: "vec", local: x, value: load(row(i), "splat") });
    columns.forEach((column, j) => {
      const { sum } = cells[i * vectors + j]!;
      step.push({ do: "vec", local: sum, value: { op: "fma", args: [x, column, sum], lane } });
    });
  }
  for (const base of bases) step.push(set(base, iadd(base, walk === "across" ? aStep : bytes)));
  step.push(set(nested ? y : b, iadd(nested ? y : b, bStep)));
  const run: Statement[] = [
    ...bases.map((base, g) => set(base, iadd(a, imul(aStep, g * GROUP)))),
    { do: "for", local: int("k"), from: 0, to: inner, step: 1, body: step },
  ];
  const runs: Statement[] = [set(y, b), ...run, set(a, iadd(a, aOuter)), set(b, iadd(b, bOuter))];
  return {
    name: "tile",
    parameters,
    body: [
      ...(walk === "along" && rows > 2 ? [set(twice, iadd(aStep, aStep))] : []),
      {
        do: "if",
        test: first,
        then: cells.map(({ sum }) => ({ do: "vec", local: sum, value: { op: "splat", value: 0, lane } })),
        else: cells.map(({ sum, at }) => ({ do: "vec", local: sum, value: load(at, "vector") })),
      },
      ...(nested ? [{ do: "for", local: int("o"), from: 0, to: outer, step: 1, body: runs } as const] : run),
      ...cells.map(({ sum, at }): Statement => ({ do: "store", dtype, at, value: sum, form: "vector" })),
    ],
  };
}
const GROUP = 3;

const set = (local: IntLocal, value: Int): Statement => ({ do: "int", local, value });
