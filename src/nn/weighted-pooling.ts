/** Pools that are norms and weighted means, as layers. */
import { checkPower, type PoolOptions, poolWindows, type WeightedAvgPoolOptions, weightedWindows } from "../core/pool-window.ts";
import type { Shape } from "../core/shape-types.ts";
import { atUserLine } from "../core/site.ts";
import {
  lpPool1d,
  lpPool2d,
  lpPool3d,
  type PerAxis,
  type Tensor,
  weightedAvgPool1d,
  weightedAvgPool2d,
  weightedAvgPool3d,
} from "../index.ts";
import { Module } from "./module.ts";
import { type From, type Length, type Plane, pooled, type To, type Volume } from "./pooled.ts";
import type { PoolShapes } from "./shapes.ts";

/**
 * The p-norm of each window of [..., c, l]; see `lpPool1d`.
 *
 * @throws ArgumentError for p < 1, a kernelSize, stride or dilation below 1, or padding as long as a window
 * @example new LPPool1d(2, 3)   // the length of each three elements
 */
export class LPPool1d extends Module {
  declare readonly shapes?: PoolShapes<Length>;
  readonly p: number;
  readonly kernelSize: PerAxis;
  readonly options: PoolOptions;

  constructor(p: number, kernelSize: PerAxis, options: PoolOptions = {}) {
    super();
    atUserLine(() => [checkPower(p, "LPPool1d"), poolWindows({ who: "LPPool1d", axes: 1, kernelSize, options })]);
    this.p = p;
    this.kernelSize = kernelSize;
    this.options = options;
  }

  forward<S extends Shape>(x: From<S, Length>): To<S, Length>;
  forward(x: Tensor, ...rest: unknown[]): Tensor {
    return pooled("LPPool1d", x, rest, (v) => lpPool1d(v, this.p, this.kernelSize, this.options));
  }
}

/** The p-norm of each window of [..., c, h, w]; see `lpPool1d`. */
export class LPPool2d extends Module {
  declare readonly shapes?: PoolShapes<Plane>;
  readonly p: number;
  readonly kernelSize: PerAxis;
  readonly options: PoolOptions;

  constructor(p: number, kernelSize: PerAxis, options: PoolOptions = {}) {
    super();
    atUserLine(() => [checkPower(p, "LPPool2d"), poolWindows({ who: "LPPool2d", axes: 2, kernelSize, options })]);
    this.p = p;
    this.kernelSize = kernelSize;
    this.options = options;
  }

  forward<S extends Shape>(x: From<S, Plane>): To<S, Plane>;
  forward(x: Tensor, ...rest: unknown[]): Tensor {
    return pooled("LPPool2d", x, rest, (v) => lpPool2d(v, this.p, this.kernelSize, this.options));
  }
}

/** The p-norm of each window of [..., c, d, h, w]; see `lpPool1d`. */
export class LPPool3d extends Module {
  declare readonly shapes?: PoolShapes<Volume>;
  readonly p: number;
  readonly kernelSize: PerAxis;
  readonly options: PoolOptions;

  constructor(p: number, kernelSize: PerAxis, options: PoolOptions = {}) {
    super();
    atUserLine(() => [checkPower(p, "LPPool3d"), poolWindows({ who: "LPPool3d", axes: 3, kernelSize, options })]);
    this.p = p;
    this.kernelSize = kernelSize;
    this.options = options;
  }

  forward<S extends Shape>(x: From<S, Volume>): To<S, Volume>;
  forward(x: Tensor, ...rest: unknown[]): Tensor {
    return pooled("LPPool3d", x, rest, (v) => lpPool3d(v, this.p, this.kernelSize, this.options));
  }
}

/** The mean of each window of [..., c, l], weighted by the distance from its middle; see `weightedAvgPool1d`. */
export class WeightedAvgPool1d extends Module {
  declare readonly shapes?: PoolShapes<Length>;
  readonly kernelSize: PerAxis;
  readonly options: WeightedAvgPoolOptions;

  constructor(kernelSize: PerAxis, options: WeightedAvgPoolOptions = {}) {
    super();
    atUserLine(() => weightedWindows({ who: "WeightedAvgPool1d", axes: 1, kernelSize, options }));
    this.kernelSize = kernelSize;
    this.options = options;
  }

  forward<S extends Shape>(x: From<S, Length>): To<S, Length>;
  forward(x: Tensor, ...rest: unknown[]): Tensor {
    return pooled("WeightedAvgPool1d", x, rest, (v) => weightedAvgPool1d(v, this.kernelSize, this.options));
  }
}

/** The mean of each window of [..., c, h, w], weighted by the distance from its middle; see `weightedAvgPool1d`. */
export class WeightedAvgPool2d extends Module {
  declare readonly shapes?: PoolShapes<Plane>;
  readonly kernelSize: PerAxis;
  readonly options: WeightedAvgPoolOptions;

  constructor(kernelSize: PerAxis, options: WeightedAvgPoolOptions = {}) {
    super();
    atUserLine(() => weightedWindows({ who: "WeightedAvgPool2d", axes: 2, kernelSize, options }));
    this.kernelSize = kernelSize;
    this.options = options;
  }

  forward<S extends Shape>(x: From<S, Plane>): To<S, Plane>;
  forward(x: Tensor, ...rest: unknown[]): Tensor {
    return pooled("WeightedAvgPool2d", x, rest, (v) => weightedAvgPool2d(v, this.kernelSize, this.options));
  }
}

/** The mean of each window of [..., c, d, h, w], weighted by the distance from its middle; see `weightedAvgPool1d`. */
export class WeightedAvgPool3d extends Module {
  declare readonly shapes?: PoolShapes<Volume>;
  readonly kernelSize: PerAxis;
  readonly options: WeightedAvgPoolOptions;

  constructor(kernelSize: PerAxis, options: WeightedAvgPoolOptions = {}) {
    super();
    atUserLine(() => weightedWindows({ who: "WeightedAvgPool3d", axes: 3, kernelSize, options }));
    this.kernelSize = kernelSize;
    this.options = options;
  }

  forward<S extends Shape>(x: From<S, Volume>): To<S, Volume>;
  forward(x: Tensor, ...rest: unknown[]): Tensor {
    return pooled("WeightedAvgPool3d", x, rest, (v) => weightedAvgPool3d(v, this.kernelSize, this.options));
  }
}
