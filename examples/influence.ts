/**
 * Which examples does a network still struggle with? The norm of each example's own gradient tells, and `vmap` gives all of them from one
 * program: the gradient of one example, written once, over a whole batch. Run it with `npx tsx examples/influence.ts`.
 */
import { compile, gradients, type Tensor, vmap } from "gradus";
import { digits } from "gradus/data";
import { crossEntropy, init, Linear, relu, Sequential } from "gradus/nn";
import { adam } from "gradus/optim";
import { fit } from "gradus/train";

const data = await digits({ count: 1500 });
const model = init(new Sequential(new Linear(784, 64), relu, new Linear(64, 10)), 0);
// biome-ignore lint/suspicious/noFocusedTests: it is no test.
await fit(model, data, { loss: crossEntropy, optimizer: adam(model.parameters(), { lr: 0.003 }), epochs: 4, rng: 0 });

/** The length of the gradient of one image's loss, over all parameters. */
const influence = (x: Tensor, y: Tensor): Tensor => {
  const loss = crossEntropy(model.forward(x.unsqueeze(0)), y.unsqueeze(0));
  const squares = gradients(loss, model.parameters()).map((g) => g.square().sum() as Tensor);
  return squares.reduce((sum, s) => sum.add(s)).sqrt();
};
const influences = compile((x: Tensor, y: Tensor) => vmap(influence)(x, y));

const test = await digits({ train: false, count: 200 });
for (const { x, y } of test.batches(200)) {
  const [norms, classes, guesses] = await Promise.all([influences(x, y).data(), y.data(), model.forward(x).argmax(-1).data()]);
  const order = Array.from(norms, (_, i) => i).sort((a, b) => norms[b]! - norms[a]!);
  for (const i of order.slice(0, 5))
    console.log(`image ${i}, a ${classes[i]}, taken for a ${guesses[i]}: gradient ${norms[i]!.toFixed(2)}`);
  const wrong = (part: number[]): number => part.filter((i) => classes[i] !== guesses[i]).length;
  console.log(
    `errors among the 20 with the largest gradients: ${wrong(order.slice(0, 20))}, among the other 180: ${wrong(order.slice(20))}`,
  );
}
