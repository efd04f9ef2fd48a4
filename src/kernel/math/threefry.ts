/**
 * Threefry-2x32 with 20 rounds: a block cipher as a random number generator
 * (Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3. SC 2011).
 */
import type { Expr } from "../expr.ts";
import { add, or, shl, shr, u32, xor } from "./build.ts";

const ROTATIONS = [13, 15, 26, 6, 17, 29, 16, 24] as const;
const PARITY = 0x1bd11bda;
const ROUNDS = 20;

const rotate = (x: Expr, by: number): Expr => or(shl(x, by), shr(x, 32 - by));

/** Both words for the uint32 arguments (key0, key1, counter0, counter1). */
export function threefry(key0: Expr, key1: Expr, counter0: Expr, counter1: Expr): [Expr, Expr] {
  const keys = [key0, key1, xor(xor(key0, key1), u32(PARITY))];
  let a: Expr = add(counter0, key0);
  let b: Expr = add(counter1, key1);
  for (let round = 0; round < ROUNDS; round++) {
    a = add(a, b);
    b = xor(rotate(b, ROTATIONS[round % 8]!), a);
    if (round % 4 < 3) continue;
    const turn = (round + 1) / 4;
    a = add(a, keys[turn % 3]!);
    b = add(b, add(keys[(turn + 1) % 3]!, u32(turn)));
  }
  return [a, b];
}
