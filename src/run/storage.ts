/** The numbers of a tensor that was computed, wherever they are. */
import type { TypedArray } from "../core/dtype.ts";

export interface Storage {
  /** The elements in row-major order: not a copy, so nobody may write to it. */
  read(): TypedArray | Promise<TypedArray>;
  /** The same at once, to be copied and not to be kept. Throws the error of a call that failed. */
  peek(): TypedArray;
}

/** Numbers in an array of this process. */
export class HostStorage implements Storage {
  readonly array: TypedArray;

  constructor(array: TypedArray) {
    this.array = array;
  }

  read(): TypedArray {
    return this.array;
  }

  peek(): TypedArray {
    return this.array;
  }
}

/** An error of a call, and whether somebody has heard of it. */
export interface Failure {
  readonly error: Error;
  told: boolean;
}

/** The outcome of a call that failed: whoever reads it is told. */
export class FailedStorage implements Storage {
  readonly failure: Failure;

  constructor(failure: Failure) {
    this.failure = failure;
  }

  read(): Promise<TypedArray> {
    return Promise.reject(this.tell());
  }

  peek(): never {
    throw this.tell();
  }

  /** The error, which from now on counts as heard. */
  private tell(): Error {
    this.failure.told = true;
    return this.failure.error;
  }
}
