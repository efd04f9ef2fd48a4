/** Kernels as text a person can read: domain, accesses with their strides, and what each store writes. */
import { showShape } from "../core/shape.ts";
import { type Access, type Bound, type Expr, nodesBelow, operands } from "./expr.ts";
import type { Clip, Guard, Kernel, Operand, Product, Rows, Serial, Store } from "./kernel.ts";
import { bufferName } from "./print.ts";
import type { Buffer } from "./program.ts";
import type { Schedule } from "./schedule.ts";
import { shared } from "./share.ts";

/** The kernels of a schedule in order, numbered by their step, and the commit where it stands. */
export function printKernels({ buffers, steps }: Schedule): string {
  return steps
    .map((step, i) => {
      if (step.do === "commit") return "── commit";
      return step.kernels.map((kernel) => `${i} ${step.label}: ${printKernel(kernel, buffers)}`).join("\n");
    })
    .join("\n");
}

/** One kernel: a line for its domain, then one for each operand, shared value, guard and store. */
export function printKernel(kernel: Kernel, buffers: readonly Buffer[]): string {
  const p = new KernelPrinter(axisNames(kernel), buffers);
  const lines =
    kernel.kind === "rows" ? rowsLines(kernel, p) : kernel.kind === "product" ? productLines(kernel, p) : serialLines(kernel, p);
  return lines.join("\n    ");
}

/** i0, i1 … for independent axes, r0, r1 … for those of reductions; of a product b0, b1 … for its batch, m, n and k (k0, k1 … if it has several). */
function axisNames(kernel: Kernel): string[] {
  switch (kernel.kind) {
    case "rows":
      return [...kernel.outer.map((_, a) => `i${a}`), ...kernel.inner.map((_, a) => `r${a}`)];
    case "product":
      return [...kernel.batch.map((_, a) => `b${a}`), "m", "n", ...(kernel.k.length === 1 ? ["k"] : kernel.k.map((_, a) => `k${a}`))];
    case "serial":
      return [];
  }
}

function rowsLines({ outer, inner, stores, guards }: Rows, p: KernelPrinter): string[] {
  const sizes = [...outer, ...inner].map((n, a) => `${p.axes[a]}<${n}`);
  const within = inner.length > 0 ? `, within ${sizes.slice(outer.length).join(" ")}` : "";
  return [`rows ${sizes.slice(0, outer.length).join(" ") || "of one"}${within}`, ...p.body(stores, guards)];
}

function productLines({ dtype, batch, m, n, k, a, b, clips, stores }: Product, p: KernelPrinter): string[] {
  const operand = (o: Operand, row: "m" | "n"): string => {
    const [rowStride, columnStride] = row === "m" ? [o.rowStride, 0] : [0, o.rowStride];
    return p.access({ buffer: o.buffer, offset: o.offset, strides: [...o.batchStrides, rowStride, columnStride, ...o.depthStrides] });
  };
  const batches = batch.map((size, d) => `${p.axes[d]}<${size} `).join("");
  const depths = k.map((size, d) => `${p.axes[batch.length + 2 + d]}<${size}`).join(" ");
  return [
    `product of ${dtype} ${batches}m<${m} n<${n} ${depths}`,
    `c = Σk ${operand(a, "m")} · ${operand(b, "n")}`,
    ...clips.map((c) => clipLine(c, batch.length + 2, p.axes)),
    ...p.body(stores),
  ];
}

function clipLine({ k, run, step, strides, offset, bound }: Clip, rank: number, axes: readonly string[]): string {
  const name = axes[rank + k];
  const position = sumOf(offset, [...strides.map((s, a) => term(s, axes[a]!)), term(step, run === 1 ? name! : `⌊${name}/${run}⌋`)]);
  return `where 0 ≤ ${position} < ${bound}`;
}

const term = (factor: number, name: string): string => (factor === 0 ? "" : factor === 1 ? name : `${factor}·${name}`);

function sumOf(offset: number, terms: readonly string[]): string {
  const all = terms.filter((t) => t !== "");
  if (offset !== 0 || all.length === 0) all.unshift(String(offset));
  return all.join(" + ").replaceAll("+ -", "− ");
}

