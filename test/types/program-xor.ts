// XOR from scratch: variables, gradients, compile; a rate that changes each step; an early exit; looking inside.
import { compile, Generator, gradients, type Tensor, tensor, variable } from "gradus";

const rng = new Generator(0);
const x = tensor([
  [0, 0],
  [0, 1],
  [1, 0],
  [1, 1],
]);
const y = tensor([[0], [1], [1], [0]]);
const W = variable(rng.normal([2, 2])),
  c = variable(tensor([0, 0])),
  w = variable(rng.normal([2, 1])),
  b = variable([0]);
const predict = (x: Tensor<[number, 2]>) => x.matmul(W).add(c).relu().tap("hidden").matmul(w).add(b);
const step = compile((lr: Tensor<[]>) => {
  const loss = predict(x).sub(y).square().mean();
  const grads = gradients(loss, { W, c, w, b }); // the same record, a gradient at each leaf
  W.assign(W.sub(lr.mul(grads.W)));
  c.assign(c.sub(lr.mul(grads.c)));
  w.assign(w.sub(lr.mul(grads.w)));
  b.assign(b.sub(lr.mul(grads.b)));
  return loss;
});
for (let i = 0; i < 200; i++) if ((await step(0.1 * 0.99 ** i).item()) < 1e-4) break;
console.log(await predict(x).array());
// @ts-expect-error [4, 2] with rows of 3
predict(tensor([[1, 2, 3]]));
