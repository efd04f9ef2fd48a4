/** One side of a data set: how its numbers become tensors, and what is refused on the way. */
import { arrayOf, checkDType, type DType, isFloat, type TypedArray } from "../core/dtype.ts";
import { holdsAll, isElement, notAnElement } from "../core/elements.ts";
import { ArgumentError, DTypeError, ShapeError, show } from "../core/errors.ts";
import { checkOptions } from "../core/options.ts";
import { checkShape, type Shape, showShape, sizeOf } from "../core/shape.ts";
import { type Tensor, tensor } from "../index.ts";

/** One side of the examples: inputs or targets, one after the other in `data`. */
export interface Column {
  readonly data: TypedArray;
  /** Shape of one example; [] for a number, as a class is. */
  readonly shape: Shape;
  /**
   * What the tensors are. Unless said, that of the array where it is one of floats; of integers, float32 as inputs (where that holds each of
   * them exactly) and int32 as targets, which are classes then. A scale makes numbers float32.
   */
  readonly dtype?: DType;
  /** Factor applied on the way: 1/255 makes bytes numbers from 0 to 1. */
  readonly scale?: number;
}

/** A column that was looked at: all its numbers are known to be elements of the dtype. */
export interface CheckedColumn extends Column {
  readonly dtype: DType;
  readonly scale: number;
}

const checked = new WeakSet<Column>();

/**
 * The column with all that was left open decided.
 *
 * @throws ShapeError if the numbers do not divide into examples; DTypeError or ArgumentError that names row, column and value of the first number
 * that the dtype cannot hold: a fraction or NaN where integers are wanted, a value outside its range
 */
export function checkColumn(column: Column, what: "inputs" | "targets"): CheckedColumn {
  if (checked.has(column)) return column as CheckedColumn;
  const who = `data: ${what}`;
  if (
    typeof column !== "object" ||
    column === null ||
    Array.isArray(column) ||
    ArrayBuffer.isView(column) ||
    typeof column.data === "function"
  )
    throw new DTypeError(`${who}: ${describe(column)} where numbers and the shape of an example are wanted`, {
      help: `{ data: Float32Array.from(values), shape: ${what === "inputs" ? "[features]" : "[]"} }`,
    });
  checkOptions(who, column, ["data", "shape", "dtype", "scale"]);
  const { data, scale = 1 } = column;
  if (!ArrayBuffer.isView(data) || data instanceof DataView || data instanceof BigInt64Array || data instanceof BigUint64Array)
    throw new DTypeError(`${who}: ${describe(data)} where a typed array of numbers is wanted`, {
      help: isBig(data) ? "Float64Array.from(values, Number), if they are small enough" : "Float32Array.from(values)",
    });
  if (typeof scale !== "number" || !Number.isFinite(scale)) throw new ArgumentError(`${who}: a scale of ${show(scale)}`);
  const shape = checkShape(column.shape, who);
  const each = sizeOf(shape);
  if (each === 0 || data.length % each !== 0)
    throw new ShapeError(`${who}: ${data.length} numbers do not divide into examples of ${showShape(shape)}`);
  const dtype = column.dtype === undefined ? usualType(data, scale, what) : checkDType(column.dtype, who);
  const result: CheckedColumn = { data, shape, dtype, scale };
  checkNumbers(result, who, column.dtype === undefined);
  checked.add(result);
  return result;
}

const isBig = (data: unknown): boolean => data instanceof BigInt64Array || data instanceof BigUint64Array;

const describe = (data: unknown): string =>
  typeof data === "object" && data !== null ? `${(data.constructor as { name?: string } | undefined)?.name ?? "an object"}` : show(data);

const isIntegerArray = (data: ArrayLike<number>): boolean => holdsAll(data, "int32") || holdsAll(data, "uint32");

function usualType(data: TypedArray, scale: number, what: "inputs" | "targets"): DType {
  if (isIntegerArray(data)) return what === "inputs" || scale !== 1 ? "float32" : "int32";
  return data instanceof Float64Array ? "float64" : "float32";
}

/** Whole numbers up to here are float32 exactly. */
const EXACT = 2 ** 24;

