import { crossEntropy } from "gradus/nn";
import { accuracy, recipe } from "gradus/train";
import { CSV_CHOICES, CSV_DESCRIBE, CSV_OPTIONS, firstLook, rowInput, schemaOf, trainAndTest, widthOf } from "./csv.ts";
import { Classifier, decayingAdam } from "./tabular.ts";

/** A class from the other columns of a CSV file. */
export default recipe({
  description: "a class from the other columns of a CSV file of yours",
  options: CSV_OPTIONS,
  describe: CSV_DESCRIBE,
  choices: CSV_CHOICES,
  derived: ["schema", "sum"],
  complete: (o, where) => firstLook(o, where, "classification"),
  epochs: 60,
  batchSize: 32,
  input: rowInput,
  classes: (o) => schemaOf(o).classes,
  model: (o) => new Classifier(widthOf(o), schemaOf(o).classes.length, o),
  data: trainAndTest,
  adapt: (model: Classifier, train) => model.adapt(train),
  loss: crossEntropy,
  optimizer: decayingAdam,
  metrics: { accuracy },
});
