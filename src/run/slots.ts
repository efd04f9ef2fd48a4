/** Places in the heap that programs read and write, and the tensors whose numbers lie there for the time being. */
import { arrayOf, bytesOf, type DType, type TypedArray } from "../core/dtype.ts";
import type { Heap } from "../runtime/heap.ts";
import type { Storage } from "./storage.ts";

/** A stretch of the heap that a program or a variable owns. What lies there is valid until somebody writes: `evict` first. */
export class Slot {
  readonly heap: Heap;
  readonly dtype: DType;
  readonly length: number;
  readonly address: number;
  /** Changes with every writing. */
  version = 0;
  private view: TypedArray | undefined;
  private holder: WeakRef<SlotStorage> | undefined;

  constructor(heap: Heap, dtype: DType, length: number, what: string) {
    this.heap = heap;
    this.dtype = dtype;
    this.length = length;
    this.address = heap.allocate(length * bytesOf(dtype), what);
  }

  /** The elements in the heap. A heap that grew has a new buffer. */
  get elements(): TypedArray {
    if (this.view?.buffer !== this.heap.memory.buffer) this.view = this.heap.view(this.dtype, this.address, this.length);
    return this.view!;
  }

  /** A storage for what lies here now. */
  hold(): SlotStorage {
    const held = this.holder?.deref();
    if (held?.slot === this) return held;
    const storage = new SlotStorage(this);
    this.holder = new WeakRef(storage);
    return storage;
  }

  /** Called before the slot is written: who still looks at it gets a copy. */
  evict(): void {
    if (!this.holder) return;
    this.holder.deref()?.leave();
    this.holder = undefined;
  }

  /** A program is about to write here. */
  overwrite(): void {
    this.evict();
    this.version++;
  }

  write(from: ArrayLike<number>): void {
    this.version++;
    this.elements.set(from);
  }

  free(): void {
    this.evict();
    this.heap.free(this.address);
  }
}

/** Elements that lie in a slot until somebody reads them or the slot is needed. */
export class SlotStorage implements Storage {
  slot: Slot | undefined;
  private array: TypedArray | undefined;

  constructor(slot: Slot) {
    this.slot = slot;
  }

  read(): TypedArray {
    if (!this.array) {
      const { dtype, length, elements } = this.slot!;
      this.array = arrayOf(dtype, length);
      this.array.set(elements);
    }
    return this.array;
  }

  peek(): TypedArray {
    return this.slot ? this.slot.elements : this.array!;
  }

  leave(): void {
    this.read();
    this.slot = undefined;
  }
}
