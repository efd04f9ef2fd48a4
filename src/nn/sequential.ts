import { ArgumentError, GradusError } from "../core/errors.ts";
import type { Checked, Known, Shape } from "../core/shape-types.ts";
import { takeSite } from "../core/site.ts";
import { Tensor } from "../index.ts";
import { checkAlone } from "./arguments.ts";
import { callLayer } from "./call.ts";
import type { Mode } from "./mode.ts";
import { Module } from "./module.ts";
import type { ChainOf, ChainShapes, LayerLike, ModeOf } from "./shapes.ts";

/**
 * Layers one after another: y = fₙ(… f₂(f₁(x))).
 *
 * Takes modules with `forward` and functions of one tensor. Each has its index, functions too, so that names are PyTorch's:
 * `0.weight`, `2.weight`. The mode is handed to modules; `forward` requires it if one of them does.
 *
 * @throws ArgumentError for something that is neither, or that answers no tensor
 * @example
 * const model = init(new Sequential(new Linear(784, 300), relu, new Dropout(0.5), new Linear(300, 10)), 0);
 * model.forward(x, inference);
 */
export class Sequential<const L extends readonly LayerLike[] = any> extends Module {
  declare readonly shapes?: ChainShapes<L>;
  readonly layers: L;

  constructor(...layers: L & Checked<ChainOf<L, any>, unknown>) {
    super();
    layers.forEach((layer, i) => {
      if (!isLayer(layer))
        throw new ArgumentError(`Sequential: layer ${i} is ${describe(layer)}`, {
          why: "a layer is a module with forward, or a function of one tensor",
        });
    });
    this.layers = Object.freeze([...layers]) as unknown as L;
  }

  /** The layers under their indices, without the field's name. */
  override stateFields(): Iterable<readonly [string, unknown]> {
    return this.layers.map((layer, i) => [String(i), layer] as const);
  }

  forward<S extends Shape>(x: Checked<ChainOf<L, S>, Tensor<S>>, ...mode: ModeOf<L>): Tensor<Known<ChainOf<L, S>>>;
  // The signature above is what callers see; a deferred conditional type cannot be implemented by anything narrower.
  forward(x: any, ...rest: any): any {
    const [mode] = rest;
    checkAlone(rest, "Sequential");
    return this.layers.reduce((h: Tensor, layer, i): Tensor => {
      const y = within(layer, i, () => run(layer, h, mode));
      if (y instanceof Tensor) return y;
      throw new ArgumentError(`Sequential: layer ${i} (${describe(layer)}) answered ${describe(y)}`, {
        why: "every layer answers one tensor",
        site: takeSite(),
      });
    }, x as Tensor);
  }
}

/** Only modules get the mode: the second argument of a function means something else (the axis of softmax). */
const run = (layer: LayerLike, h: Tensor, mode: Mode): unknown =>
  typeof layer === "function"
    ? layer(h)
    : callLayer(layer, [h], mode, "layers of a chain take one tensor: call this one in a Module of yours");

/** Errors say in which layer they arose: "layer 2 (Linear): …", inside a chain in a chain "layer 1.0 (Linear): …". */
function within(layer: LayerLike, index: number, f: () => unknown): unknown {
  try {
    return f();
  } catch (error) {
    if (!(error instanceof GradusError)) throw error;
    const [, inner, rest] = /^layer ([\d.]+)( \([\s\S]*)$/.exec(error.what) ?? [];
    const name = describe(layer);
    const said = error.what.startsWith(`${name}: `) ? error.what.slice(name.length + 2) : error.what;
    throw error.with(inner ? `layer ${index}.${inner}${rest}` : `layer ${index} (${name}): ${said}`, error.site ?? takeSite());
  }
}

const isLayer = (layer: unknown): layer is LayerLike =>
  typeof layer === "function" ? !isClass(layer) : typeof (layer as LayerLike | null)?.["forward" as never] === "function";

/** `Sequential(Dropout)` for `Sequential(new Dropout())` is an easy slip: a class cannot be called. */
const isClass = (f: object): boolean => Object.getOwnPropertyDescriptor(f, "prototype")?.writable === false;

function describe(value: unknown): string {
  if (typeof value === "function")
    return isClass(value) ? `the class ${value.name}; write new ${value.name}(…)` : value.name || "a function";
  if (typeof value !== "object" || value === null) return String(value);
  return (value.constructor as { name?: string } | undefined)?.name ?? "an object";
}
