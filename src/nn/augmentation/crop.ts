/** Pictures cut out and mirrored. */
import { ArgumentError, ShapeError, show } from "../../core/errors.ts";
import { checkOptions } from "../../core/options.ts";
import type { IsAny, Shape, ShapeFunction } from "../../core/shape-types.ts";
import { atUserLine, takeSite } from "../../core/site.ts";
import { type Tensor, where } from "../../index.ts";
import { checkAlone, checkProbability, checkSize } from "../arguments.ts";
import { checkMode, type Mode } from "../mode.ts";
import { Module } from "../module.ts";
import type { SameShapes } from "../shapes.ts";
import { checkImages, overChannels, pixelsAt, positions } from "./sample.ts";

export interface RandomCropOptions {
  /** Black pixels around the picture before it is cut: on all sides, or above and below, left and right. Default 0. */
  readonly padding?: number | readonly [vertical: number, horizontal: number];
}

/** [n, c, h, w] → [n, c, number, number]. */
interface CropShapes extends ShapeFunction {
  readonly out: IsAny<this["in"]> extends true
    ? any
    : this["in"] extends readonly [infer Count, infer Channels, ...unknown[]]
      ? [Count, Channels, number, number]
      : any;
}

/**
 * A part of each picture: in training at a place of its own, each place equally likely, of the picture with black pixels around it; in use the middle of the picture. PyTorch's
 * RandomCrop and CenterCrop (torchvision) in one.
 *
 * Shapes: [n, channels, h, w] → [n, channels, ...size].
 *
 * @throws ArgumentError for sizes and paddings that are none, or a missing mode; ShapeError for a picture that is smaller, with its padding, than the part
 * @example new RandomCrop(32, { padding: 4 })      // moves pictures of 32 × 32 by up to 4 pixels
 * @example new RandomCrop([224, 224])              // parts of pictures of 256 × 256, as AlexNet was trained
 */
export class RandomCrop extends Module {
  declare readonly shapes?: CropShapes;
  readonly size: readonly [height: number, width: number];
  readonly padding: readonly [vertical: number, horizontal: number];

  constructor(size: number | readonly [height: number, width: number], options: RandomCropOptions = {}) {
    super();
    checkOptions("RandomCrop", options, ["padding"], takeSite);
    const [height, width] = pair(size);
    this.size = [checkSize(height!, "RandomCrop: the height"), checkSize(width!, "RandomCrop: the width")];
    const [vertical, horizontal] = pair(options.padding ?? 0);
    const isPadding = (n: unknown): boolean => Number.isSafeInteger(n) && (n as number) >= 0;
    if (!isPadding(vertical) || !isPadding(horizontal))
      throw new ArgumentError(`RandomCrop: padding ${show(options.padding)}`, {
        help: "a whole number ≥ 0, or [vertical, horizontal]",
        site: takeSite(),
      });
    this.padding = [vertical!, horizontal!];
  }

  forward(x: Tensor, mode: Mode): Tensor;
  forward(x: Tensor, ...rest: [Mode]): Tensor {
    return atUserLine(() => {
      checkAlone(rest, "RandomCrop");
      const how = checkMode(rest[0], "RandomCrop");
      const [n, , ...sides] = checkImages(x, "RandomCrop");
      const room = sides.map((side, i) => side + 2 * this.padding[i]! - this.size[i]!);
      if (room.some((n) => n < 0)) throw this.tooSmall(sides);
      if (!how.training) return this.middle(x, sides);
      // u ≤ 1 − 2⁻²⁴, so that u · k, rounded, stays below k.
      const firsts = room.map((most, i) =>
        how.rng
          .uniform([n, 1, 1])
          .mul(most + 1)
          .floor()
          .sub(this.padding[i]!),
      );
      return cut(x, firsts as [Tensor, Tensor], this.size);
    }, "RandomCrop");
  }

  private middle(x: Tensor, sides: readonly number[]): Tensor {
    const over = sides.map((side, i) => side - this.size[i]!);
    const before = over.map((n) => -Math.floor(n / 2));
    return x.pad(over.map((n, i) => [before[i]!, -n - before[i]!] as const));
  }

  private tooSmall(sides: readonly number[]): ShapeError {
    const padded = this.padding.some((n) => n > 0) ? `, with a padding of ${show(this.padding)}` : "";
    return new ShapeError(`RandomCrop: the pictures are ${sides.join(" × ")}${padded}`, {
      why: `parts of ${this.size.join(" × ")} do not fit into them`,
      help: "crop less, pad more, or read the images in a larger size",
      site: takeSite(),
    });
  }
}

/** Both sides. */
const pair = (both: number | readonly [number, number]): readonly (number | undefined)[] =>
  typeof both === "number" ? [both, both] : [both?.[0], both?.[1]];

/** The part that begins at a row and a column, [n, 1, 1] each; what is outside is 0. */
function cut(x: Tensor, [top, left]: readonly [Tensor, Tensor], [tall, wide]: readonly [number, number]): Tensor {
  const [, , height, width] = x.shape as readonly [number, number, number, number];
  const [rows, columns] = [positions(tall, "rows").add(top), positions(wide, "columns").add(left)];
  const [row, column] = [rows.clip(0, height - 1), columns.clip(0, width - 1)];
  const inside = rows.eq(row).logicalAnd(columns.eq(column));
  return where(overChannels(inside), pixelsAt(x, row.cast("int32"), column.cast("int32")), 0);
}

/** What mirrors in training, with a probability, has in common. */
function mirrored(x: Tensor, rest: [Mode], { axis, p, who }: { axis: 2 | 3; p: number; who: string }): Tensor {
  return atUserLine(() => {
    checkAlone(rest, who);
    const how = checkMode(rest[0], who);
    const [n] = checkImages(x, who);
    if (!how.training || p === 0) return x;
    return where(how.rng.bernoulli(p, [n, 1, 1, 1]), x.flip(axis), x);
  }, who);
}

/**
 * In training, each picture with probability p mirrored, left for right; in use its input. PyTorch's RandomHorizontalFlip (torchvision).
 *
 * Shapes: [n, channels, h, w], kept. @throws ArgumentError if p is not in [0, 1], or the mode is missing
 */
export class RandomHorizontalFlip extends Module {
  declare readonly shapes?: SameShapes;
  readonly p: number;

  constructor(p = 0.5) {
    super();
    this.p = checkProbability(p, "RandomHorizontalFlip: p");
  }

  forward<S extends Shape>(x: Tensor<S>, mode: Mode): Tensor<S>;
  forward(x: Tensor, ...rest: [Mode]): Tensor {
    return mirrored(x, rest, { axis: 3, p: this.p, who: "RandomHorizontalFlip" });
  }
}

/** In training, each picture with probability p turned upside down, as in a mirror below it. See `RandomHorizontalFlip`. */
export class RandomVerticalFlip extends Module {
  declare readonly shapes?: SameShapes;
  readonly p: number;

  constructor(p = 0.5) {
    super();
    this.p = checkProbability(p, "RandomVerticalFlip: p");
  }

  forward<S extends Shape>(x: Tensor<S>, mode: Mode): Tensor<S>;
  forward(x: Tensor, ...rest: [Mode]): Tensor {
    return mirrored(x, rest, { axis: 2, p: this.p, who: "RandomVerticalFlip" });
  }
}
