import { Generator } from "gradus";
import { WINE_INPUTS, wine } from "gradus/data";
import { meanAbsoluteError, recipe, rootMeanSquaredError, rSquared } from "gradus/train";
import { ACTIVATION_CHOICES } from "./layers.ts";
import { DESCRIBE, decayingAdam, Regressor } from "./tabular.ts";

/** How good a wine tastes, from what a laboratory measures (Cortez, Cerdeira, Almeida, Matos and Reis 2009): a fifth is for testing. */
export default recipe({
  description: "regression: the quality of a wine from eleven measurements",
  options: { colour: "red", hidden: "32", activation: "relu", lr: 0.003, weightDecay: 0.1 },
  describe: { colour: "of the wines", ...DESCRIBE },
  choices: { colour: ["red", "white"], activation: ACTIVATION_CHOICES },
  epochs: 60,
  batchSize: 32,
  input: { kind: "row", columns: WINE_INPUTS },
  values: [{ name: "quality", unit: "points" }],
  model: (o) => new Regressor(WINE_INPUTS.length, 1, o),
  data: async (o, { seed, ...where }) => {
    const { data } = await wine({ ...where, colour: o.colour as "red" | "white" });
    const [train, test] = data.split(0.8, new Generator(seed).fork("test"));
    return { train, test };
  },
  adapt: (model: Regressor, train) => model.adapt(train),
  objective: (_, model: Regressor) => model.loss(),
  optimizer: decayingAdam,
  metrics: { rSquared, rootMeanSquaredError, meanAbsoluteError },
});