function checkNumbers({ data, shape, dtype, scale }: CheckedColumn, who: string, guessed: boolean): void {
  // Nobody asked for the rounding of integers to float32: identities and times would fall together.
  const exact = guessed && dtype === "float32" && scale === 1 && data.BYTES_PER_ELEMENT > 2 && isIntegerArray(data);
  if (!exact && scale === 1 && holdsAll(data, dtype)) return;
  for (let i = 0; i < data.length; i++) {
    const value = data[i]! * scale;
    if (!isElement(value, dtype)) throw notAnElement(value, dtype, who, placeOf(i, shape));
    if (exact && Math.abs(value) > EXACT && Math.fround(value) !== value)
      throw new ArgumentError(`${who}: ${value}${placeOf(i, shape)} would be rounded to ${Math.fround(value)}`, {
        why: "integers become float32 as inputs, which holds whole numbers up to 16777216 exactly",
        help: 'say dtype: "float64", "int32" for positions that are looked up, or "float32" if the rounding does no harm',
      });
  }
}

/** " in row 3", " in row 3, column 2", " in row 3, at [1, 2]". */
function placeOf(position: number, shape: Shape): string {
  const each = sizeOf(shape);
  const row = ` in row ${Math.floor(position / each)}`;
  if (each === 1) return row;
  let rest = position % each;
  const at = [...shape].reverse().map((size) => {
    const index = rest % size;
    rest = Math.floor(rest / size);
    return index;
  });
  return at.length === 1 ? `${row}, column ${at[0]}` : `${row}, at [${at.reverse().join(", ")}]`;
}

/** The tensor of these rows: [rows, ...shape]. */
export function gatherColumn({ data, shape, dtype, scale }: CheckedColumn, rows: Uint32Array): Tensor {
  const each = sizeOf(shape);
  const out = arrayOf(dtype, rows.length * each);
  const scaled = scale !== 1;
  // Where the type holds what is scaled, whole rows are copied first, which is quicker.
  const copied = !scaled || (isFloat(dtype) && holdsAll(data, dtype));
  rows.forEach((row, i) => {
    if (each === 1) out[i] = scaled ? data[row]! * scale : data[row]!;
    else if (copied) out.set(data.subarray(row * each, (row + 1) * each), i * each);
    else for (let k = 0; k < each; k++) out[i * each + k] = data[row * each + k]! * scale;
  });
  if (scaled && copied && each > 1) for (let i = 0; i < out.length; i++) out[i]! *= scale;
  return tensor(out, [rows.length, ...shape], { dtype });
}

/** Mean and standard deviation of each feature, over the examples. */
export interface Moments {
  readonly mean: readonly number[];
  /** 0 for a feature that never changes. */
  readonly std: readonly number[];
}

/**
 * Mean and standard deviation of each feature over these rows, μ = Σx/n and σ = √(Σ(x − μ)²/n), in float64 and from the first row on, so that
 * equal numbers have exactly 0.
 *
 * @throws ArgumentError for no rows, and for a number that is not finite, with its row and column
 */
export function momentsOf({ data, shape, scale }: CheckedColumn, rows: Uint32Array, who: string): Moments {
  if (rows.length === 0) throw new ArgumentError(`${who}: there are no examples`, { why: "a mean over none is not a number" });
  const each = sizeOf(shape);
  const [mean, std]: number[][] = [[], []];
  for (let k = 0; k < each; k++) {
    const at = (row: number): number => data[row * each + k]! * scale;
    const origin = at(rows[0]!);
    let sum = 0;
    for (const row of rows) {
      const value = at(row);
      if (!Number.isFinite(value))
        throw new ArgumentError(`${who}: ${value}${placeOf(row * each + k, shape)}`, {
          why: "mean and deviation of such numbers are not numbers",
          help: "leave the row out, or put a number there",
        });
      sum += value - origin;
    }
    const shift = sum / rows.length;
    let squares = 0;
    for (const row of rows) squares += (at(row) - origin - shift) ** 2;
    mean!.push(origin + shift);
    std!.push(Math.sqrt(squares / rows.length));
  }
  return { mean: mean!, std: std! };
}
