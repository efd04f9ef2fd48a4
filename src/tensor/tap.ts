import { nest } from "../surface/nested.ts";
import { addTap, currentTrace, type Tap, tapsOf } from "./context.ts";
import { showTensor } from "./print.ts";
import type { Tensor } from "./tensor.ts";

/** Reports a tensor when a program has computed it: text is a label for the console, a function gets the number or the nested arrays. */
export function tap(x: Tensor, report: string | ((value: unknown) => void)): void {
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

/** Tells everybody who wants to know this value. */
export function reportTaps(value: Parameters<typeof tapsOf>[0], elements: Parameters<Tap["report"]>[0]): void {
  for (const told of tapsOf(value)) told.report(elements, told.shape);
}
