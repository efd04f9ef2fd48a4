/** A program on the reference interpreter: the same programs, slow and obviously right. */
import { arrayOf } from "../core/dtype.ts";
import { GradusError, NonFiniteError } from "../core/errors.ts";
import type { ArgumentAttributes, Value } from "../graph/op.ts";
import { topological } from "../graph/walk.ts";
import { evaluate } from "../interpret/evaluate.ts";
import { type ExecutableSpec, type Feed, numbersOf, type Runnable, type SiteOf } from "./executable.ts";
import { holderOf } from "./holder.ts";
import { HostStorage, type Storage } from "./storage.ts";

export class InterpretedProgram implements Runnable {
  private readonly spec: ExecutableSpec;
  private readonly leaves: readonly Value[];

  constructor(spec: ExecutableSpec) {
    this.spec = spec;
    const roots = [...spec.outputs, ...spec.assignments.map((a) => a.value), ...spec.guards.map((g) => g.value)];
    this.leaves = topological(roots).filter((v) => v.op.kind === "leaf");
  }

  run(feeds: readonly Feed[], siteOf: SiteOf = (site) => site): Storage[] {
    const { outputs, assignments, guards } = this.spec;
    const inputs = new Map<Value, ArrayLike<number>>();
    for (const leaf of this.leaves) {
      const holder = holderOf(leaf);
      if (holder) inputs.set(leaf, holder.content().storage!.peek());
      else if (leaf.op.kind === "leaf" && leaf.op.source === "argument")
        inputs.set(leaf, numbersOf(feeds[(leaf.attributes as ArgumentAttributes).index]!));
    }
    const values = [...outputs, ...assignments.map((a) => a.value), ...guards.map((g) => g.value)];
    const results = atSite(siteOf, () => evaluate(values, inputs, { round: true })).map((numbers, i) => {
      const array = arrayOf(values[i]!.dtype, numbers.length);
      array.set(numbers);
      return array;
    });
    guards.forEach(({ label, value }, i) => {
      if (results[outputs.length + assignments.length + i]!.every((x) => Number.isFinite(x))) return;
      throw new NonFiniteError(`${label} is not a finite number`, { help: "no variable was changed by this step", site: value.site });
    });
    assignments.forEach(({ cell }, i) => {
      cell.hold(new HostStorage(results[outputs.length + i]!));
    });
    return results.slice(0, outputs.length).map((array) => new HostStorage(array));
  }

  dispose(): void {}
}

/** What `f` gives; an error names the line that its site stands for. */
function atSite<T>(siteOf: SiteOf, f: () => T): T {
  try {
    return f();
  } catch (error) {
    throw error instanceof GradusError ? error.with(error.what, siteOf(error.site)) : error;
  }
}
