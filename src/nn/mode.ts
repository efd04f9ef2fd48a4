import { ArgumentError } from "../core/errors.ts";
import { takeSite } from "../core/site.ts";
import { Generator } from "../index.ts";

/** How a forward pass is meant. Layers that differ in training require it, so that forgetting it is red in the editor. */
export type Mode = { readonly training: true; readonly rng: Generator } | { readonly training: false };

/**
 * The mode of a training step: noise is drawn from `rng`, running statistics are updated.
 *
 * @example model.forward(x, training(rng.fork("dropout")))
 */
export function training(rng: Generator): Mode {
  if (!(rng instanceof Generator))
    throw new ArgumentError("training: needs a Generator", {
      why: "dropout and its like draw from it",
      help: "training(new Generator(seed))",
    });
  return { training: true, rng };
}

/** The mode of use: no noise, nothing is updated. */
export const inference: Mode = Object.freeze({ training: false });

/** The mode, or an error for JavaScript callers who left it out. */
export function checkMode(mode: Mode | undefined, who: string): Mode {
  if (mode && (mode.training === false || (mode.training === true && mode.rng instanceof Generator))) return mode;
  throw new ArgumentError(`${who}: forward needs a mode`, {
    site: takeSite(),
    why: "this layer does one thing in training and another in use",
    help: "pass training(rng) or inference as the last argument of forward",
  });
}
