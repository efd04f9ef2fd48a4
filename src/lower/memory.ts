/** Where scratch buffers lie: those whose lives do not overlap share memory. */
import { MemoryError } from "../core/errors.ts";
import type { Buffer } from "../kernel/program.ts";

/** First and last phase (between two barriers) in which a buffer is used. */
export interface Life {
  readonly buffer: Buffer;
  first: number;
  last: number;
}

const ALIGNMENT = 64;
/** More than any heap holds. */
const CAP = 4 * 2 ** 30;

/** Above this many buffers they are placed in order of time: looking through all others for each would take too long. */
const MANY = 2000;

/**
 * Gives each buffer an offset. Returns the bytes needed.
 *
 * @param reuse false: no two buffers share memory
 */
export function planMemory(lives: readonly Life[], reuse: boolean): number {
  const total = !reuse ? oneAfterAnother(lives) : lives.length > MANY ? byTime(lives) : bySize(lives);
  if (total > CAP) throw tooMuch(lives, total);
  return total;
}

function oneAfterAnother(lives: readonly Life[]): number {
  let total = 0;
  for (const { buffer } of lives) {
    buffer.offset = total;
    total += roundUp(buffer.bytes);
  }
  return total;
}

/** The largest first, each at the lowest place that is free during its whole life. */
function bySize(lives: readonly Life[]): number {
  const placed: Life[] = [];
  let total = 0;
  for (const life of lives.toSorted((a, b) => b.buffer.bytes - a.buffer.bytes || a.first - b.first)) {
    const size = roundUp(life.buffer.bytes);
    const others = placed.filter((p) => p.first <= life.last && life.first <= p.last).sort((a, b) => a.buffer.offset! - b.buffer.offset!);
    let offset = 0;
    for (const o of others) {
      if (o.buffer.offset! - offset >= size) break;
      offset = Math.max(offset, o.buffer.offset! + roundUp(o.buffer.bytes));
    }
    life.buffer.offset = offset;
    placed.push(life);
    total = Math.max(total, offset + size);
  }
  return total;
}

/** In order of birth, each in a place of its very size that has become free, or a new one. */
function byTime(lives: readonly Life[]): number {
  const dying = lives.toSorted((a, b) => a.last - b.last);
  const free = new Map<number, number[]>();
  let total = 0;
  let dead = 0;
  for (const life of lives.toSorted((a, b) => a.first - b.first)) {
    for (; dying[dead]!.last < life.first; dead++) {
      const { bytes, offset } = dying[dead]!.buffer;
      const places = free.get(roundUp(bytes));
      if (places) places.push(offset!);
      else free.set(roundUp(bytes), [offset!]);
    }
    const size = roundUp(life.buffer.bytes);
    const place = free.get(size)?.pop();
    life.buffer.offset = place ?? total;
    if (place === undefined) total += size;
  }
  return total;
}

const roundUp = (bytes: number): number => Math.ceil(Math.max(1, bytes) / ALIGNMENT) * ALIGNMENT;

function tooMuch(lives: readonly Life[], total: number): MemoryError {
  const largest = lives
    .map((l) => l.buffer.bytes)
    .sort((a, b) => b - a)
    .slice(0, 3);
  return new MemoryError(`the program needs ${(total / 2 ** 30).toFixed(1)} GiB of scratch memory, more than the 4 GiB there can be`, {
    why: `its largest buffers have ${largest.map((b) => `${(b / 2 ** 20).toFixed(0)} MiB`).join(", ")}`,
    help: "use a smaller batch",
  });
}
