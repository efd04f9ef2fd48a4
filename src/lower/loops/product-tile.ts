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

export const columnsOf = (tile: Tile): number => tile.lanes * tile.vectors;
export const tileBytes = (tile: Tile): number => tile.rows * columnsOf(tile) * bytesOf(tile.dtype);

/**
 * tile(a, b, depth, bStep, c, first): c[i, j] (+)= Σ_k a[k, i] · b[k, j] over `depth` steps. a holds `rows` elements a step, next to each other;
 * b's steps are `bStep` bytes apart; c is dense. It begins at 0 where `first` is not 0. k is not unrolled: V8 would hoist all loads, and spill.
 */
export function tileHelper({ dtype, lanes, rows, vectors }: Tile): LoopFunction {
  const lane = laneOf(dtype);
  const bytes = bytesOf(dtype);
  const [a, b, depth, bStep, c, first, k] = ["a", "b", "depth", "bStep", "c", "first", "k"].map(int) as IntLocal[];
  const load = (at: Int, form: "vector" | "splat"): Vec => ({ op: "load", dtype, at, form, lane });
  const cells = Array.from({ length: rows * vectors }, (_, i) => ({ sum: vec(`sum_${i}`, lane), at: iadd(c!, i * lanes * bytes) }));
  const columns = Array.from({ length: vectors }, (_, j) => vec(`b_${j}`, lane));
  const x = vec("x", lane);
  const step: Statement[] = columns.map((local, j) => ({ do: "vec", local, value: load(iadd(b!, j * lanes * bytes), "vector") }));
  for (let i = 0; i < rows; i++) {
    step.push({ do: "vec", local: x, value: load(iadd(a!, i * bytes), "splat") });
    columns.forEach((column, j) => {
      const { sum } = cells[i * vectors + j]!;
      step.push({ do: "vec", local: sum, value: { op: "fma", args: [x, column, sum], lane } });
    });
  }
  step.push({ do: "int", local: a!, value: iadd(a!, rows * bytes) }, { do: "int", local: b!, value: iadd(b!, bStep!) });
  return {
    name: "tile",
    parameters: [a!, b!, depth!, bStep!, c!, first!],
    body: [
      {
        do: "if",
        test: first!,
        then: cells.map(({ sum }) => ({ do: "vec", local: sum, value: { op: "splat", value: 0, lane } })),
        else: cells.map(({ sum, at }) => ({ do: "vec", local: sum, value: load(at, "vector") })),
      },
      { do: "for", local: k!, from: 0, to: depth!, step: 1, body: step },
      ...cells.map(({ sum, at }): Statement => ({ do: "store", dtype, at, value: sum, form: "vector" })),
    ],
  };
}

/** Sum of positions along axes: Σ index · stride. */
export const along = (base: Int, terms: readonly (readonly [Int, Int])[]): Int =>
  terms.reduce<Int>((sum, [i, stride]) => iadd(sum, imul(i, stride)), base);
