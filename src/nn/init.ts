import { ArgumentError } from "../core/errors.ts";
import { Generator } from "../index.ts";
import { Module } from "./module.ts";
import { initializerOf } from "./parameter.ts";

/**
 * Draws every parameter from its own stream, named by its path: the order of layers and their neighbours do not matter,
 * and adding one does not change the others. Parameters that have a value keep it. A generator moves on: the next model gets other numbers.
 *
 * @throws ArgumentError if `model` is no module; ShapeError if an initializer answers another shape
 * @example const model = init(new Sequential(new Linear(784, 300), relu, new Linear(300, 10)), 42);
 */
export function init<M extends Module>(model: M, rng: Generator | number): M {
  if (!(model instanceof Module)) throw new ArgumentError("init: the model is no Module", { help: "init(new Sequential(…), seed)" });
  const root = (rng instanceof Generator ? rng : new Generator(rng)).branch();
  for (const [path, cell] of model.namedVariables()) {
    const initializer = initializerOf(cell);
    if (initializer && !cell.hasValue) cell.assign(initializer(root.fork(path), cell.shape).cast(cell.dtype));
  }
  return model;
}
