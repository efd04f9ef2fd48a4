import { bytesOf, type DType } from "../core/dtype.ts";
import { ArgumentError } from "../core/errors.ts";
import { checkOptions } from "../core/options.ts";
import { type Shape, showShape, sizeOf } from "../core/shape.ts";
import { atUserLine, takeSite } from "../core/site.ts";
import { Generator, Tensor, type Variable, zeros } from "../index.ts";
import { type Callable, callLayer, checkMost } from "./call.ts";
import { functionalCall } from "./functional-call.ts";
import { inference } from "./mode.ts";
import { Module } from "./module.ts";
import { Sequential } from "./sequential.ts";

export interface SummaryOptions {
  /** Of the input, or of each. Default float32; embeddings want int32. */
  readonly dtype?: DType | readonly DType[];
}

interface Row {
  readonly path: string;
  readonly kind: string;
  readonly depth: number;
  output: Shape | undefined;
  readonly parameters: number;
}

type Runnable = Module & Callable;

/** A module, or a function that stands among the layers of a `Sequential`: relu, flatten. */
interface Layer {
  readonly path: string;
  readonly depth: number;
  readonly layer: Module | LayerFunction;
}
type LayerFunction = (x: Tensor) => unknown;

/**
 * A table of the model's layers, functions between them included, with the shape of each one's output and its own number of parameters. Nothing is computed,
 * and the model needs no values. `input` is the shape of the whole input, the axis of the examples included; of a model of several tensors, their shapes.
 *
 * @throws ArgumentError if the model has no `forward`, or takes another number of tensors; ShapeError if the input does not fit
 * @example
 * console.log(summary(model, [1, 28, 28]));
 * console.log(summary(translator, [[1, 20], [1, 15]], { dtype: "int32" }));
 */
export function summary(model: Runnable, input: Shape | readonly Shape[], options: SummaryOptions = {}): string {
  checkOptions("summary", options, ["dtype"], takeSite);
  if (!(model instanceof Module) || typeof model.forward !== "function")
    throw new ArgumentError("summary: the model has no forward", { help: "pass a Module with forward(x, mode)" });
  const inputs = inputsOf(input, options.dtype ?? "float32");
  checkMost(model, inputs);
  const counted = new Set<Variable>();
  const layers = layersOf(model).map((place) => ({ ...place, row: rowOf(place, counted) }));
  const rowAt = new Map(layers.map(({ path, row }) => [path, row]));
  const restore = layers.flatMap(({ path, layer, row }) => [
    ...(layer instanceof Sequential ? [watchFunctions(layer, (i) => rowAt.get(path === "" ? String(i) : `${path}.${i}`))] : []),
    ...(layer instanceof Module ? [watch(layer, row)] : []),
  ]);
  try {
    functionalCall(model, placeholders(model), () => callLayer(model, inputs, inference, HELP));
  } finally {
    for (const undo of restore) undo();
  }
  return [table(layers.map(({ row }) => row)), ...totals(model, inputs)].join("\n");
}

const HELP = "summary(model, [[1, 3], [1, 4]]) passes two tensors";

/** A tensor of each shape: one shape is a list of numbers, several are a list of lists. */
function inputsOf(input: Shape | readonly Shape[], dtype: DType | readonly DType[]): Tensor[] {
  const shapes = Array.isArray(input) && input.some(Array.isArray) ? (input as readonly Shape[]) : [input as Shape];
  const dtypes = typeof dtype === "string" ? shapes.map(() => dtype) : dtype;
  if (dtypes.length !== shapes.length)
    throw new ArgumentError(`summary: ${dtypes.length} dtypes for ${shapes.length} inputs`, {
      help: "one for each, or one for all",
      site: takeSite(),
    });
  return atUserLine(() => shapes.map((shape, i) => zeros(shape, { dtype: dtypes[i]! })), "summary");
}

