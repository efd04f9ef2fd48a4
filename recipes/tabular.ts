import type { Tensor } from "gradus";
import type { ArrayDataset } from "gradus/data";
import { Module, mse, Sequential, Standardize, standardized } from "gradus/nn";
import { adamW, cosine, type Optimizer } from "gradus/optim";
import type { Loss } from "gradus/train";
import { type DenseOptions, dense } from "./layers.ts";

/** A network for classes from raw measurements: standardised inputs, dense layers, logits. */
export class Classifier extends Module {
  readonly inputs: Standardize;
  readonly body: Sequential;

  constructor(inputs: number, classes: number, o: DenseOptions) {
    super();
    this.inputs = new Standardize(inputs);
    this.body = new Sequential(...dense(inputs, classes, o));
  }

  forward(x: Tensor): Tensor {
    return this.body.forward(this.inputs.forward(x));
  }

  /** Means and deviations of the training examples. */
  adapt(train: ArrayDataset): void {
    this.inputs.adapt(train.moments("x"));
  }
}

/** A network for numbers: standardised inputs, dense layers, and outputs in the targets' own units. */
export class Regressor extends Module {
  readonly inputs: Standardize;
  readonly body: Sequential;
  readonly outputs: Standardize;

  constructor(inputs: number, targets: number, o: DenseOptions) {
    super();
    this.inputs = new Standardize(inputs);
    this.body = new Sequential(...dense(inputs, targets, o));
    this.outputs = new Standardize(targets, { inverse: true });
  }

  forward(x: Tensor): Tensor {
    return this.outputs.forward(this.body.forward(this.inputs.forward(x)));
  }

  /** Means and deviations of the training examples. */
  adapt(train: ArrayDataset): void {
    this.inputs.adapt(train.moments("x"));
    this.outputs.adapt(train.moments("y"));
  }

  /** The mean squared error as a share of the training targets' variance: 1 is as good as their mean. */
  loss(): Loss {
    return standardized(mse, this.outputs);
  }
}

export interface AdamOptions {
  readonly lr: number;
  readonly weightDecay: number;
}

/** AdamW with a rate that falls to 0 along half a cosine. */
export const decayingAdam = (model: Module, o: AdamOptions, steps: number): Optimizer =>
  adamW(model.parameters(), { lr: cosine({ peak: o.lr, steps }), weightDecay: o.weightDecay });

export const DESCRIBE = {
  hidden: "units of the hidden layers, as 64-32; 0 for a linear model",
  activation: "after each hidden layer",
  lr: "learning rate of AdamW at the start; it falls to 0 along half a cosine",
  weightDecay: "how much weights shrink in each step, times the rate",
};
