/**
 * Random numbers on the host, for shuffling and for making data: xoshiro128** (Blackman and Vigna 2018), whose four words are filled
 * from two by splitmix32's mixer. The same two numbers give the same stream everywhere.
 */
export class HostRandom {
  private readonly words: Uint32Array;

  constructor(seed: number, stream = 0) {
    const start = [seed % 2 ** 32, Math.floor(seed / 2 ** 32), stream % 2 ** 32, Math.floor(stream / 2 ** 32)];
    let state = 0x9e3779b9;
    this.words = Uint32Array.from([0, 1, 2, 3], (_, i) => {
      for (const word of start) state = mix((state ^ word) + 0x9e3779b9 * (i + 1));
      return state;
    });
    if (this.words.every((word) => word === 0)) this.words[0] = 1;
  }

  /** 32 random bits. */
  next(): number {
    const s = this.words;
    const result = Math.imul(rotate(Math.imul(s[1]!, 5), 7), 9) >>> 0;
    const shifted = s[1]! << 9;
    s[2]! ^= s[0]!;
    s[3]! ^= s[1]!;
    s[1]! ^= s[2]!;
    s[0]! ^= s[3]!;
    s[2]! ^= shifted;
    s[3] = rotate(s[3]!, 11);
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
