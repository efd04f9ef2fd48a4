import { crossEntropy, Linear, Sequential } from "gradus/nn";
import { sgd } from "gradus/optim";
import { recipe } from "gradus/train";

/** Its data never come, as from a server that says nothing; it is stopped while it waits. */
export default recipe({
  options: { lr: 0.1 },
  model: () => new Sequential(new Linear(2, 2)),
  data: (_, { signal }) =>
    new Promise((_, reject) => {
      const timer = setTimeout(() => undefined, 100_000);
      process.stderr.write("waits\n");
      signal?.addEventListener("abort", () => {
        clearTimeout(timer);
        reject(signal.reason);
      });
    }),
  loss: crossEntropy,
  optimizer: (model, o) => sgd(model.parameters(), o),
});
