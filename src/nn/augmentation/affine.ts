/** Pictures turned, moved and scaled. */
import { ArgumentError, show } from "../../core/errors.ts";
import { checkOptions } from "../../core/options.ts";
import type { Shape } from "../../core/shape-types.ts";
import { atUserLine, takeSite } from "../../core/site.ts";
import { type Generator, type Tensor, tensor, where } from "../../index.ts";
import { checkAlone } from "../arguments.ts";
import { checkMode, type Mode } from "../mode.ts";
import { Module } from "../module.ts";
import type { SameShapes } from "../shapes.ts";
import { checkImages, checkOutside, type Outside, positions, SAMPLE_OPTIONS, type SampleOptions, sampleBilinear } from "./sample.ts";

/** What becomes of each picture of a batch: numbers for all, or tensors [n] with one for each. */
interface Placement {
  /** Counter-clockwise. */
  readonly degrees?: number | Tensor;
  /** Pixels down and to the right. */
  readonly down?: number | Tensor;
  readonly right?: number | Tensor;
  /** 2 shows everything twice as large. */
  readonly scale?: number | Tensor;
}

/** Turned and scaled around the centre, then moved, in one resampling. */
function placed(x: Tensor, { degrees = 0, down = 0, right = 0, scale = 1 }: Placement, outside: Outside): Tensor {
  const [, , height, width] = checkImages(x, "affine");
  const [middle, centre] = [(height - 1) / 2, (width - 1) / 2];
  // For each pixel of the result, the place it comes from, seen from the centre.
  const dy = positions(height, "rows").sub(perImage(down)).sub(middle);
  const dx = positions(width, "columns").sub(perImage(right)).sub(centre);
  const { cos, sin } = turn(perImage(degrees));
  const smaller = perImage(scale).reciprocal();
  const rows = dx.mul(sin).add(dy.mul(cos)).mul(smaller).add(middle);
  const columns = dx.mul(cos).sub(dy.mul(sin)).mul(smaller).add(centre);
  return sampleBilinear(x, rows, columns, { outside });
}

const perImage = (value: number | Tensor): Tensor => (typeof value === "number" ? tensor([value]) : value).reshape([-1, 1, 1]);

/** Cosine and sine of degrees, exact for whole quarters of a turn: those are taken off first. */
function turn(degrees: Tensor): { cos: Tensor; sin: Tensor } {
  const quarters = degrees.div(90).round();
  const rest = degrees.sub(quarters.mul(90)).mul(Math.PI / 180);
  const [c, s] = [rest.cos(), rest.sin()];
  const quarter = quarters.mod(4);
  const is = (k: number): Tensor => quarter.eq(k);
  const chosen = (...[zero, one, two, three]: [Tensor, Tensor, Tensor, Tensor]): Tensor =>
    where(is(0), zero, where(is(1), one, where(is(2), two, three)));
  return { cos: chosen(c, s.neg(), c.neg(), s), sin: chosen(s, c, s.neg(), c.neg()) };
}

/**
 * Pictures turned counter-clockwise around their centre, by bilinear interpolation; whole quarters of a turn of square pictures move pixels and change none.
 *
 * Shapes: x [n, channels, h, w], kept; degrees a number, or a tensor [n].
 *
 * @throws ShapeError if x is no batch of images
 * @example rotate(x, 90); rotate(x, rng.uniform([n], -15, 15), { outside: "edge" })
 */
export function rotate<S extends Shape>(x: Tensor<S>, degrees: number | Tensor, options?: SampleOptions): Tensor<S>;
export function rotate(x: Tensor, degrees: number | Tensor, options: SampleOptions = {}): Tensor {
  return atUserLine(() => {
    checkOptions("rotate", options, SAMPLE_OPTIONS);
    checkImages(x, "rotate");
    return placed(x, { degrees }, checkOutside(options.outside ?? "zero", "rotate"));
  }, "rotate");
}

/**
 * Pictures moved by so many pixels down and to the right, by bilinear interpolation; whole numbers move pixels and change none.
 *
 * Shapes: x [n, channels, h, w], kept; down and right numbers, or tensors [n].
 *
 * @throws ShapeError if x is no batch of images
 * @example translate(x, 0, 2)   // two columns of black come in at the left
 */
