/**
 * Random numbers on the host, for shuffling and for making data: xoshiro128** (Blackman and Vigna 2018), whose four words are filled
 * from two by splitmix32's mixer. The same two numbers give the same stream everywhere.
 */
export class HostRandom {
  // Four fields of int32, which are quicker than an array: a picture of a digit takes thousands of these numbers.
  private a: number;
  private b: number;
  private c: number;
  private d: number;

  constructor(seed: number, stream = 0) {
    const start = [seed % 2 ** 32, Math.floor(seed / 2 ** 32), stream % 2 ** 32, Math.floor(stream / 2 ** 32)];
    let state = 0x9e3779b9;
    const words = Array.from([0, 1, 2, 3], (i: number) => {
      for (const word of start) state = mix((state ^ word) + 0x9e3779b9 * (i + 1));
      return state | 0;
    });
    if (!words.some((word) => word !== 0)) words[0] = 1;
    [this.a, this.b, this.c, this.d] = words as [number, number, number, number];
  }

  /** 32 random bits. */
  next(): number {
    const { a, b } = this;
    const result = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0;
    const c = this.c ^ a;
    const d = this.d ^ b;
    this.a = a ^ d;
    this.b = b ^ c;
    this.c = c ^ (b << 9);
    this.d = rotate(d, 11);
    return result;
  }

  /** Uniform in [low, high). */
  uniform(low = 0, high = 1): number {
    return low + (high - low) * ((this.next() >>> 5) * 2 ** 26 + (this.next() >>> 6)) * 2 ** -53;
  }

  /** Normal, by Box and Muller (1958). */
  normal(mean = 0, sd = 1): number {
    return mean + sd * Math.sqrt(-2 * Math.log(1 - this.uniform())) * Math.cos(2 * Math.PI * this.uniform());
  }

  /** A whole number in [0, n), every one equally likely (rejection of the uneven rest). */
  below(n: number): number {
    const limit = 2 ** 32 - (2 ** 32 % n);
    for (;;) {
      const bits = this.next();
      if (bits < limit) return bits % n;
    }
  }

  /** Every order of the items is equally likely (Fisher and Yates); in place. */
  shuffle(items: Uint32Array): Uint32Array {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      const kept = items[i]!;
      items[i] = items[j]!;
      items[j] = kept;
    }
    return items;
  }
}

const rotate = (x: number, by: number): number => (x << by) | (x >>> (32 - by));

function mix(x: number): number {
  x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
  x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
  return (x ^ (x >>> 15)) >>> 0;
}