/** All modules, each once, before what is inside them, and the functions between the layers of a chain. */
function layersOf(root: Module): Layer[] {
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

/** The variables that are the module's own; a shared one counts where it is met first. */
function rowOf({ path, layer, depth }: Layer, counted: Set<Variable>): Row {
  if (!(layer instanceof Module)) return { path, kind: layer.name || "function", depth, output: undefined, parameters: 0 };
  const inner = new Set(
    layersOf(layer)
      .slice(1)
      .flatMap(({ layer: m }) => (m instanceof Module ? [...m.namedVariables().values()] : [])),
  );
  let parameters = 0;
  for (const cell of layer.namedVariables().values()) {
    if (inner.has(cell) || counted.has(cell)) continue;
    counted.add(cell);
    parameters += sizeOf(cell.shape);
  }
  return { path, kind: layer.constructor.name, depth, output: undefined, parameters };
}

/** Notes the shapes of what the functions among a chain's layers answer; answers what undoes it. */
function watchFunctions(chain: Sequential, rowOf: (index: number) => Row | undefined): () => void {
  const { layers } = chain;
  const put = (value: readonly unknown[]): void => {
    Object.defineProperty(chain, "layers", { value, enumerable: true, configurable: true, writable: true });
  };
  put(
    layers.map((layer: unknown, i: number) => {
      const row = rowOf(i);
      if (typeof layer !== "function" || !row) return layer;
      return (x: Tensor): unknown => {
        const output = (layer as LayerFunction)(x);
        if (output instanceof Tensor) row.output ??= output.shape;
        return output;
      };
    }),
  );
  return () => put(layers);
}

/** Notes the shape of what `forward` answers, the first time; answers what undoes it. */
function watch(module: Module, row: Row): () => void {
  const { forward } = module as Runnable;
  if (typeof forward !== "function") return () => {};
  function watched(this: Runnable, ...inputs: unknown[]): unknown {
    const output = forward.apply(this, inputs);
    if (output instanceof Tensor) row.output ??= output.shape;
    return output;
  }
  Object.defineProperty(module, "forward", {
    configurable: true,
    // Not enumerable: it is no state.
    enumerable: false,
    value: Object.defineProperty(watched, "length", { value: forward.length }),
  });
  return () => {
    delete (module as Partial<Runnable>).forward;
  };
}

const placeholders = (model: Module): Record<string, Tensor> =>
  Object.fromEntries(
    [...model.namedVariables()]
      .filter(([, cell]) => !cell.hasValue)
      .map(([path, cell]) => [path, zeros(cell.shape, { dtype: cell.dtype })]),
  );

const grouped = (n: number): string => n.toLocaleString("en-US");

function table(rows: readonly Row[]): string {
  const cells = rows.map(({ path, kind, depth, output, parameters }) => [
    `${"  ".repeat(depth)}${path === "" ? kind : `${path} (${kind})`}`,
    output ? showShape(output) : "",
    parameters === 0 ? "" : grouped(parameters),
  ]);
  const head = ["layer", "output", "parameters"];
  const widths = head.map((title, i) => Math.max(title.length, ...cells.map((row) => row[i]!.length)));
  const line = (row: readonly string[]): string =>
    `${row[0]!.padEnd(widths[0]!)}  ${row[1]!.padEnd(widths[1]!)}  ${row[2]!.padStart(widths[2]!)}`.trimEnd();
  return [line(head), widths.map((w) => "-".repeat(w)).join("  "), ...cells.map(line)].join("\n");
}

function totals(model: Module, inputs: readonly Tensor[]): string[] {
  const cells = [...model.namedVariables().values()];
  const count = (list: readonly Variable[]): number => list.reduce((n, cell) => n + sizeOf(cell.shape), 0);
  const trained = count(cells.filter((cell) => cell.trainable));
  const rest = count(cells) - trained;
  const bytes = cells.reduce((n, cell) => n + sizeOf(cell.shape) * bytesOf(cell.dtype), 0);
  return [
    "",
    `input${inputs.length === 1 ? "" : "s"} ${inputs.map((x) => showShape(x.shape)).join(", ")}`,
    `${grouped(trained)} trainable parameters${rest > 0 ? `, ${grouped(rest)} others` : ""}, ${grouped(bytes)} bytes`,
  ];
}
