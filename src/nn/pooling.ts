/** Pools as layers, under PyTorch's names. */
import { type AvgPoolOptions, averageWindows, type PoolOptions, poolWindows } from "../core/pool-window.ts";
import type { Shape } from "../core/shape-types.ts";
import { atUserLine } from "../core/site.ts";
import { avgPool1d, avgPool2d, avgPool3d, maxPool1d, maxPool2d, maxPool3d, type PerAxis, type Tensor } from "../index.ts";
import { Module } from "./module.ts";
import { type From, type Length, type Plane, pooled, type To, type Volume } from "./pooled.ts";
import type { PoolShapes } from "./shapes.ts";

/**
 * The largest of each window of [..., c, l]; see `maxPool1d`.
 *
 * @throws ArgumentError for a kernelSize, stride or dilation below 1, or padding as long as a window
 * @example new MaxPool1d(3, { stride: 2 })
 */
export class MaxPool1d extends Module {
  declare readonly shapes?: PoolShapes<Length>;
  readonly kernelSize: PerAxis;
  readonly options: PoolOptions;

  constructor(kernelSize: PerAxis, options: PoolOptions = {}) {
    super();
    atUserLine(() => poolWindows({ who: "MaxPool1d", axes: 1, kernelSize, options }));
    this.kernelSize = kernelSize;
    this.options = options;
  }

  forward<S extends Shape>(x: From<S, Length>): To<S, Length>;
  forward(x: Tensor, ...rest: unknown[]): Tensor {
    return pooled("MaxPool1d", x, rest, (v) => maxPool1d(v, this.kernelSize, this.options));
  }
}

/** The largest of each window of [..., c, h, w]; see `maxPool1d`. Windows that overlap: `new MaxPool2d(3, { stride: 2 })`. */
export class MaxPool2d extends Module {
  declare readonly shapes?: PoolShapes<Plane>;
  readonly kernelSize: PerAxis;
  readonly options: PoolOptions;

  constructor(kernelSize: PerAxis, options: PoolOptions = {}) {
    super();
    atUserLine(() => poolWindows({ who: "MaxPool2d", axes: 2, kernelSize, options }));
    this.kernelSize = kernelSize;
    this.options = options;
  }

  forward<S extends Shape>(x: From<S, Plane>): To<S, Plane>;
  forward(x: Tensor, ...rest: unknown[]): Tensor {
    return pooled("MaxPool2d", x, rest, (v) => maxPool2d(v, this.kernelSize, this.options));
  }
}

/** The largest of each window of [..., c, d, h, w]; see `maxPool1d`. */
export class MaxPool3d extends Module {
  declare readonly shapes?: PoolShapes<Volume>;
  readonly kernelSize: PerAxis;
  readonly options: PoolOptions;

  constructor(kernelSize: PerAxis, options: PoolOptions = {}) {
    super();
    atUserLine(() => poolWindows({ who: "MaxPool3d", axes: 3, kernelSize, options }));
    this.kernelSize = kernelSize;
    this.options = options;
  }

  forward<S extends Shape>(x: From<S, Volume>): To<S, Volume>;
  forward(x: Tensor, ...rest: unknown[]): Tensor {
    return pooled("MaxPool3d", x, rest, (v) => maxPool3d(v, this.kernelSize, this.options));
  }
}

/** The mean of each window of [..., c, l]; see `avgPool1d`. */
export class AvgPool1d extends Module {
  declare readonly shapes?: PoolShapes<Length>;
  readonly kernelSize: PerAxis;
  readonly options: AvgPoolOptions;

  constructor(kernelSize: PerAxis, options: AvgPoolOptions = {}) {
    super();
    atUserLine(() => averageWindows({ who: "AvgPool1d", axes: 1, kernelSize, options }));
    this.kernelSize = kernelSize;
    this.options = options;
  }

  forward<S extends Shape>(x: From<S, Length>): To<S, Length>;
  forward(x: Tensor, ...rest: unknown[]): Tensor {
    return pooled("AvgPool1d", x, rest, (v) => avgPool1d(v, this.kernelSize, this.options));
  }
}

/** The mean of each window of [..., c, h, w]; see `avgPool1d`. */
export class AvgPool2d extends Module {
  declare readonly shapes?: PoolShapes<Plane>;
  readonly kernelSize: PerAxis;
  readonly options: AvgPoolOptions;

  constructor(kernelSize: PerAxis, options: AvgPoolOptions = {}) {
    super();
    atUserLine(() => averageWindows({ who: "AvgPool2d", axes: 2, kernelSize, options }));
    this.kernelSize = kernelSize;
    this.options = options;
  }

  forward<S extends Shape>(x: From<S, Plane>): To<S, Plane>;
  forward(x: Tensor, ...rest: unknown[]): Tensor {
    return pooled("AvgPool2d", x, rest, (v) => avgPool2d(v, this.kernelSize, this.options));
  }
}

/** The mean of each window of [..., c, d, h, w]; see `avgPool1d`. */
export class AvgPool3d extends Module {
  declare readonly shapes?: PoolShapes<Volume>;
  readonly kernelSize: PerAxis;
  readonly options: AvgPoolOptions;

  constructor(kernelSize: PerAxis, options: AvgPoolOptions = {}) {
    super();
    atUserLine(() => averageWindows({ who: "AvgPool3d", axes: 3, kernelSize, options }));
    this.kernelSize = kernelSize;
    this.options = options;
  }

  forward<S extends Shape>(x: From<S, Volume>): To<S, Volume>;
  forward(x: Tensor, ...rest: unknown[]): Tensor {
    return pooled("AvgPool3d", x, rest, (v) => avgPool3d(v, this.kernelSize, this.options));
  }
}
