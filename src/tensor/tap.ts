import { addTap, type Tap } from "../run/holder.ts";
import type { Handle } from "./handle.ts";
import { nest } from "./nested.ts";
import { showTensor } from "./show.ts";
import { currentTrace } from "./trace.ts";

/** Reports a tensor when a program has computed it: text is a label for the console, a function gets the number or the nested arrays. */
export function tap(x: Handle, report: string | ((value: unknown) => void)): void {
  const told: Tap = {
    shape: x.shape,
    dtype: x.dtype,
    report: (elements, shape) => {
      if (typeof report === "string") console.log(showTensor(elements, shape, x.dtype, report));
      else report(nest(elements, shape, x.dtype));
    },
  };
  const trace = currentTrace();
  const value = x.node();
  if (trace) trace.tap(value, told);
  // What is known already is told at once, but never before the caller goes on.
  else if (x.content().storage) void x.elements("tap").then((elements) => told.report(elements, x.shape));
  else addTap(value, told);
}
