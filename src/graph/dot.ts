/** Graphs as pictures, in Graphviz's DOT language. */
import { showShape } from "../core/shape.ts";
import { bodiesOf } from "./body.ts";
import { inputSlots } from "./form.ts";
import type { ContractSlot, Form, ResultAttributes, Value } from "./op.ts";
import { showAttributes } from "./print.ts";
import { topological } from "./walk.ts";

export interface DotOptions {
  /** Titles for values that have one: "x", "loss". */
  readonly names?: ReadonlyMap<Value, string>;
  /** Fill colours, as for the nodes of the gradient. */
  readonly colours?: ReadonlyMap<Value, string>;
  /** Values that are drawn as one operation of this name over these inputs; what lies between is left out. */
  readonly collapsed?: ReadonlyMap<Value, { readonly name: string; readonly inputs: readonly Value[] }>;
  /** False: names and operations only, without types. Default true. */
  readonly types?: boolean;
  /** Draw constants and positions too; otherwise only what depends on arguments and variables, and the outputs. */
  readonly constants?: boolean;
}

/** One node per value: variables and arguments are boxes, operations ellipses, outputs have a double rim. Data flows upwards. */
export function toDot(outputs: readonly Value[], options: DotOptions = {}): string {
  const lines = draw(outputs, drawnValues(outputs, options), options, "n");
  return ["digraph {", "  rankdir=BT;", '  node [fontname="Helvetica", fontsize=11];', ...lines, "}", ""].join("\n");
}

/** Nodes and arrows; the bodies of a node are boxes of their own beside it. */
function draw(outputs: readonly Value[], drawn: readonly Value[], options: DotOptions, prefix: string): string[] {
  const ids = new Map(drawn.map((v, i) => [v, `${prefix}${i}`]));
  const nodes = drawn.map((v) => `  ${ids.get(v)} [${styleOf(v, outputs.includes(v), options)}];`);
  const edges = drawn.flatMap((v) =>
    inputsOf(v, options)
      .filter((x) => ids.has(x))
      .map((x) => `  ${ids.get(x)} -> ${ids.get(v)};`),
  );
  const bodies = drawn.flatMap((v) =>
    bodiesOf(v).flatMap(({ parameters, results }, i) => {
      const inside = topological([...parameters, ...results]);
      const name = `${ids.get(v)}_${i}_`;
      return [
        `  subgraph cluster_${name} {`,
        `  label=${quote(`${v.op.name}, body ${i}`)};`,
        ...draw(results, inside, options, name),
        "  }",
      ];
    }),
  );
  return [...nodes, ...edges, ...bodies];
}

/** What an arrow comes from: a square has one. */
const inputsOf = (v: Value, { collapsed }: DotOptions): readonly Value[] =>
  collapsed?.get(v)?.inputs ?? (ofTwins(v) ? v.inputs.slice(1) : v.inputs);

/** What a node is called because its two inputs are one. */
const ofTwins = (v: Value): string | undefined => (v.op.kind === "elementwise" && v.inputs[0] === v.inputs[1] ? v.op.ofTwins : undefined);

/** The values that are drawn, inputs before what uses them: node `n0` is the first. */
export function drawnValues(outputs: readonly Value[], options: DotOptions = {}): Value[] {
  const all = topological(outputs, (v) => inputsOf(v, options));
  if (options.constants) return all;
  const live = new Set<Value>(outputs);
  for (const v of all)
    if (
      inputsOf(v, options).some((x) => live.has(x)) ||
      (v.op.kind === "leaf" && (v.op.source === "argument" || v.op.source === "variable"))
    )
      live.add(v);
  return all.filter((v) => live.has(v));
}

function styleOf(v: Value, output: boolean, { names, colours, collapsed, types = true }: DotOptions): string {
  const leaf = v.op.kind === "leaf";
  const name = names?.get(v);
  const operation =
    leaf && name
      ? ""
      : (collapsed?.get(v)?.name ??
        `${operationOf(v)}${v.op.kind === "leaf" && v.op.source !== "iota" ? ` ${showAttributes(v)}`.trimEnd() : ""}`);
  const label = [name, operation, types && `${v.dtype} ${showShape(v.shape)}`].filter(Boolean).join("\n");
  const colour = colours?.get(v);
  return [
    `label=${quote(label)}`,
    `shape=${leaf ? "box" : "ellipse"}`,
    ...(output ? ["peripheries=2"] : []),
    ...(colour ? ["style=filled", `fillcolor=${quote(colour)}`] : []),
  ].join(", ");
}

/** The op's name, but for those that are better known by what they are here: the product of two matrices, a square, the gradient that stops. */
export function operationOf(v: Value): string {
  if (v.op.kind === "contract" && isMatrixProduct(v.attributes as Form)) return "matmul";
  if (v.op.kind === "result") return `${v.inputs[0]!.op.name} ${(v.attributes as ResultAttributes).index}`;
  return ofTwins(v) ?? (v.op.kind === "custom" && v.inputs.length === 1 ? "stopGradient" : v.op.name);
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
