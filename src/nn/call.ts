/** Calls of layers whose inputs the library chooses: by a chain, a summary, a training. */
import { ArgumentError } from "../core/errors.ts";
import { takeSite } from "../core/site.ts";
import type { Tensor } from "../index.ts";
import type { Mode } from "./mode.ts";

/** What can be called as a layer. */
export interface Callable {
  forward(...inputs: any[]): any;
}

/**
 * What the layer answers to these tensors in this mode.
 *
 * @throws ArgumentError if it takes more tensors, with its name, what it takes and what it got
 */
export function callLayer(layer: Callable, tensors: readonly Tensor[], mode: Mode, help?: string): any {
  try {
    return layer.forward(...tensors, mode);
  } catch (error) {
    throw missingTensor(layer, tensors, mode, help) ?? error;
  }
}

/**
 * Refuses more tensors than the layer's `forward` has parameters, which JavaScript would drop in silence. With a default or `...rest` among them it may take
 * any number.
 */
export function checkMost(layer: Callable, tensors: readonly Tensor[]): void {
  const { forward } = layer;
  const parameters = /\(([^)]*)/.exec(Function.prototype.toString.call(forward))?.[1] ?? "";
  if (tensors.length <= forward.length || /=|\.\.\./.test(parameters)) return;
  throw new ArgumentError(
    `${layer.constructor.name}: forward takes ${forward.length === 1 ? "one tensor" : `${forward.length} arguments`}, and got ${tensors.length} tensors`,
    {
      site: takeSite(),
    },
  );
}

/**
 * How many tensors a layer takes is written nowhere: forward(a, b) and forward(x, mode) have two parameters each. So one that failed is asked once more, with
 * stand-ins for the mode and for what follows it, which say when they are taken for tensors.
 */
function missingTensor(layer: Callable, tensors: readonly Tensor[], mode: Mode, help: string | undefined): ArgumentError | undefined {
  const { forward } = layer;
  const more = forward.length - tensors.length;
  if (more <= 0) return undefined;
  let taken: number | undefined;
  const standIns = Array.from({ length: more }, (_, i) =>
    standIn(i === 0 ? (mode ?? {}) : {}, () => {
      taken ??= tensors.length + i + 1;
    }),
  );
  try {
    forward.apply(layer, [...tensors, ...standIns]);
  } catch {
    // What it says this time is the stand-ins' doing.
  }
  if (taken === undefined) return undefined;
  const takes = taken === forward.length ? `${taken} tensors` : `at least ${taken} tensors`;
  const name = layer.constructor.name;
  return new ArgumentError(`${name}: forward takes ${takes}, and got ${tensors.length === 1 ? "one" : tensors.length} and the mode`, {
    why: `it uses its argument ${taken} as a tensor`,
    help,
    site: takeSite(),
  });
}

/** The properties of `mode`; any other, and the question whether it is a tensor, is reported and ends the call. */
function standIn(mode: object, report: () => void): object {
  const stop = (): never => {
    report();
    throw new ArgumentError("a mode is no tensor");
  };
  return new Proxy(mode, {
    get: (target, name) => (name === "training" || name === "rng" ? Reflect.get(target, name) : stop()),
    getPrototypeOf: stop,
  });
}
