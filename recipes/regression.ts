import { meanAbsoluteError, recipe, rootMeanSquaredError, rSquared } from "gradus/train";
import { CSV_CHOICES, CSV_DESCRIBE, CSV_OPTIONS, firstLook, rowInput, schemaOf, trainAndTest, widthOf } from "./csv.ts";
import { decayingAdam, Regressor } from "./tabular.ts";

/** Numbers from the other columns of a CSV file. */
export default recipe({
  description: "regression: a number, or several, from the other columns of a CSV file of yours",
  options: { ...CSV_OPTIONS, unit: "" },
  describe: { ...CSV_DESCRIBE, target: `${CSV_DESCRIBE.target}; several with commas between`, unit: "what the target is measured in" },
  choices: CSV_CHOICES,
  derived: ["schema", "sum"],
  complete: (o, where) => firstLook(o, where, "regression"),
  epochs: 60,
  batchSize: 32,
  input: rowInput,
  values: (o) => {
    const units = o.unit.split(",").map((unit) => unit.trim());
    return schemaOf(o).targets.map((name, k) => ({ name, ...(units[k] ? { unit: units[k] } : {}) }));
  },
  model: (o) => new Regressor(widthOf(o), schemaOf(o).targets.length, o),
  data: trainAndTest,
  adapt: (model: Regressor, train) => model.adapt(train),
  objective: (_, model: Regressor) => model.loss(),
  optimizer: decayingAdam,
  metrics: { rSquared, rootMeanSquaredError, meanAbsoluteError },
});
