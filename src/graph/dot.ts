/** Graphs as pictures, in Graphviz's DOT language. */
import { showShape } from "../core/shape.ts";
import { inputSlots } from "./form.ts";
import type { ContractSlot, Form, Value } from "./op.ts";
import { showAttributes } from "./print.ts";
import { topological } from "./walk.ts";

export interface DotOptions {
  /** Titles for values that have one: "x", "loss". */
  readonly names?: ReadonlyMap<Value, string>;
  /** Fill colours, as for the nodes of the gradient. */
  readonly colours?: ReadonlyMap<Value, string>;
  /** Draw constants and positions too; otherwise only what depends on arguments and variables, and the outputs. */
  readonly constants?: boolean;
}

/** One node per value: variables and arguments are boxes, operations ellipses, outputs have a double rim. Data flows upwards. */
export function toDot(outputs: readonly Value[], options: DotOptions = {}): string {
  const drawn = shown(outputs, options.constants ?? false);
  const ids = new Map(drawn.map((v, i) => [v, `n${i}`]));
  const nodes = drawn.map((v) => `  ${ids.get(v)} [${styleOf(v, outputs.includes(v), options)}];`);
  const edges = drawn.flatMap((v) => v.inputs.filter((x) => ids.has(x)).map((x) => `  ${ids.get(x)} -> ${ids.get(v)};`));
  return ["digraph {", "  rankdir=BT;", '  node [fontname="Helvetica", fontsize=11];', ...nodes, ...edges, "}", ""].join("\n");
}

function shown(outputs: readonly Value[], constants: boolean): Value[] {
  const all = topological(outputs);
  if (constants) return all;
  const live = new Set<Value>(outputs);
  for (const v of all)
    if (v.inputs.some((x) => live.has(x)) || (v.op.kind === "leaf" && (v.op.source === "argument" || v.op.source === "variable")))
      live.add(v);
  return all.filter((v) => live.has(v));
}

function styleOf(v: Value, output: boolean, { names, colours }: DotOptions): string {
  const leaf = v.op.kind === "leaf";
  const name = names?.get(v);
  const operation = leaf && name ? "" : `${operationOf(v)}${leaf && v.op.name !== "iota" ? ` ${showAttributes(v)}`.trimEnd() : ""}`;
  const label = [name, operation, `${v.dtype} ${showShape(v.shape)}`].filter(Boolean).join("\n");
  const colour = colours?.get(v);
  return [
    `label=${quote(label)}`,
    `shape=${leaf ? "box" : "ellipse"}`,
    ...(output ? ["peripheries=2"] : []),
    ...(colour ? ["style=filled", `fillcolor=${quote(colour)}`] : []),
  ].join(", ");
}

/** The op's name, but for two that are better known by what they are here: the product of two matrices, and the gradient that stops. */
function operationOf(v: Value): string {
  if (v.op.kind === "contract" && isMatrixProduct(v.attributes as Form)) return "matmul";
  return v.op.kind === "custom" && v.inputs.length === 1 ? "stopGradient" : v.op.name;
}

/** Σₖ a[…, i, k] b[…, k, j], in whatever order the axes stand; i, j and batches may be missing. */
function isMatrixProduct(form: Form): boolean {
  const [a, b] = inputSlots(form);
  const count = (...slots: ContractSlot[]): number =>
    form.axes.filter((axis) => axis.in.length === slots.length && slots.every((slot) => axis.in.includes(slot))).length;
  const [summed, rows, columns, batches] = [count(a, b), count(a, form.result), count(b, form.result), count("x", "w", "y")];
  return form.windows.length === 0 && summed === 1 && rows <= 1 && columns <= 1 && 1 + rows + columns + batches === form.axes.length;
}

const quote = (text: string): string => `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`;
