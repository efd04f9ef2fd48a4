import { checkOptions } from "../core/options.ts";
import { takeSite } from "../core/site.ts";
import type { Tensor, Variable } from "../index.ts";
import { nameCell, noValue } from "./parameter.ts";
import {
  assignAll,
  type Cells,
  findCells,
  type LoadOptions,
  type LoadReport,
  matchState,
  nothingFits,
  type Searchable,
  snapshot,
} from "./state.ts";

/**
 * Something with parameters: a layer, or a model made of layers.
 *
 * State is the variables found in own fields, arrays, plain records and Maps with string keys, in order, each once, under its first path
 * (`encoder.0.weight`). Fields that are `private` in TypeScript are found; `#private` ones cannot be. Plain tensors, numbers and functions are
 * not state. A `Set`, or an instance of another class, is an error.
 *
 * @example
 * class Net extends Module {
 *   readonly hidden = new Linear(2, 8);
 *   readonly out = new Linear(8, 1);
 *   forward(x: Tensor) { return this.out.forward(tanh(this.hidden.forward(x))); }
 * }
 */
export abstract class Module implements Searchable {
  /** What is searched for state, by name: the own enumerable fields. */
  stateFields(): Iterable<readonly [name: string, value: unknown]> {
    return Object.entries(this);
  }

  /** The trainable variables, each once, in field order. */
  parameters(): Variable[] {
    return [...this.namedVariables().values()].filter((v) => v.trainable);
  }

  /** All variables by name, buffers too (`trainable: false`). */
  namedVariables(): ReadonlyMap<string, Variable> {
    return cellsOf(this).named;
  }

  /**
   * The contents by name: a snapshot that later steps do not change.
   *
   * @throws GraphError if a parameter has no value yet
   */
  stateDict(): Record<string, Tensor> {
    const named = this.namedVariables();
    for (const cell of named.values()) if (!cell.hasValue) throw noValue(cell);
    return snapshot(named);
  }

  /**
   * Assigns all or nothing; a shared variable may come under any of its paths. Floats are rounded to the variable's kind. Answers what was left
   * as it was, which is nothing unless `strict` is false.
   *
   * @throws FormatError that lists everything missing, unexpected, of another shape or another kind; with strict: false, if no name fits
   */
  loadStateDict(state: Readonly<Record<string, Tensor>>, options?: LoadOptions): LoadReport {
    checkOptions("loadStateDict", options, ["strict"], takeSite);
    const cells = cellsOf(this);
    const { values, missing, unexpected } = matchState("loadStateDict", cells, state, { ...options, rounded: true });
    if (values.size === 0 && unexpected.length > 0) throw nothingFits("loadStateDict", cells, unexpected);
    assignAll(values);
    return { missing, unexpected };
  }
}

const isModule = (value: object): value is Searchable => value instanceof Module;

/** The cells of a module and all their paths. */
export function cellsOf(module: Module): Cells {
  const cells = findCells(module, isModule);
  // From here on messages can say which parameter they mean.
  for (const [path, cell] of cells.named) nameCell(cell, path);
  return cells;
}
