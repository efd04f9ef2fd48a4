import { arrayOf, type DType, type TypedArray } from "../core/dtype.ts";
import { ArgumentError } from "../core/errors.ts";
import { sizeOf } from "../core/shape.ts";
import { type Tensor, tensor } from "../index.ts";
import type { StoredTensor } from "../io/index.ts";

/** Rows of one shape, one after the other, on the host: room for so many. */
export class Rows {
  readonly shape: readonly number[];
  private readonly dtype: DType;
  private readonly data: TypedArray;
  private filled = 0;

  constructor(shape: readonly number[], dtype: DType, room: number) {
    this.shape = shape;
    this.dtype = dtype;
    this.data = arrayOf(dtype, sizeOf(shape) * room);
  }

  append(data: TypedArray): void {
    if (this.filled + data.length > this.data.length)
      throw new ArgumentError("the data set gave more examples than its size", { help: "size is how many examples one pass has" });
    this.data.set(data, this.filled);
    this.filled += data.length;
  }

  stored(): StoredTensor {
    return { dtype: this.dtype, shape: [this.filled / sizeOf(this.shape), ...this.shape], data: this.data.slice(0, this.filled) };
  }

  tensor(): Tensor {
    return tensor(this.data.subarray(0, this.filled), [this.filled / sizeOf(this.shape), ...this.shape], { dtype: this.dtype });
  }
}
