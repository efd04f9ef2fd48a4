import { ArgumentError, ShapeError, show } from "../core/errors.ts";
import { checkOptions } from "../core/options.ts";
import { showShape } from "../core/shape.ts";
import type { Shape } from "../core/shape-types.ts";
import { takeSite } from "../core/site.ts";
import { type DType, type Tensor, tensor, type Variable } from "../index.ts";
import { checkInput, checkSize, checkTensor } from "./arguments.ts";
import { ones, zeros } from "./initializers.ts";
import { Module } from "./module.ts";
import { parameter } from "./parameter.ts";
import type { SameShapes } from "./shapes.ts";

export interface StandardizeOptions {
  /** The way back, for the end of a network: y = z · std + mean. Default false. */
  readonly inverse?: boolean;
  /** Where the features stand. Default the last axis; 1 for the channels of images [n, c, h, w]. */
  readonly axis?: number;
  /** Of mean and std. Default float32. */
  readonly dtype?: DType;
}

/** Below this, the smallest normal float32, a deviation cannot be divided by. */
const SMALLEST = 2 ** -126;

/**
 * Brings each feature to mean 0 and deviation 1, z = (x − mean) / std, or with `inverse` back to its own units. Mean and deviation are numbers
 * of the model, not trained and stored with it, so that whoever loads it feeds it raw values. Until `adapt` they are 0 and 1.
 *
 * Shapes: [..., features], or with an `axis` the features there; kept; mean and std [features].
 *
 * @throws ShapeError if that axis of x is not `features`
 * @example
 * const [inputs, outputs] = [new Standardize(11), new Standardize(1, { inverse: true })];
 * const model = init(new Sequential(inputs, new Linear(11, 64), relu, new Linear(64, 1), outputs), 0);
 * inputs.adapt(train.moments("x"));
 * outputs.adapt(train.moments("y"));
 * new Standardize(3, { axis: 1 }).adapt(await channelMoments(images));   // the colours of pictures
 */
export class Standardize extends Module {
  declare readonly shapes?: SameShapes;
  readonly features: number;
  readonly inverse: boolean;
  readonly axis: number;
  readonly mean: Variable<[number]>;
  readonly std: Variable<[number]>;

  constructor(features: number, options: StandardizeOptions = {}) {
    super();
    checkOptions("Standardize", options, ["inverse", "dtype", "axis"], takeSite);
    const { inverse = false, axis = -1, dtype = "float32" } = options;
    if (!Number.isSafeInteger(axis)) throw new ArgumentError(`Standardize: axis ${show(axis)}`, { site: takeSite() });
    this.features = checkSize(features, "Standardize: features");
    this.inverse = inverse;
    this.axis = axis;
    this.mean = parameter([features], zeros, { dtype, trainable: false });
    this.std = parameter([features], ones, { dtype, trainable: false });
  }

  /**
   * Takes mean and deviation over: of the training part only, or the test is no test. A deviation of 0, of a feature that never changes,
   * counts as 1.
   *
   * @throws ArgumentError for another number of features, or one that is not finite
   */
  adapt({ mean, std }: { readonly mean: readonly number[]; readonly std: readonly number[] }): this {
    for (const [name, values] of Object.entries({ mean, std })) {
      if (!Array.isArray(values) || values.length !== this.features)
        throw new ArgumentError(`Standardize: ${name} of ${values?.length ?? show(values)} features`, {
          why: `the layer has ${this.features}`,
          site: takeSite(),
        });
      const bad = values.findIndex((value) => !Number.isFinite(value) || (name === "std" && value < 0));
      if (bad >= 0) throw new ArgumentError(`Standardize: ${name} of feature ${bad} is ${show(values[bad])}`, { site: takeSite() });
    }
    this.mean.assign(tensor([...mean], [this.features], { dtype: this.mean.dtype }));
    this.std.assign(
      tensor(
        std.map((value) => (value < SMALLEST ? 1 : value)),
        [this.features],
        { dtype: this.std.dtype },
      ),
    );
    return this;
  }

  forward<S extends Shape>(x: Tensor<S>): Tensor<S>;
  forward(x: Tensor, ...rest: unknown[]): Tensor {
    checkInput(x, rest, "Standardize");
    return this.inverse ? this.restore(x) : this.standardize(x);
  }

  /** (x − mean) / std. */
  standardize(x: Tensor): Tensor {
    const shape = this.shapeFor(x);
    return x.sub(this.mean.reshape(shape)).div(this.std.reshape(shape));
  }

  /** z · std + mean. */
  restore(z: Tensor): Tensor {
    const shape = this.shapeFor(z);
    return z.mul(this.std.reshape(shape)).add(this.mean.reshape(shape));
  }

  /** The features and an axis of 1 for each axis after theirs. */
  private shapeFor(x: Tensor): number[] {
    checkTensor(x, "Standardize");
    const rank = x.shape.length;
    const at = this.axis < 0 ? rank + this.axis : this.axis;
    if (x.shape[at] === this.features) return [this.features, ...Array.from({ length: rank - 1 - at }, () => 1)];
    throw new ShapeError(`Standardize: the input is ${showShape(x.shape)}`, {
      why: `${this.axis === -1 ? "the last axis" : `axis ${this.axis}`} must have the ${this.features} features the layer was made for`,
      site: takeSite(),
    });
  }
}

/**
 * A loss of standardised outputs and targets: of the same size whatever the unit, and every target counts alike. Without it, prices in cents have
 * gradients ten thousand times those of prices in euros.
 *
 * @example fit(model, data, { loss: standardized(mse, outputs), … });
 */
export const standardized =
  <L extends (output: Tensor, target: Tensor) => Tensor>(
    loss: L,
    scale: Standardize,
  ): ((output: Tensor, target: Tensor) => ReturnType<L>) =>
  (output, target) =>
    loss(scale.standardize(output), scale.standardize(target)) as ReturnType<L>;
