/** Graphs as text: one line per value. */
import { showShape, sizeOf } from "../core/shape.ts";
import { bodiesOf } from "./body.ts";
import type { ConstantAttributes, Value } from "./op.ts";
import { topological } from "./walk.ts";

export interface PrintOptions {
  /** Values that stand before all that only others need. */
  readonly first?: readonly Value[];
  /** Names for a person, behind the lines of the values that have one. */
  readonly names?: ReadonlyMap<Value, string>;
  /** Which part of the whole a value belongs to: a line with its name stands where another part begins. */
  readonly part?: (v: Value) => string;
}

/** Lines such as `%3 = mul %1 %2 : float32 [2, 3]`, numbered in the order of evaluation, and the outputs at the end. */
export function printGraph(outputs: readonly Value[], { first = [], names, part }: PrintOptions = {}): string {
  const numbers = new Map<Value, number>();
  let last: string | undefined;
  const lines = topological([...first, ...outputs]).flatMap((v) => {
    numbers.set(v, numbers.size);
    const now = part?.(v);
    const heading = now === last ? [] : [`── ${now}`];
    last = now;
    const name = names?.get(v);
    const inputs = v.inputs.map((x) => `%${numbers.get(x)}`);
    const site = v.site?.toString();
    const line = `%${numbers.get(v)} = ${[v.op.name, ...inputs, showAttributes(v)].filter((part) => part !== "").join(" ")} : ${v.dtype} ${showShape(v.shape)}${name && !showAttributes(v).includes(JSON.stringify(name)) ? `   ${name}` : ""}${site ? `   ${site}` : ""}`;
    return [...heading, line, ...printBodies(v)];
  });
  return [...lines, `return ${outputs.map((v) => `%${numbers.get(v)}`).join(" ")}`].join("\n");
}

/** The bodies of a node, each numbered for itself, its parameters first. */
const printBodies = (v: Value): string[] =>
  bodiesOf(v).flatMap(({ parameters, results }, i) => [
    `  body ${i}`,
    ...printGraph(results, { first: parameters })
      .split("\n")
      .map((line) => `  │ ${line}`),
  ]);

/** An attribute list such as `{axes: [0, 1]}`; constants by their numbers, as far as they are few. */
export function showAttributes(v: Value): string {
  if (v.attributes === undefined) return "";
  if (v.op.kind === "leaf") return showLeaf(v);
  if (v.op.kind === "custom") return "";
  const { op } = v;
  const parts = Object.entries(v.attributes as object).flatMap(([key, value]) =>
    op.inType?.includes(key) || value === bodiesOf(v) ? [] : [`${key}: ${show(value)}`],
  );
  return parts.length === 0 ? "" : `{${parts.join(", ")}}`;
}

function showLeaf(v: Value): string {
  const { data, index, axis, cell } = v.attributes as Partial<ConstantAttributes> & {
    index?: number;
    axis?: number;
    cell?: { name?: unknown };
  };
  if (data)
    return sizeOf(v.shape) <= 4
      ? v.shape.length === 0
        ? String(data[0])
        : `[${Array.from(data).join(", ")}]`
      : `[${Array.from(data.subarray(0, 3)).join(", ")}, …]`;
  if (index !== undefined) return String(index);
  if (axis !== undefined) return `{axis: ${axis}}`;
  return typeof cell?.name === "string" ? JSON.stringify(cell.name) : "";
}

function show(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(show).join(", ")}]`;
  if (value !== null && typeof value === "object")
    return `{${Object.entries(value)
      .map(([key, inner]) => `${key}: ${show(inner)}`)
      .join(", ")}}`;
  return String(value);
}
