import { bytesOf, type DType } from "../core/dtype.ts";
import { ArgumentError } from "../core/errors.ts";
import { checkOptions } from "../core/options.ts";
import { type Shape, showShape, sizeOf } from "../core/shape.ts";
import { atUserLine, takeSite } from "../core/site.ts";
import { type Tensor, type Variable, zeros } from "../index.ts";
import { type Callable, callLayer, checkMost } from "./call.ts";
import { functionalCall } from "./functional-call.ts";
import { type Layer, layersOf, watching } from "./layers.ts";
import { inference } from "./mode.ts";
import { Module } from "./module.ts";

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
  const layers = layersOf(model);
  const rows = new Map(layers.map((layer) => [layer.path, rowOf(layer, counted)]));
  const note = ({ path }: Layer, output: Tensor): void => {
    rows.get(path)!.output ??= output.shape;
  };
  watching(layers, note, () => functionalCall(model, placeholders(model), () => callLayer(model, inputs, inference, HELP)));
  return [table([...rows.values()]), ...totals(model, inputs)].join("\n");
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
