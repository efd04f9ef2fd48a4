import type { DType } from "../core/dtype.ts";
import { isFloat } from "../core/dtype.ts";
import { checkElements } from "../core/elements.ts";
import { ArgumentError, DTypeError, ShapeError } from "../core/errors.ts";
import { checkShape } from "../core/shape.ts";
import type { Plain, Shape } from "../core/shape-types.ts";
import { atUserLine, takeSite } from "../core/site.ts";
import type { Value } from "../graph/op.ts";
import { threefry } from "../kernel/math/meanings.ts";
import * as ops from "../ops/index.ts";
import { castTo, stretch } from "../surface/index.ts";
import { type DTypeOption, dtypeIn } from "./create.ts";
import { Tensor } from "./tensor.ts";
import { currentTrace, type KeySource } from "./trace.ts";

/** Everything there is to know about a generator: plain numbers, fit for a checkpoint. */
export interface GeneratorState {
  readonly seed: number;
  /** Draws outside compiled functions, and calls of compiled functions that draw. */
  readonly calls: number;
}

const WORD = 2 ** 32;
/** Generators that one call may make. */
const MOST_STREAMS = 65_536;

/** The low and the high word of a whole number below 2⁵³. */
const words = (n: number): [low: number, high: number] => [n % WORD, Math.floor(n / WORD)];

/**
 * A seeded stream. Each draw is a new, fixed tensor; each call of a compiled function draws anew. Numbers depend on the seed, the number of the
 * call and the place of the draw in its program, by threefry-2x32 (Salmon et al. 2011), and on nothing else.
 *
 * @example
 * const rng = new Generator(0);
 * const noise = rng.fork("noise").normal([2, 3]);
 */
export class Generator implements KeySource {
  #seed: number;
  #calls = 0;

  constructor(seed: number) {
    this.#seed = checkSeed(seed, "Generator");
  }

