/** Ops that the compiler drops: they say something to derivatives, or to people, that is done by now. */
import { plainForm, withoutWindows } from "../ops/index.ts";
import { contractionOf } from "./match.ts";
import type { Rule } from "./rewrite.ts";

/** Kept out where a graph is not run but counted: with it, zeros around and between elements are terms as others are. */
export const overWindows: Rule = {
  name: "product over windows",
  doc: "contract with windows → pad, windows, contract without",
  apply(v) {
    const found = contractionOf(v);
    return found && !plainForm(found.form) ? withoutWindows(v) : null;
  },
};

export const expansions: readonly Rule[] = [
  {
    name: "expand custom",
    doc: "custom(y, xs, backward) → y",
    apply: (v) => (v.op.kind === "custom" ? v.inputs[0]! : null),
  },
  overWindows,
];
