/** The layers of a model, and what each of them answers in a pass. */
import { Generator, Tensor } from "../index.ts";
import { Module } from "./module.ts";
import { Sequential } from "./sequential.ts";

/** A module, or a function that stands among the layers of a `Sequential`: relu, flatten. */
export interface Layer {
  /** "features.0"; "" for the model itself. */
  readonly path: string;
  readonly depth: number;
  readonly layer: Module | LayerFunction;
}
type LayerFunction = (x: Tensor) => unknown;

/** All modules, each once, before what is inside them, and the functions between the layers of a chain. */
export function layersOf(root: Module): Layer[] {
  const found: Layer[] = [];
  const seen = new Set<object>();
  const stack: { path: string; value: unknown; depth: number; inChain: boolean }[] = [{ path: "", value: root, depth: 0, inChain: false }];
  while (stack.length > 0) {
    const { path, value, depth, inChain } = stack.pop()!;
    if (typeof value === "function" && inChain) found.push({ path, layer: value as LayerFunction, depth });
    if (typeof value !== "object" || value === null || value instanceof Tensor || value instanceof Generator || seen.has(value)) continue;
    seen.add(value);
    if (value instanceof Module) found.push({ path, layer: value, depth });
    const inner =
      value instanceof Module ? value.stateFields() : value instanceof Map ? value : isPlain(value) ? Object.entries(value) : [];
    const next = value instanceof Module ? depth + 1 : depth;
    stack.push(
      ...[...inner].reverse().map(([name, item]) => ({
        path: path === "" ? String(name) : `${path}.${name}`,
        value: item as unknown,
        depth: next,
        inChain: value instanceof Sequential,
      })),
    );
  }
  return found;
}

const isPlain = (value: object): boolean => Array.isArray(value) || [Object.prototype, null].includes(Object.getPrototypeOf(value));

/** What a layer answered, and the tensors it was given. */
type Note = (layer: Layer, output: Tensor, given: readonly Tensor[]) => void;

/** What `run` answers; meanwhile `note` hears of each tensor that one of the layers answers, those inside a layer before its own. */
export function watching<T>(layers: readonly Layer[], note: Note, run: () => T): T {
  const at = new Map(layers.map((layer) => [layer.path, layer]));
  const undo = layers.flatMap((place) => {
    const { layer, path } = place;
    if (!(layer instanceof Module)) return [];
    const functions = (i: number): Layer | undefined => at.get(path === "" ? String(i) : `${path}.${i}`);
    return [...(layer instanceof Sequential ? [watchFunctions(layer, functions, note)] : []), watchForward(layer, place, note)];
  });
  try {
    return run();
  } finally {
    for (const restore of undo) restore();
  }
}

/** Of the functions among a chain's layers; answers what undoes it. */
function watchFunctions(chain: Sequential, place: (index: number) => Layer | undefined, note: Note): () => void {
  const { layers } = chain;
  const put = (value: readonly unknown[]): void => {
    Object.defineProperty(chain, "layers", { value, enumerable: true, configurable: true, writable: true });
  };
  put(
    layers.map((layer: unknown, i: number) => {
      const known = place(i);
      if (typeof layer !== "function" || !known) return layer;
      return (x: Tensor): unknown => {
        const output = (layer as LayerFunction)(x);
        if (output instanceof Tensor) note(known, output, [x]);
        return output;
      };
    }),
  );
  return () => put(layers);
}

/** Of a module; answers what undoes it. */
function watchForward(module: Module, place: Layer, note: Note): () => void {
  const { forward } = module as Module & { forward?: (...inputs: unknown[]) => unknown };
  if (typeof forward !== "function") return () => {};
  function watched(this: Module, ...inputs: unknown[]): unknown {
    const output = forward!.apply(this, inputs);
    if (output instanceof Tensor)
      note(
        place,
        output,
        inputs.filter((x) => x instanceof Tensor),
      );
    return output;
  }
  Object.defineProperty(module, "forward", {
    configurable: true,
    // Not enumerable: it is no state.
    enumerable: false,
    value: Object.defineProperty(watched, "length", { value: forward.length }),
  });
  return () => {
    delete (module as { forward?: unknown }).forward;
  };
}
