import { arrayOf, type DType, type TypedArray } from "../core/dtype.ts";
import { sizeOf } from "../core/shape.ts";
import { type Tensor, tensor } from "../index.ts";
import type { StoredTensor } from "../io/index.ts";

/** Rows of one shape, one after the other, on the host. */
export class Rows {
  readonly shape: readonly number[];
  private readonly dtype: DType;
  private data: TypedArray;
  private filled = 0;

  /** `room` is how many are expected. */
  constructor(shape: readonly number[], dtype: DType, room: number) {
    this.shape = shape;
    this.dtype = dtype;
    this.data = arrayOf(dtype, sizeOf(shape) * room);
  }

  append(data: TypedArray): void {
    const needed = this.filled + data.length;
    if (needed > this.data.length) {
      const larger = arrayOf(this.dtype, Math.max(needed, 2 * this.data.length));
      larger.set(this.data);
      this.data = larger;
    }
    this.data.set(data, this.filled);
    this.filled = needed;
  }

  stored(): StoredTensor {
    return { dtype: this.dtype, shape: [this.filled / sizeOf(this.shape), ...this.shape], data: this.data.slice(0, this.filled) };
  }

  tensor(): Tensor {
    return tensor(this.data.subarray(0, this.filled), [this.filled / sizeOf(this.shape), ...this.shape], { dtype: this.dtype });
  }
}
