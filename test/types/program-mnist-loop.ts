import { compile, Generator, type Tensor } from "gradus";
import { mnist } from "gradus/data";
import { crossEntropy, Dropout, inference, init, Linear, relu, Sequential, training } from "gradus/nn";
import { adam, cosine } from "gradus/optim";
import { accuracy, fit } from "gradus/train";

const rng = new Generator(1);
const [train, valid] = (await mnist({ dir: "data" })).split(0.9, rng.fork("split"));
const model = init(new Sequential(new Linear(784, 300), relu, new Dropout(0.5), new Linear(300, 10)), rng.fork("init"));
const optimizer = adam(model.parameters(), { lr: cosine({ peak: 1e-3, steps: 5000, warmup: 100 }) });
const noise = rng.fork("dropout");
const step = compile((x: Tensor, y: Tensor) => {
  const logits = model.forward(x, training(noise));
  const loss = crossEntropy(logits, y);
  optimizer.minimize(loss);
  return { loss, error: logits.argmax(-1).ne(y).mean() };
});
const errors = compile((x: Tensor, y: Tensor) => model.forward(x, inference).argmax(-1).ne(y).sum());
let best = Infinity,
  kept = model.stateDict();
for (let epoch = 0; epoch < 10; epoch++) {
  for (const { x, y } of train.batches(128, { rng: rng.fork(`epoch ${epoch}`), last: "drop" })) step(x, y);
  let wrong = 0;
  for (const { x, y } of valid.batches(1000)) wrong += await errors(x, y).item();
  if (wrong < best) {
    best = wrong;
    kept = model.stateDict();
  }
}
model.loadStateDict(kept);
// the same with fit
// biome-ignore lint/suspicious/noFocusedTests: it is not a test
await fit(model, train, {
  loss: crossEntropy,
  optimizer,
  rng: 1,
  epochs: 10,
  batchSize: 128,
  metrics: { accuracy },
  validation: valid,
  earlyStopping: { patience: 3 },
});
