/** What `compile` notes while a function runs with placeholders. */

import type { Type, Value } from "../graph/op.ts";
import { argument, type Draw, variable as variableLeaf } from "../ops/index.ts";
import type { Guard } from "../run/executable.ts";
import type { Tap } from "../run/holder.ts";
import type { Generator } from "../tensor/generator.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Trace } from "../tensor/trace.ts";
import type { Variable } from "../tensor/variable.ts";

/** An input that is no argument: a captured tensor, or the two words of a generator's key (one entry each, the second one empty). */
type Extra = { readonly tensor: Tensor } | { readonly generator: Generator | undefined };

/** What a function being compiled has read, assigned, captured, drawn and reported. */
export class CompileTrace implements Trace {
  readonly name = "compile";
  readonly outer = undefined;
  closed = false;
  readonly cells = new Map<Variable, { value: Value; assigned: boolean }>();
  /** Inputs besides the arguments, in the order of their numbers. */
  readonly extras: Extra[] = [];
  readonly taps: { readonly value: Value; readonly tap: Tap }[] = [];
  readonly guards: (Guard & { readonly kind: "loss" | "gradients" })[] = [];
  private readonly captures = new Map<Tensor, Value>();
  private readonly keys = new Map<Generator, { key0: Value; key1: Value }>();
  private readonly arguments: number;
  private sites = 0;

  constructor(types: readonly Type[]) {
    this.arguments = types.length;
  }

  readCell(cell: Variable): Value {
    const known = this.cells.get(cell);
    if (known) return known.value;
    if (!cell.hasValue) cell.content();
    const value = variableLeaf(cell, { shape: cell.shape, dtype: cell.dtype });
    this.cells.set(cell, { value, assigned: false });
    return value;
  }

  assignCell(cell: Variable, value: Value): void {
    if (!this.cells.has(cell) && cell.hasValue) this.readCell(cell);
    this.cells.set(cell, { value, assigned: true });
  }

  assignments(): { cell: Variable; value: Value }[] {
    return [...this.cells].flatMap(([cell, { value, assigned }]) => (assigned ? [{ cell, value }] : []));
  }

  capture(tensor: Tensor): Value {
    const held = tensor.content();
    let value = this.captures.get(held);
    if (!value) {
      value = this.input(held, { tensor: held });
      this.captures.set(held, value);
    }
    return value;
  }

  draw(generator: Generator): Draw {
    let keys = this.keys.get(generator);
    if (!keys) {
      const word: Type = { shape: [], dtype: "uint32" };
      keys = { key0: this.input(word, { generator }), key1: this.input(word, { generator: undefined }) };
      this.keys.set(generator, keys);
    }
    return { ...keys, site: this.sites++ };
  }

  private input(type: Type, from: Extra): Value {
    return argument(this.arguments + this.extras.push(from) - 1, type);
  }

  tap(value: Value, tap: Tap): void {
    this.taps.push({ value, tap });
  }

  guard(value: Value, label: string, kind: "loss" | "gradients"): void {
    this.guards.push({ value, label, kind });
  }
}
