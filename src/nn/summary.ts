import { bytesOf, type DType } from "../core/dtype.ts";
import { ArgumentError } from "../core/errors.ts";
import { checkOptions } from "../core/options.ts";
import { type Shape, showShape, sizeOf } from "../core/shape.ts";
import { atUserLine, takeSite } from "../core/site.ts";
import { cost, type Tensor, type Variable, zeros } from "../index.ts";
import { type Callable, callLayer, checkMost } from "./call.ts";
import { functionalCall } from "./functional-call.ts";
import { type Layer, layersOf, watching } from "./layers.ts";
import { inference } from "./mode.ts";
import { Module } from "./module.ts";

export interface SummaryOptions {
  /** Of the input, or of each. Default float32; embeddings want int32. */
  readonly dtype?: DType | readonly DType[];
  /** Say what each layer costs too: operations forward, and the bytes of what it answers. Default false. */
  readonly costs?: boolean;
}

interface Row {
  readonly path: string;
  readonly kind: string;
  readonly depth: number;
  output: Shape | undefined;
  readonly parameters: number;
  /** Operations of its own, without those of layers inside it. */
  flops: number;
  /** Of what it answers, if it computes that itself. */
  bytes: number;
}

type Runnable = Module & Callable;

/**
 * A table of the model's layers, functions between them included, with the shape of each one's output and its own number of parameters. Nothing is computed,
 * and the model needs no values. `input` is the shape of the whole input, the axis of the examples included; of a model of several tensors, their shapes.
 * With `costs` each layer has its operations (a multiplication and an addition are two) and the bytes of what it answers.
 *
 * @throws ArgumentError if the model has no `forward`, or takes another number of tensors; ShapeError if the input does not fit
 * @example
 * console.log(summary(model, [1, 28, 28]));
 * console.log(summary(translator, [[1, 20], [1, 15]], { dtype: "int32" }));
 */
export function summary(model: Runnable, input: Shape | readonly Shape[], options: SummaryOptions = {}): string {
  checkOptions("summary", options, ["dtype", "costs"], takeSite);
  if (!(model instanceof Module) || typeof model.forward !== "function")
    throw new ArgumentError("summary: the model has no forward", { help: "pass a Module with forward(x, mode)" });
  const inputs = inputsOf(input, options.dtype ?? "float32");
  checkMost(model, inputs);
  const counted = new Set<Variable>();
  const layers = layersOf(model);
  const rows = new Map(layers.map((layer) => [layer.path, rowOf(layer, counted)]));
  const inside = new Inside();
  const note = ({ path }: Layer, output: Tensor, given: readonly Tensor[]): void => {
    const row = rows.get(path)!;
    row.output ??= output.shape;
    if (options.costs !== true) return;
    const own = inside.ownOf(path, cost(output, given).flops);
    row.flops += own;
    if (own > 0) row.bytes += sizeOf(output.shape) * bytesOf(output.dtype);
  };
  watching(layers, note, () => functionalCall(model, placeholders(model), () => callLayer(model, inputs, inference, HELP)));
  const all = [...rows.values()];
  return [table(all, options.costs === true), ...totals(model, inputs), ...(options.costs === true ? [costsOf(all)] : [])].join("\n");
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

/** The variables that are the module's own; a shared one counts where it is met first. */
function rowOf({ path, layer, depth }: Layer, counted: Set<Variable>): Row {
  if (!(layer instanceof Module))
    return { path, kind: layer.name || "function", depth, output: undefined, parameters: 0, flops: 0, bytes: 0 };
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
  return { path, kind: layer.constructor.name, depth, output: undefined, parameters, flops: 0, bytes: 0 };
}

const placeholders = (model: Module): Record<string, Tensor> =>
  Object.fromEntries(
    [...model.namedVariables()]
      .filter(([, cell]) => !cell.hasValue)
      .map(([path, cell]) => [path, zeros(cell.shape, { dtype: cell.dtype })]),
  );

const grouped = (n: number): string => n.toLocaleString("en-US");

/** What layers cost apart from the layers inside them, which are told before. */
class Inside {
  /** Of layers that no layer around them has counted as its own yet. */
  private readonly waiting = new Map<string, number>();

  ownOf(path: string, flops: number): number {
    let inner = 0;
    for (const [other, cost] of this.waiting)
      if (path === "" || other.startsWith(`${path}.`)) {
        inner += cost;
        this.waiting.delete(other);
      }
    this.waiting.set(path, (this.waiting.get(path) ?? 0) + flops);
    return flops - inner;
  }
}

/** 1234 → "1,234", 105415200 → "105.4 M". */
function short(n: number): string {
  const units = [
    [1e12, "T"],
    [1e9, "G"],
    [1e6, "M"],
    [1e5, "k"],
  ] as const;
  const [size, unit] = units.find(([size]) => n >= size) ?? [1, ""];
  return unit === "" ? grouped(n) : `${(n / (unit === "k" ? 1000 : size)).toPrecision(4)} ${unit}`;
}

function table(rows: readonly Row[], costs: boolean): string {
  const cells = rows.map(({ path, kind, depth, output, parameters, flops, bytes }) => [
    `${"  ".repeat(depth)}${path === "" ? kind : `${path} (${kind})`}`,
    output ? showShape(output) : "",
    parameters === 0 ? "" : grouped(parameters),
    ...(costs ? [flops === 0 ? "" : short(flops), bytes === 0 ? "" : short(bytes)] : []),
  ]);
  const head = ["layer", "output", "parameters", ...(costs ? ["operations", "bytes"] : [])];
  const widths = head.map((title, i) => Math.max(title.length, ...cells.map((row) => row[i]!.length)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, i) => (i < 2 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join("  ")
      .trimEnd();
  return [line(head), widths.map((w) => "-".repeat(w)).join("  "), ...cells.map(line)].join("\n");
}

function costsOf(rows: readonly Row[]): string {
  const sum = (pick: (row: Row) => number): string => short(rows.reduce((n, row) => n + pick(row), 0));
  return `${sum(({ flops }) => flops)} operations forward, ${sum(({ bytes }) => bytes)} bytes of what the layers answer`;
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
