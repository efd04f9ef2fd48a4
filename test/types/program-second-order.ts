import { compile, grad, gradients, hessian, hvp, type Tensor, tensor, vmap } from "gradus";
import { functionalCall as call, inference, init, Linear, mse, relu, Sequential } from "gradus/nn";

const rosenbrock = (x: Tensor) => x.at("1:").sub(x.at(":-1").square()).square().mul(100).sum().add(x.at(":-1").sub(1).square().sum());
console.log(await hessian(rosenbrock)(tensor([1, 1, 1])).array());
const model = init(new Sequential(new Linear(3, 8), relu, new Linear(8, 1)), 0);
// per-example gradients: variables are simply not batched
const perExample = compile((X: Tensor, Y: Tensor) =>
  vmap((x: Tensor, y: Tensor) => gradients(mse(model.forward(x.unsqueeze(0), inference), y), model.parameters()))(X, Y),
);
// Hessian-vector product in the model's parameters
const product = compile((X: Tensor, Y: Tensor, v: Record<string, Tensor>) =>
  hvp((state: Record<string, Tensor>) => call(model, state, () => mse(model.forward(X, inference), Y)), model.stateDict(), v),
);
const d = grad(grad((x: Tensor) => x.pow(3)))(tensor(2));

export { d, perExample, product };
