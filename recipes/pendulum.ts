import { PENDULUM_INPUTS, pendulum } from "gradus/data";
import { meanAbsoluteError, recipe, rootMeanSquaredError, rSquared } from "gradus/train";
import { ACTIVATION_CHOICES } from "./layers.ts";
import { DESCRIBE, decayingAdam, Regressor } from "./tabular.ts";

/** A number from numbers: the period of a pendulum from its length, amplitude and gravity, measured with a stopwatch. */
export default recipe({
  description: "regression: the period of a pendulum from length, amplitude and gravity, with generated measurements",
  options: { hidden: "32-32", activation: "tanh", lr: 0.01, weightDecay: 0 },
  describe: DESCRIBE,
  choices: { activation: ACTIVATION_CHOICES },
  epochs: 40,
  batchSize: 32,
  input: { kind: "row", columns: PENDULUM_INPUTS },
  values: [{ name: "period", unit: "s" }],
  model: (o) => new Regressor(3, 1, o),
  data: async (_, { seed }) => ({ train: pendulum({ seed }), test: pendulum({ seed, train: false }) }),
  adapt: (model: Regressor, train) => model.adapt(train),
  objective: (_, model: Regressor) => model.loss(),
  optimizer: decayingAdam,
  metrics: { rSquared, rootMeanSquaredError, meanAbsoluteError },
});
