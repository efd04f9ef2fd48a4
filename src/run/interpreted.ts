/** A traced function on the reference interpreter: the same programs, slow and obviously right. */
import { arrayOf, type TypedArray } from "../core/dtype.ts";
import { NonFiniteError } from "../core/errors.ts";
import type { ArgumentAttributes, Value, VariableAttributes } from "../graph/op.ts";
import { topological } from "../graph/walk.ts";
import { evaluate } from "../interpret/evaluate.ts";
import { HostStorage, type Storage } from "../tensor/context.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { Variable } from "../tensor/variable.ts";
import type { ExecutableSpec, Feed } from "./executable.ts";
import { elementsOf } from "./slots.ts";

export class InterpretedProgram {
  private readonly spec: ExecutableSpec;
  private readonly leaves: readonly Value[];

  constructor(spec: ExecutableSpec) {
    this.spec = spec;
    const roots = [...spec.outputs, ...spec.assignments.map((a) => a.value), ...spec.guards.map((g) => g.value)];
    this.leaves = topological(roots).filter((v) => v.op.kind === "leaf");
  }

  run(feeds: readonly Feed[]): Storage[] {
    const { outputs, assignments, guards } = this.spec;
    const inputs = new Map<Value, ArrayLike<number>>();
    for (const leaf of this.leaves) {
      if (leaf.op.kind !== "leaf") continue;
      if (leaf.op.source === "argument") inputs.set(leaf, numbersOf(feeds[(leaf.attributes as ArgumentAttributes).index]!));
      if (leaf.op.source === "variable")
        inputs.set(leaf, elementsOf(((leaf.attributes as VariableAttributes).cell as Variable).content().storage!));
    }
    const values = [...outputs, ...assignments.map((a) => a.value), ...guards.map((g) => g.value)];
    const results = evaluate(values, inputs, { round: true }).map((numbers, i) => {
      const array = arrayOf(values[i]!.dtype, numbers.length);
      array.set(numbers);
      return array;
    });
    guards.forEach(({ label, value }, i) => {
      if (results[outputs.length + assignments.length + i]!.every((x) => Number.isFinite(x))) return;
      throw new NonFiniteError(`${label} is not a finite number`, { help: "no variable was changed by this step", site: value.site });
    });
    assignments.forEach(({ cell }, i) => {
      const storage = new HostStorage(results[outputs.length + i]!);
      cell.assign(new Tensor({ shape: cell.shape, dtype: cell.dtype }, { storage }));
    });
    return results.slice(0, outputs.length).map((array) => new HostStorage(array));
  }

  dispose(): void {}
}

/** The elements of what a program is fed with, wherever they are. */
export const numbersOf = (feed: Feed): TypedArray => (ArrayBuffer.isView(feed) ? (feed as TypedArray) : elementsOf(feed as Storage));
