import { digits } from "gradus/data";
import { crossEntropy, init, Linear, Sequential } from "gradus/nn";
import { sgd } from "gradus/optim";
import { accuracy, f1, fit, metric, predict, type Scores, score } from "gradus/train";

const model = init(new Sequential(new Linear(784, 10)), 0);
const data = await digits();
const brier = metric((output, target) => output.sub(target).square().mean(), { better: "smaller", mean: true });
const metrics = { accuracy, macro: f1.with({ average: "macro" }), brier };

// Every name that was asked for is a number, and no other name is there.
const scores = await score(model, data, { loss: crossEntropy, metrics });
const sum: number = scores.loss + scores.accuracy + scores.macro + scores.brier;
// @ts-expect-error: a misspelt name
scores.acuracy;
// @ts-expect-error: scores are not written to
scores.accuracy = 1;
const bare = await score(model, data, { loss: crossEntropy });
const loss: number = bare.loss;
// @ts-expect-error: nothing but the loss was asked for
bare.accuracy;

// biome-ignore lint/suspicious/noFocusedTests: it is not a test
const records = await fit(model, data, {
  loss: crossEntropy,
  optimizer: sgd(model.parameters(), { lr: 0.1 }),
  rng: 0,
  epochs: 1,
  metrics,
  validation: data,
  onStep: ({ metrics }) => void (metrics.accuracy + metrics.brier),
});
for (const { metrics, validation } of records) {
  const both: number = metrics.macro + (validation?.macro ?? 0) + (validation?.loss ?? 0);
  // @ts-expect-error: a misspelt name
  both + metrics.makro;
  // @ts-expect-error: a misspelt name
  both + validation?.acuracy;
}

// Names that are known only when the program runs are numbers or missing.
const any: Scores = scores;
const maybe: number | undefined = any.whatever;
// @ts-expect-error: a metric says which way is better
metric((output) => output.mean(), {});
// @ts-expect-error: there is no such average
f1.with({ average: "mean" });
// @ts-expect-error: there is no such option
predict(model, data, { batch: 3 });
const { output, target } = await predict(model, data, { batchSize: 100 });

export { loss, maybe, output, sum, target };
