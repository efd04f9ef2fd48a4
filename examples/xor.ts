/** XOR from nothing but variables and gradients: no layers, no optimiser. Run it with `npx tsx examples/xor.ts`. */
import { compile, Generator, gradients, type Tensor, tensor, variable } from "gradus";

const rng = new Generator(3);
const x = tensor([
  [0, 0],
  [0, 1],
  [1, 0],
  [1, 1],
]);
const y = tensor([[0], [1], [1], [0]]);

const W = variable(rng.normal([2, 4]), { name: "W" });
const c = variable([0, 0, 0, 0], { name: "c" });
const w = variable(rng.normal([4, 1]), { name: "w" });
const b = variable([0], { name: "b" });

const predict = (x: Tensor<[number, 2]>): Tensor<[number, 1]> => x.matmul(W).add(c).tanh().matmul(w).add(b);

/** Forward, backward and update, compiled to one program. The rate is an input, so that changing it compiles nothing. */
const step = compile((rate: Tensor<[]>) => {
  const loss = predict(x).sub(y).square().mean();
  const d = gradients(loss, { W, c, w, b });
  W.assign(W.sub(d.W.mul(rate)));
  c.assign(c.sub(d.c.mul(rate)));
  w.assign(w.sub(d.w.mul(rate)));
  b.assign(b.sub(d.b.mul(rate)));
  return loss;
});

for (let i = 0; i <= 200; i++) {
  const loss = await step(0.3 * 0.99 ** i).item();
  if (i % 40 === 0) console.log(`step ${i}: loss ${loss.toFixed(5)}`);
}
console.log("answers:", Array.from(await predict(x).data(), (v) => v.toFixed(2)).join(", "), "from", step.programs, "program");