function serialLines({ template, attributes, reads, shapes, write }: Serial, p: KernelPrinter): string[] {
  const how = Object.entries((attributes as object | undefined) ?? {}).map(([name, value]) => ` ${name} ${JSON.stringify(value)}`);
  const place = (a: Access): string => `${p.name(a.buffer)}${a.offset === 0 ? "" : ` from ${a.offset}`}`;
  return [
    `serial ${template.name}${how.join("")}`,
    `${place(write)} ← ${reads.map((a, i) => `${place(a)} ${showShape(shapes[i]!)}`).join(", ")}`,
  ];
}

const INFIX: Readonly<Record<string, string>> = { add: "+", sub: "−", mul: "·", div: "/", lt: "<", le: "≤", eq: "=", ne: "≠" };

class KernelPrinter {
  readonly axes: readonly string[];
  private readonly buffers: readonly Buffer[];
  private readonly names = new Map<Expr, string>();

  constructor(axes: readonly string[], buffers: readonly Buffer[]) {
    this.axes = axes;
    this.buffers = buffers;
  }

  /** Shared values, guards, stores. */
  body(stores: readonly Store[], guards: readonly Guard[] = []): string[] {
    const roots = shared([...stores.map((s) => s.value), ...guards.map((g) => g.bad)]);
    return [
      ...this.nameShared(roots),
      ...guards.map(({ check }, i) => `check ${check} fails where ${this.expr(roots[stores.length + i]!)}`),
      ...stores.map(({ to }, i) => `${this.access(to)} ← ${this.expr(roots[i]!)}`),
    ];
  }

  /** Gives names to what is used more than once; a line for each. */
  private nameShared(roots: readonly Expr[]): string[] {
    const uses = new Map<Expr, number>();
    const nodes = nodesBelow(roots);
    for (const x of [...nodes.flatMap(operands), ...roots]) uses.set(x, (uses.get(x) ?? 0) + 1);
    return nodes.flatMap((e) => {
      if ((uses.get(e) ?? 0) < 2 || (operands(e).length === 0 && e.op !== "load")) return [];
      const line = `t${this.names.size} = ${this.expr(e)}`;
      this.names.set(e, `t${this.names.size}`);
      return [line];
    });
  }

  name(buffer: number): string {
    const known = this.buffers[buffer];
    return known ? bufferName(known) : `(no buffer ${buffer})`;
  }

  access({ buffer, offset, strides }: Access, more?: string): string {
    const terms = strides.map((s, a) => term(s, this.axes[a]!));
    return `${this.name(buffer)}[${sumOf(offset, [...terms, more ?? ""])}]`;
  }

  private bounds(within: readonly Bound[]): string {
    return within.map(({ offset, strides, size }) => `0 ≤ ${sumOf(offset, strides.map((s, a) => term(s, this.axes[a]!)))} < ${size}`).join(" and "); // biome-ignore format: one chain
  }

  expr(e: Expr): string {
    const known = this.names.get(e);
    if (known !== undefined) return known;
    switch (e.op) {
      case "const":
        return Object.is(e.value, -0) ? "-0" : String(e.value);
      case "index":
        return this.axes[e.axis] ?? `axis ${e.axis}`;
      case "accumulator":
        return "c";
      case "parameter":
        return `parameter ${e.index}`;
      case "load":
        return e.within ? `(${this.bounds(e.within)} ? ${this.access(e.from)} : ${e.otherwise ?? "anything"})` : this.access(e.from);
      case "inside":
        return `(${this.bounds(e.within)})`;
      case "loadAt":
        return this.access(e.from, `${e.stride === 1 ? "" : `${e.stride}·`}${this.expr(e.at)}`);
      case "inRange":
        return `inRange(${this.expr(e.of)}, ${e.bound}${e.fromEnd ? ", from the end" : ""}, check ${e.check})`;
      case "reduce":
        return `${e.combine}(${e.over.map((a) => this.axes[a]).join(" ")}: ${this.expr(e.of)})`;
      default:
        return this.operation(e);
    }
  }

  private operation(e: Extract<Expr, { args: readonly Expr[] }>): string {
    const { args, dtype } = e;
    const op = e.op === "call" ? e.callee.name : e.op;
    const parts = args.map((x) => this.expr(x));
    const sign = INFIX[op];
    if (sign) return `(${parts[0]} ${sign} ${parts[1]})`;
    return `${op === "cast" || op === "bitcast" ? `${op} ${dtype}` : op}(${parts.join(", ")})`;
  }
}