export function translate<S extends Shape>(x: Tensor<S>, down: number | Tensor, right: number | Tensor, options?: SampleOptions): Tensor<S>;
export function translate(x: Tensor, down: number | Tensor, right: number | Tensor, options: SampleOptions = {}): Tensor {
  return atUserLine(() => {
    checkOptions("translate", options, SAMPLE_OPTIONS);
    checkImages(x, "translate");
    return placed(x, { down, right }, checkOutside(options.outside ?? "zero", "translate"));
  }, "translate");
}

export interface RandomAffineOptions extends SampleOptions {
  /** The largest angle to both sides, or the range. Default 0. */
  readonly degrees?: number | readonly [low: number, high: number];
  /** The largest part of the height and of the width that a picture is moved by, to both sides. Default 0. */
  readonly translate?: number | readonly [down: number, right: number];
  /** The range of sizes; 1 is unchanged. Default [1, 1]. */
  readonly scale?: readonly [low: number, high: number];
}

/**
 * In training, each picture turned, scaled and moved by amounts of its own, uniform in their ranges, in one bilinear resampling; in use its input. PyTorch's RandomAffine
 * (torchvision), with bilinear interpolation.
 *
 * Shapes: [n, channels, h, w], kept.
 *
 * @throws ArgumentError for ranges that mean nothing, or a missing mode
 * @example new RandomAffine({ degrees: 15, translate: 0.1, scale: [0.9, 1.1] })
 */
export class RandomAffine extends Module {
  declare readonly shapes?: SameShapes;
  readonly degrees: readonly [low: number, high: number];
  readonly translate: readonly [down: number, right: number];
  readonly scale: readonly [low: number, high: number];
  readonly outside: Outside;

  constructor(options: RandomAffineOptions = {}) {
    super();
    checkOptions("RandomAffine", options, ["degrees", "translate", "scale", ...SAMPLE_OPTIONS], takeSite);
    const { degrees = 0, translate: moved = 0, scale = [1, 1], outside = "zero" } = options;
    this.degrees = checkRange("RandomAffine: degrees", typeof degrees === "number" ? [-degrees, degrees] : degrees, -Infinity);
    this.translate = checkParts(typeof moved === "number" ? [moved, moved] : moved);
    this.scale = checkRange("RandomAffine: scale", scale, Number.MIN_VALUE);
    this.outside = checkOutside(outside, "RandomAffine");
  }

  forward<S extends Shape>(x: Tensor<S>, mode: Mode): Tensor<S>;
  forward(x: Tensor, ...rest: [Mode]): Tensor {
    return atUserLine(() => {
      checkAlone(rest, "RandomAffine");
      const how = checkMode(rest[0], "RandomAffine");
      const [n, , height, width] = checkImages(x, "RandomAffine");
      if (!how.training) return x;
      const { rng } = how;
      const [down, right] = [this.translate[0] * height, this.translate[1] * width];
      const placement = {
        degrees: drawn(rng, n, this.degrees),
        down: drawn(rng, n, [-down, down]),
        right: drawn(rng, n, [-right, right]),
        scale: drawn(rng, n, this.scale),
      };
      return placed(x, placement, this.outside);
    }, "RandomAffine");
  }
}

/** One number for each picture; where there is no choice, none is drawn. */
const drawn = (rng: Generator, n: number, [low, high]: readonly [number, number]): number | Tensor =>
  low === high ? low : rng.uniform([n], low, high);

/**
 * In training, each picture turned by an angle of its own, up to `degrees` to both sides or in a range; in use its input. See `rotate` and `RandomAffine`.
 *
 * @example new RandomRotation(15)
 */
export class RandomRotation extends RandomAffine {
  constructor(degrees: number | readonly [low: number, high: number], options: SampleOptions = {}) {
    checkOptions("RandomRotation", options, SAMPLE_OPTIONS, takeSite);
    super({ degrees, ...options });
  }
}

export function checkRange(who: string, range: readonly [number, number], least: number): readonly [number, number] {
  const [low, high] = Array.isArray(range) ? range : [];
  if (Number.isFinite(low) && Number.isFinite(high) && low! <= high! && low! >= least) return [low!, high!];
  throw new ArgumentError(`${who} is ${show(range)}`, { help: "[low, high], finite, the lower one first", site: takeSite() });
}

function checkParts(parts: readonly [number, number]): readonly [number, number] {
  const [down, right] = Array.isArray(parts) ? parts : [];
  if (down! >= 0 && down! <= 1 && right! >= 0 && right! <= 1) return [down!, right!];
  throw new ArgumentError(`RandomAffine: translate is ${show(parts)}`, { why: "parts of the sides lie between 0 and 1", site: takeSite() });
}
