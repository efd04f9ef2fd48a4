import { checkDType, type DType } from "../core/dtype.ts";
import { ArgumentError, GraphError } from "../core/errors.ts";
import { checkOptions } from "../core/options.ts";
import { checkShape, type Shape, showShape } from "../core/shape.ts";
import type { Plain } from "../core/shape-types.ts";
import { takeSite } from "../core/site.ts";
import { Variable } from "../index.ts";
import type { Initializer } from "./initializers.ts";

export interface ParameterOptions {
  /** Default float32. */
  readonly dtype?: DType;
  /** Default true. */
  readonly trainable?: boolean;
}

const initializers = new WeakMap<Variable, Initializer>();

/**
 * A variable without a value until `init` draws it or `loadStateDict` fills it. Fields of modules hold them.
 *
 * @throws ShapeError, DTypeError for what no tensor can have; ArgumentError without an initializer; GraphError when it is read too early
 * @example
 * class Scale extends Module {
 *   readonly scale = parameter([8], (rng, shape) => rng.uniform(shape, 0.5, 1.5));
 *   forward(x: Tensor) { return x.mul(this.scale); }
 * }
 */
export function parameter<const S extends Shape>(shape: S, initializer: Initializer, options: ParameterOptions = {}): Variable<Plain<S>> {
  checkOptions("parameter", options, ["dtype", "trainable"], takeSite);
  const { dtype = "float32", trainable = true } = options;
  if (typeof initializer !== "function")
    throw new ArgumentError("parameter: there is no initializer", { help: "parameter([8], zeros), or (rng, shape) => rng.normal(shape)" });
  const type = { shape: Object.freeze([...checkShape(shape, "parameter")]), dtype: checkDType(dtype, "parameter") };
  const cell: Variable = new Variable(type, { trainable, empty: () => noValue(cell) });
  initializers.set(cell, initializer);
  return cell as Variable<Plain<S>>;
}

/** How `init` makes its first value; undefined for variables that were made with one. */
export const initializerOf = (cell: Variable): Initializer | undefined => initializers.get(cell);

/** The complaint that a parameter has no value yet. */
export const noValue = (cell: Variable): GraphError =>
  new GraphError(`${cell.name === "" ? "a parameter" : `parameter ${cell.name}`} ${showShape(cell.shape)} has no value yet`, {
    why: "parameters are made without numbers, so that loading weights needs no wasted draw",
    help: "call init(model, seed) or model.loadStateDict(state) first",
  });

/** Tells a variable its path, so that messages can name it. Names given before stay. */
export function nameCell(cell: Variable, path: string): void {
  if (cell.name === "") (cell as { name: string }).name = path;
}