  get state(): GeneratorState {
    return { seed: this.#seed, calls: this.#calls };
  }

  restore(state: GeneratorState): void {
    const seed = checkSeed(state.seed, "restore");
    if (!Number.isSafeInteger(state.calls) || state.calls < 0)
      throw new ArgumentError(`restore: ${state.calls} calls`, { why: "it counts calls: a whole number ≥ 0" });
    this.#seed = seed;
    this.#calls = state.calls;
  }

  /** An independent stream, named: the same for the same seed and name, whatever else was drawn. */
  fork(name: string): Generator {
    if (typeof name !== "string") throw new ArgumentError(`fork: ${String(name)} is not a name`, { help: 'rng.fork("dropout")' });
    const [low, high] = threefry([...words(this.#seed), ...hash(name)]);
    return new Generator((high & 0x1fffff) * WORD + low);
  }

  /**
   * A generator for a task that draws and forks as it likes. Takes a call: the next task gets another one, so that what is done twice with one
   * generator is not done alike. The first is a copy of this one, so that a new generator does for a task what its seed does.
   *
   * @example for (const model of ensemble) init(model, rng); // each has weights of its own, for init draws from rng.branch()
   */
  branch(): Generator {
    const { seed, calls } = this.state;
    this.#calls++;
    return calls === 0 ? new Generator(seed) : this.fork(`branch ${calls}`);
  }

  /**
   * Independent streams, one for each of `count` tasks, in order: the first two of three are the two of two. Takes a call, so that the next split gives others.
   *
   * @throws ArgumentError for a count that is none
   * @example const [weights, noise] = rng.split(2) as [Generator, Generator];
   */
  split(count: number): Generator[] {
    if (!Number.isInteger(count) || count < 0 || count > MOST_STREAMS)
      throw new ArgumentError(`split: ${String(count)} generators`, { help: `a whole number 0 … ${MOST_STREAMS}`, site: takeSite() });
    const call = this.#calls++;
    return Array.from({ length: count }, (_, i) => this.fork(`split ${call}.${i}`));
  }

  /** The key of the next call: two uint32. Consumes a call. */
  nextKey(): readonly [number, number] {
    return threefry([...words(this.#seed), ...words(this.#calls++)]);
  }

  /** Uniform in [low, high). */
  uniform<const S extends Shape>(shape: S, low = 0, high = 1, options: DTypeOption = {}): Tensor<Plain<S>> {
    if (!Number.isFinite(high - low)) throw new ArgumentError(`uniform: ${low} … ${high} is not a range`);
    const build: Build = (draw, dtype, shape) => scaled(ops.uniform(draw, shape, dtype), high - low, low);
    return this.#draw("uniform", shape, options, build, [low, high, high - low]);
  }

  /** Normal with this mean and standard deviation. */
  normal<const S extends Shape>(shape: S, mean = 0, sd = 1, options: DTypeOption = {}): Tensor<Plain<S>> {
    if (!Number.isFinite(mean) || !(sd >= 0 && Number.isFinite(sd)))
      throw new ArgumentError(`normal: mean ${mean} and standard deviation ${sd}`, { help: "finite numbers, the deviation ≥ 0" });
    return this.#draw("normal", shape, options, (draw, dtype, shape) => scaled(ops.normal(draw, shape, dtype), sd, mean), [mean, sd]);
  }

  /** True with probability p: one number for all, or one for each element. */
  bernoulli<const S extends Shape>(p: number | Tensor, shape: S): Tensor<Plain<S>> {
    if (typeof p === "number" && !(p >= 0 && p <= 1)) throw new ArgumentError(`bernoulli: ${p} is not a probability`, { help: "0 … 1" });
    return this.#draw("bernoulli", shape, {}, (draw, _, shape) => {
      if (typeof p === "number") return ops.bernoulli(draw, p, shape);
      if (!isFloat(p.dtype)) throw new DTypeError(`bernoulli: probabilities are floats, not ${p.dtype}`);
      return ops.bernoulli(draw, stretch(castTo(p.node(), "float32"), shape), shape);
    });
  }

  /** 0 … n − 1 in random order, int32. */
  permutation(n: number): Tensor<[number]> {
    return this.#draw("permutation", [n], {}, (draw) => ops.permutation(draw, n));
  }

  /** One class for each row, with the probabilities softmax(logits): […, classes] → […], int32. By the Gumbel trick. */
  categorical(logits: Tensor): Tensor {
    const { shape, dtype } = logits;
    if (shape.length === 0) throw new ShapeError("categorical: a scalar has no classes", { help: "logits of shape […, classes]" });
    if (!isFloat(dtype)) throw new DTypeError(`categorical: logits are floats, not ${dtype}`);
    return this.#draw("categorical", shape, { dtype }, (draw) => {
      const u = ops.uniform(draw, shape, dtype);
      const gumbel = ops.neg(ops.log(ops.neg(ops.log(u))));
      return ops.argmax(ops.add(logits.node(), gumbel), shape.length - 1);
    });
  }

  toJSON(): GeneratorState {
    return this.state;
  }

  /** `numbers` are those that the draws are scaled and moved by: the dtype must hold them. */
  #draw(who: string, shape: Shape, options: DTypeOption, build: Build, numbers: readonly number[] = []): Tensor {
    return atUserLine(() => {
      const checked = checkShape(shape, who);
      const dtype = dtypeIn(options, "float32", who);
      if (!isFloat(dtype)) throw new DTypeError(`${who}: gives float32 or float64, not ${dtype}`);
      for (const x of numbers) checkElements([x], dtype, who);
      const trace = currentTrace();
      return new Tensor(build(trace ? trace.draw(this) : hostDraw(this), dtype, checked));
    });
  }
}

type Build = (draw: ops.Draw, dtype: DType, shape: Shape) => Value;

/** A draw outside every trace: a call of its own. The key is lifted, so that the next draw is the same program. */
export function hostDraw(generator: KeySource): ops.Draw {
  const [key0, key1] = generator.nextKey();
  const word = (n: number): Value => ops.scalarConstant(n, "uint32", { lifted: true });
  return { key0: word(key0), key1: word(key1), site: 0 };
}

/** x · scale + offset, without what changes nothing. */
function scaled(x: Value, scale: number, offset: number): Value {
  const stretched = scale === 1 ? x : ops.mul(x, ops.scalarLike(x, scale));
  return offset === 0 ? stretched : ops.add(stretched, ops.scalarLike(x, offset));
}

function checkSeed(seed: number, who: string): number {
  if (Number.isSafeInteger(seed) && seed >= 0) return seed;
  throw new ArgumentError(`${who}: ${String(seed)} is no seed`, { why: "a seed is a whole number 0 … 2⁵³ − 1" });
}

/** 64 bits of a name: FNV-1a over its UTF-16 units, twice with different starts. */
function hash(name: string): [number, number] {
  const run = (start: number): number => {
    let h = start;
    for (let i = 0; i < name.length; i++) {
      const unit = name.charCodeAt(i);
      h = Math.imul(h ^ (unit & 255), 0x01000193);
      h = Math.imul(h ^ (unit >>> 8), 0x01000193);
    }
    return h >>> 0;
  };
  return [run(0x811c9dc5), run(0x9747b28c)];
}
