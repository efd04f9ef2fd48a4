/** Pools to a size that is asked for, as layers. */
import { type OutputSize, outputSizes } from "../core/pool-window.ts";
import type { Shape } from "../core/shape-types.ts";
import { atUserLine } from "../core/site.ts";
import {
  adaptiveAvgPool1d,
  adaptiveAvgPool2d,
  adaptiveAvgPool3d,
  adaptiveMaxPool1d,
  adaptiveMaxPool2d,
  adaptiveMaxPool3d,
  type Tensor,
} from "../index.ts";
import { Module } from "./module.ts";
import { type From, type Length, type Plane, pooled, type To, type Volume } from "./pooled.ts";
import type { PoolShapes } from "./shapes.ts";

/**
 * As many means as are asked for of [..., c, l], whatever its size, or one of all; see `adaptiveAvgPool1d`.
 *
 * @throws ArgumentError for a size that is none
 * @example new Sequential(new Conv2d(1, 8, 3), relu, new AdaptiveAvgPool2d(4), new Flatten(), new Linear(8 * 16, 10))   // images of any size
 */
export class AdaptiveAvgPool1d extends Module {
  declare readonly shapes?: PoolShapes<Length>;
  readonly outputSize: OutputSize;

  constructor(outputSize: OutputSize) {
    super();
    atUserLine(() => outputSizes(outputSize, 1, "AdaptiveAvgPool1d"));
    this.outputSize = outputSize;
  }

  forward<S extends Shape>(x: From<S, Length>): To<S, Length>;
  forward(x: Tensor, ...rest: unknown[]): Tensor {
    return pooled("AdaptiveAvgPool1d", x, rest, (v) => adaptiveAvgPool1d(v, this.outputSize));
  }
}

/** The mean of each of as many windows of [..., c, h, w] as are asked for; see `adaptiveAvgPool1d`. */
export class AdaptiveAvgPool2d extends Module {
  declare readonly shapes?: PoolShapes<Plane>;
  readonly outputSize: OutputSize;

  constructor(outputSize: OutputSize) {
    super();
    atUserLine(() => outputSizes(outputSize, 2, "AdaptiveAvgPool2d"));
    this.outputSize = outputSize;
  }

  forward<S extends Shape>(x: From<S, Plane>): To<S, Plane>;
  forward(x: Tensor, ...rest: unknown[]): Tensor {
    return pooled("AdaptiveAvgPool2d", x, rest, (v) => adaptiveAvgPool2d(v, this.outputSize));
  }
}

/** The mean of each of as many windows of [..., c, d, h, w] as are asked for; see `adaptiveAvgPool1d`. */
export class AdaptiveAvgPool3d extends Module {
  declare readonly shapes?: PoolShapes<Volume>;
  readonly outputSize: OutputSize;

  constructor(outputSize: OutputSize) {
    super();
    atUserLine(() => outputSizes(outputSize, 3, "AdaptiveAvgPool3d"));
    this.outputSize = outputSize;
  }

  forward<S extends Shape>(x: From<S, Volume>): To<S, Volume>;
  forward(x: Tensor, ...rest: unknown[]): Tensor {
    return pooled("AdaptiveAvgPool3d", x, rest, (v) => adaptiveAvgPool3d(v, this.outputSize));
  }
}

/** The largest of each of as many windows of [..., c, l] as are asked for; see `adaptiveAvgPool1d`. */
export class AdaptiveMaxPool1d extends Module {
  declare readonly shapes?: PoolShapes<Length>;
  readonly outputSize: OutputSize;

  constructor(outputSize: OutputSize) {
    super();
    atUserLine(() => outputSizes(outputSize, 1, "AdaptiveMaxPool1d"));
    this.outputSize = outputSize;
  }

  forward<S extends Shape>(x: From<S, Length>): To<S, Length>;
  forward(x: Tensor, ...rest: unknown[]): Tensor {
    return pooled("AdaptiveMaxPool1d", x, rest, (v) => adaptiveMaxPool1d(v, this.outputSize));
  }
}

/** The largest of each of as many windows of [..., c, h, w] as are asked for; see `adaptiveAvgPool1d`. */
export class AdaptiveMaxPool2d extends Module {
  declare readonly shapes?: PoolShapes<Plane>;
  readonly outputSize: OutputSize;

  constructor(outputSize: OutputSize) {
    super();
    atUserLine(() => outputSizes(outputSize, 2, "AdaptiveMaxPool2d"));
    this.outputSize = outputSize;
  }

  forward<S extends Shape>(x: From<S, Plane>): To<S, Plane>;
  forward(x: Tensor, ...rest: unknown[]): Tensor {
    return pooled("AdaptiveMaxPool2d", x, rest, (v) => adaptiveMaxPool2d(v, this.outputSize));
  }
}

/** The largest of each of as many windows of [..., c, d, h, w] as are asked for; see `adaptiveAvgPool1d`. */
export class AdaptiveMaxPool3d extends Module {
  declare readonly shapes?: PoolShapes<Volume>;
  readonly outputSize: OutputSize;

  constructor(outputSize: OutputSize) {
    super();
    atUserLine(() => outputSizes(outputSize, 3, "AdaptiveMaxPool3d"));
    this.outputSize = outputSize;
  }

  forward<S extends Shape>(x: From<S, Volume>): To<S, Volume>;
  forward(x: Tensor, ...rest: unknown[]): Tensor {
    return pooled("AdaptiveMaxPool3d", x, rest, (v) => adaptiveMaxPool3d(v, this.outputSize));
  }
}
