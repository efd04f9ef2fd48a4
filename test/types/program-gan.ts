import { compile, Generator, ones, type Tensor, zeros } from "gradus";
import { bceWithLogits, inference, init, Linear, relu, Sequential, tanh } from "gradus/nn";
import { adam } from "gradus/optim";

const rng = new Generator(0),
  noise = rng.fork("noise");
const G = init(new Sequential(new Linear(64, 256), relu, new Linear(256, 784), tanh), rng.fork("G"));
const D = init(new Sequential(new Linear(784, 256), relu, new Linear(256, 1)), rng.fork("D"));
const gOpt = adam(G.parameters(), { lr: 2e-4, betas: [0.5, 0.999] });
const dOpt = adam(D.parameters(), { lr: 2e-4, betas: [0.5, 0.999] });
const step = compile((real: Tensor) => {
  const fake = G.forward(noise.normal([128, 64]), inference);
  const dLoss = bceWithLogits(D.forward(real, inference), ones([128, 1])).add(bceWithLogits(D.forward(fake, inference), zeros([128, 1])));
  dOpt.minimize(dLoss); // touches D only: dOpt's list says so; no detach needed
  const gLoss = bceWithLogits(D.forward(fake, inference), ones([128, 1])); // the D just updated, as in PyTorch
  gOpt.minimize(gLoss);
  return { dLoss, gLoss };
});

export { step };
