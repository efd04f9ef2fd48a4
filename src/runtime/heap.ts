/** The one memory that JavaScript, WebAssembly and native code share, and who owns which bytes of it. */
import { type DType, type TypedArray, viewOf } from "../core/dtype.ts";
import { ArgumentError, InternalError, MemoryError } from "../core/errors.ts";
import { SLACK } from "../kernel/loop.ts";
import { needWebAssembly } from "./wasm-features.ts";

const PAGE = 65_536;
const ALIGNMENT = 64;
/** Bytes at the start that nobody owns, so that no address is 0. */
const RESERVED = PAGE;
const FIRST_SIZE = 4 * 2 ** 20;
const LEAST_GROWTH = 16 * 2 ** 20;

interface Gap {
  address: number;
  bytes: number;
}

export interface HeapOptions {
  /** Largest size in bytes. Default: 4 GiB, or 2 or 1 where that cannot be reserved. */
  readonly maximumBytes?: number | undefined;
  /** Whether threads can share the memory. Default: where SharedArrayBuffer exists. */
  readonly shared?: boolean | undefined;
}

/** `WebAssembly.Memory`, where the types of a program know it: Node's alone do not. */
type Memory = typeof globalThis extends { WebAssembly: { Memory: { readonly prototype: infer M } } } ? M : { readonly buffer: ArrayBuffer };

/** Best-fit allocator over a WebAssembly.Memory; addresses are multiples of 64. */
export class Heap {
  readonly memory: Memory;
  readonly shared: boolean;
  /** Largest size in bytes. */
  readonly maximumBytes: number;
  /** Free stretches by rising address; no two touch. */
  private readonly gaps: Gap[] = [];
  private readonly owned = new Map<number, number>();
  private taken = 0;

  /** @throws DeviceError where there is no WebAssembly, MemoryError where nothing can be reserved */
  constructor({ maximumBytes, shared = typeof SharedArrayBuffer !== "undefined" }: HeapOptions = {}) {
    needWebAssembly();
    const sizes = maximumBytes === undefined ? [4, 2, 1].map((gigabytes) => gigabytes * 2 ** 30) : [maximumBytes];
    const reserved = reserve(sizes, shared);
    this.memory = reserved.memory;
    this.maximumBytes = reserved.bytes;
    this.shared = shared;
    this.gaps.push({ address: RESERVED, bytes: this.size - SLACK - RESERVED });
  }

  /** Bytes the memory has now. */
  get size(): number {
    return this.memory.buffer.byteLength;
  }

  /** Bytes in use. */
  get used(): number {
    return this.taken;
  }

  /** The address of `bytes` bytes (rounded up to 64), whose content is undefined. Throws MemoryError when they do not fit. */
  allocate(bytes: number, what = "a buffer"): number {
    if (!(bytes >= 0 && bytes <= Number.MAX_SAFE_INTEGER)) throw new ArgumentError(`${what}: ${bytes} is not a number of bytes`);
    const needed = Math.max(1, Math.ceil(bytes / ALIGNMENT)) * ALIGNMENT;
    let at = this.bestGap(needed);
    if (at < 0) {
      this.grow(needed, what);
      at = this.bestGap(needed);
    }
    const gap = this.gaps[at]!;
    const address = gap.address;
    gap.address += needed;
    gap.bytes -= needed;
    if (gap.bytes === 0) this.gaps.splice(at, 1);
    this.owned.set(address, needed);
    this.taken += needed;
    return address;
  }

  /** Gives back what `allocate` gave. */
  free(address: number): void {
    const bytes = this.owned.get(address);
    if (bytes === undefined) throw new InternalError(`heap: nothing is allocated at ${address}`);
    this.owned.delete(address);
    this.taken -= bytes;
    this.addGap(address, bytes);
  }

  /** Elements at an address. Make it anew after an allocation: an unshared memory that grows leaves old views empty. */
  view(dtype: DType, address: number, length: number): TypedArray {
    return viewOf(dtype, this.memory.buffer, address, length);
  }

  /** Sets bytes to 0. */
  clear(address: number, bytes: number): void {
    new Uint8Array(this.memory.buffer, address, bytes).fill(0);
  }

  private bestGap(needed: number): number {
    let best = -1;
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < this.gaps.length; i++) {
      const { bytes } = this.gaps[i]!;
      if (bytes >= needed && bytes < least) {
        best = i;
        least = bytes;
      }
    }
    return best;
  }

  private addGap(address: number, bytes: number): void {
    let low = 0;
    let high = this.gaps.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.gaps[middle]!.address < address) low = middle + 1;
      else high = middle;
    }
    const before = this.gaps[low - 1];
    const after = this.gaps[low];
    const joinsBefore = before !== undefined && before.address + before.bytes === address;
    const joinsAfter = after !== undefined && address + bytes === after.address;
    if (joinsBefore && joinsAfter) {
      before.bytes += bytes + after.bytes;
      this.gaps.splice(low, 1);
    } else if (joinsBefore) before.bytes += bytes;
    else if (joinsAfter) {
      after.address = address;
      after.bytes += bytes;
    } else this.gaps.splice(low, 0, { address, bytes });
  }

  /** Makes the last gap hold `needed` bytes; by a quarter or more at once, so that growing stays rare. */
  private grow(needed: number, what: string): void {
    const end = this.size - SLACK;
    const last = this.gaps.at(-1);
    const trailing = last && last.address + last.bytes === end ? last.bytes : 0;
    const least = Math.ceil((needed - trailing) / PAGE);
    const room = Math.floor((this.maximumBytes - this.size) / PAGE);
    const pages = Math.min(room, Math.max(least, Math.ceil(Math.max(LEAST_GROWTH, this.size / 4) / PAGE)));
    if (least > room || !this.growBy(pages, least)) throw this.full(needed, what);
    this.addGap(end, this.size - SLACK - end);
  }

  private growBy(pages: number, least: number): boolean {
    for (const wanted of [pages, least])
      try {
        this.memory.grow(wanted);
        return true;
      } catch {
        // The system has no more: ask for less.
      }
    return false;
  }

  private full(needed: number, what: string): MemoryError {
    const free = this.gaps.reduce((sum, gap) => sum + gap.bytes, 0) + this.maximumBytes - this.size;
    const largest = [...this.owned.values()].sort((a, b) => b - a).slice(0, 3);
    return new MemoryError(`${what}: ${readable(needed)} do not fit in the heap`, {
      why: `${readable(this.taken)} of ${readable(this.maximumBytes)} are in use and ${readable(free)} free; the largest are ${largest.map(readable).join(", ") || "none"}`,
      help: "use smaller batches, or drop variables and compiled functions that are no longer needed",
    });
  }
}

function reserve(sizes: readonly number[], shared: boolean): { memory: Memory; bytes: number } {
  let cause: unknown;
  for (const bytes of sizes) {
    const maximum = Math.floor(bytes / PAGE);
    const initial = Math.min(maximum, FIRST_SIZE / PAGE);
    try {
      return { memory: new WebAssembly.Memory({ initial, maximum, shared }), bytes: maximum * PAGE };
    } catch (error) {
      cause = error;
    }
  }
  throw new MemoryError(`heap: ${readable(sizes.at(-1)!)} of address space cannot be reserved`, {
    help: "raise the process's limit of virtual memory (ulimit -v)",
    cause,
  });
}

function readable(bytes: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB"];
  const unit = bytes < 1 ? 0 : Math.min(3, Math.floor(Math.log2(bytes) / 10));
  return `${Number((bytes / 1024 ** unit).toFixed(1))} ${units[unit]}`;
}
