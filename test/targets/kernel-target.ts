/**
 * A target that runs kernels as they are, in JavaScript and in float64: what docs/adding-a-target.md makes. Between the interpreter of
 * graphs and the loops, it tells whether a wrong number comes of the schedule or of the lowering.
 */
import { bytesOf, type TypedArray, viewOf } from "../../src/core/dtype.ts";
import type { Op, Serial as SerialOp } from "../../src/graph/op.ts";
import { meaningOf } from "../../src/interpret/elementwise.ts";
import { type Access, type Bound, COMBINES, type Expr, givesPosition, type Reduction } from "../../src/kernel/expr.ts";
import { type Kernel, nodesOf, type Product, type Rows, readsOf, type Serial, type Store, writesOf } from "../../src/kernel/kernel.ts";
import type { Argument, Buffer, Program, Step } from "../../src/kernel/program.ts";
import { axesOf } from "../../src/kernel/verify-expressions.ts";
import type { Target } from "../../src/lower/target.ts";
import type { ScatterAddAttributes } from "../../src/lower/templates/scatter-add.ts";
import { Heap } from "../../src/runtime/heap.ts";
import type { LoadedProgram, Status } from "../../src/runtime/runner.ts";
import { ops } from "../ops/registry.ts";
import type { GraphRunner } from "../schedule/run.ts";

/** A kernel's code is the kernel, with the buffers and checks that it names: a call says which ones they are for it. */
export interface KernelCode {
  readonly kernel: Kernel;
  readonly buffers: readonly number[];
  readonly checks: readonly number[];
}

/** Each kernel is one call. It asks for no scratch, and shares its code with those of the same structure. */
export const kernelTarget: Target<KernelCode> = {
  lower(kernel) {
    const named = (accesses: readonly Access[]): number[] => [...new Set(accesses.map((a) => a.buffer))];
    const [reads, writes] = [named(readsOf(kernel)), named(writesOf(kernel))];
    const buffers = [...new Set([...reads, ...writes])];
    const checks = checksOf(kernel);
    const code = { key: `kernel ${count++}`, module: { kernel, buffers, checks } };
    const words: Argument[] = [...buffers.map((buffer) => ({ buffer, offset: 0 })), ...checks.map((check) => ({ check }))];
    return { threadBytes: 0, calls: [{ code, arguments: words, blocks: 1, work: 1, reads, writes }] };
  },
};
let count = 0;

function checksOf(kernel: Kernel): number[] {
  if (kernel.kind === "serial") return kernel.check === undefined ? [] : [kernel.check];
  const guards = kernel.kind === "rows" ? kernel.guards.map((g) => g.check) : [];
  return [...new Set([...guards, ...nodesOf(kernel).flatMap((e) => (e.op === "inRange" ? [e.check] : []))])];
}

/** Runs the programs of that target, one step after the other. */
export class KernelRunner implements GraphRunner<KernelCode> {
  readonly target = kernelTarget;
  readonly heap = new Heap();

  load(program: Program<KernelCode>, addresses: (buffer: Buffer) => number): Pick<LoadedProgram, "run" | "dispose"> {
    const scratch = this.heap.allocate(Math.max(8, program.scratchBytes));
    return {
      run: () => {
        const memory = program.buffers.map((b) => {
          const address = b.place === "scratch" ? scratch + (b.offset ?? 0) : addresses(b);
          return viewOf(b.dtype, this.heap.memory.buffer, address, b.bytes / bytesOf(b.dtype));
        });
        return new Run(program, memory).run();
      },
      dispose: () => this.heap.free(scratch),
    };
  }

  close(): void {}
}

class Run {
  private readonly program: Program<KernelCode>;
  private readonly memory: readonly TypedArray[];
  private readonly failed = new Map<number, { position: number; value: number }>();

  constructor(program: Program<KernelCode>, memory: readonly TypedArray[]) {
    this.program = program;
    this.memory = memory;
  }

  run(): Status {
    this.steps(this.program.steps);
    const [check] = [...this.failed.keys()].sort((a, b) => a - b);
    return check === undefined ? { ok: true } : { ok: false, check, ...this.failed.get(check)! };
  }

  /** False where a commit has found a check that failed. */
  private steps(steps: readonly Step[]): boolean {
    return steps.every((step) => {
      if (step.do === "call") this.call(this.program.codes[step.code]!.module, step.arguments);
      if (step.do === "section") return this.steps(step.steps);
      return step.do !== "commit" || this.failed.size === 0;
    });
  }

  private call({ kernel, buffers, checks }: KernelCode, words: readonly Argument[]): void {
    const given = words as readonly { readonly buffer: number; readonly check: number }[];
    const memory = new Map(buffers.map((b, i) => [b, this.memory[given[i]!.buffer]!]));
    const named = new Map(checks.map((c, i) => [c, given[buffers.length + i]!.check]));
    const report = (check: number, position: number, value: number): void => {
      const before = this.failed.get(named.get(check)!);
      if (!before || position < before.position) this.failed.set(named.get(check)!, { position, value });
    };
    if (kernel.kind === "serial") runSerial(kernel, memory, report);
    else new Evaluation(kernel, memory, report).run();
  }
}

type Memory = ReadonlyMap<number, TypedArray>;
type Report = (check: number, position: number, value: number) => void;

/** Values that hold while the axes of a layer stand where they stand. */
interface Layer {
  readonly axes: ReadonlySet<number>;
  readonly values: Map<Expr, number>;
}

class Evaluation {
  private readonly kernel: Rows | Product;
  private readonly memory: Memory;
  private readonly report: Report;
  private readonly sizes: readonly number[];
  private readonly outer: readonly number[];
  private readonly axes: ReadonlyMap<Expr, ReadonlySet<number>>;
  private readonly at: number[];
  private layers: Layer[] = [];

  constructor(kernel: Rows | Product, memory: Memory, report: Report) {
    this.kernel = kernel;
    this.memory = memory;
    this.report = report;
    this.sizes = kernel.kind === "rows" ? [...kernel.outer, ...kernel.inner] : [...kernel.batch, kernel.m, kernel.n];
    const outer = kernel.kind === "rows" ? kernel.outer.length : this.sizes.length;
    this.outer = this.sizes.map((_, a) => a).slice(0, outer);
    this.axes = axesOf(nodesOf(kernel));
    this.at = this.sizes.map(() => 0);
  }

  run(): void {
    const { kernel } = this;
    this.over(this.outer, () => {
      if (kernel.kind === "rows") for (const g of kernel.guards) if (this.value(g.bad)) this.report(g.check, 0, 0);
      for (const [inner, stores] of this.byInnerAxes()) this.over(inner, () => this.store(stores));
    });
  }

  /** Stores that run over the same axes of reductions are written together. */
  private byInnerAxes(): (readonly [number[], Store[]])[] {
    const groups = new Map<string, readonly [number[], Store[]]>();
    for (const s of this.kernel.stores) {
      const inner = this.sizes.map((_, a) => a).slice(this.outer.length).filter((a) => s.to.strides[a] !== 0 || this.axes.get(s.value)!.has(a)); // biome-ignore format: one chain
      const group = groups.get(inner.join()) ?? ([inner, []] as const);
      group[1].push(s);
      groups.set(inner.join(), group);
    }
    return [...groups.values()];
  }

  private store(stores: readonly Store[]): void {
    const values = stores.map((s) => this.value(s.value));
    stores.forEach((s, i) => {
      this.memory.get(s.to.buffer)![this.element(s.to)] = values[i]!;
    });
  }

  /** `body` at every position of these axes, each with values of its own. */
  private over(axes: readonly number[], body: () => void): void {
    const before = axes.map((a) => this.at[a]!);
    const layer = { axes: new Set(axes), values: new Map<Expr, number>() };
    this.layers.push(layer);
    const walk = (d: number): void => {
      if (d === axes.length) {
        layer.values.clear();
        body();
        return;
      }
      const axis = axes[d]!;
      for (let i = 0; i < this.sizes[axis]!; i++) {
        this.at[axis] = i;
        walk(d + 1);
      }
    };
    walk(0);
    this.layers.pop();
    axes.forEach((a, i) => {
      this.at[a] = before[i]!;
    });
  }

  private element({ offset, strides }: Access): number {
    return strides.reduce((sum, s, a) => sum + s * this.at[a]!, offset);
  }

  private holds(within: readonly Bound[]): boolean {
    return within.every(({ offset, strides, size }) => {
      const at = strides.reduce((sum, s, a) => sum + s * this.at[a]!, offset);
      return at >= 0 && at < size;
    });
  }

  /** Each node once for each position of the axes that it depends on. */
  private value(e: Expr): number {
    const axes = this.axes.get(e)!;
    const layer = this.layers.findLast((l) => [...axes].some((a) => l.axes.has(a))) ?? this.layers[0]!;
    const known = layer.values.get(e);
    if (known !== undefined) return known;
    const value = this.compute(e);
    layer.values.set(e, value);
    return value;
  }

  private compute(e: Expr): number {
    switch (e.op) {
      case "const":
        return e.value;
      case "index":
        return this.at[e.axis]!;
      case "accumulator":
        return this.dot(this.kernel as Product);
      case "inside":
        return Number(this.holds(e.within));
      case "load":
        // Where it may be anything, nothing may depend on it.
        if (e.within && !this.holds(e.within)) return e.otherwise ?? Number.NaN;
        return Number(this.memory.get(e.from.buffer)![this.element(e.from)]);
      case "loadAt":
        return Number(this.memory.get(e.from.buffer)![this.element(e.from) + e.stride * this.value(e.at)]);
      case "inRange": {
        const given = this.value(e.of);
        const index = e.fromEnd && given < 0 ? given + e.bound : given;
        if (index >= 0 && index < e.bound) return index;
        this.report(e.check, this.position(e), given);
        return 0;
      }
      case "reduce":
        return this.reduce(e);
      case "repeat":
      case "parameter":
        throw new Error(`${e.op} is made by lowerings, not by the scheduler`);
      default: {
        const args = e.args.map((x) => this.value(x));
        return meaningOf(e)(args);
      }
    }
  }

  /** Row-major, over the axes it depends on. */
  private position(e: Expr): number {
    return this.sizes.reduce((sum, size, a) => (this.axes.get(e)!.has(a) ? sum * size + this.at[a]! : sum), 0);
  }

  private dot({ batch, k, a, b, clips }: Product): number {
    const [m, n] = [this.at[batch.length]!, this.at[batch.length + 1]!];
    const start = (o: Product["a"], row: number): number =>
      o.batchStrides.reduce((sum, s, d) => sum + s * this.at[d]!, o.offset + row * o.rowStride);
    const read = (o: Product["a"], element: number): number => {
      const data = this.memory.get(o.buffer)!;
      if (element < 0 || element >= data.length) throw new Error(`a product reads element ${element} of ${data.length}`);
      return Number(data[element]);
    };
    const counts = (axis: number, t: number): boolean =>
      clips.every((c) => {
        const at = c.strides.reduce((sum, s, d) => sum + s * this.at[d]!, c.offset + c.step * Math.floor(t / c.run));
        return c.k !== axis || (at >= 0 && at < c.bound);
      });
    const sum = (axis: number, x: number, y: number): number => {
      if (axis === k.length) return read(a, x) * read(b, y);
      let all = 0;
      for (let t = 0; t < k[axis]!; t++)
        if (counts(axis, t)) all += sum(axis + 1, x + t * a.depthStrides[axis]!, y + t * b.depthStrides[axis]!);
      return all;
    };
    return sum(0, start(a, m), start(b, n));
  }

  private reduce({ combine, over, of, dtype }: Reduction): number {
    const { extreme } = COMBINES[combine];
    const better = (x: number, best: number): boolean =>
      !Number.isNaN(best) && (Number.isNaN(x) || (extreme === "max" ? x > best : x < best));
    let [best, result, count] = [0, combine === "product" ? 1 : 0, 0];
    this.over(over, () => {
      const x = this.value(of);
      if (combine === "sum") result += x;
      else if (combine === "product") result = of.dtype === "int32" ? Math.imul(result, x) : result * x;
      else if (count === 0 || better(x, best)) [best, result] = [x, givesPosition(combine) ? count : x];
      count++;
    });
    return dtype === "int32" ? result | 0 : dtype === "uint32" ? result >>> 0 : result;
  }
}

/** What the op says that brought the kernel along; of a scatter, here. */
function runSerial(kernel: Serial, memory: Memory, report: Report): void {
  const inputs = kernel.reads.map(({ buffer, offset }, i) => {
    const size = kernel.shapes[i]!.reduce((n, d) => n * d, 1);
    return Float64Array.from(memory.get(buffer)!.subarray(offset, offset + size) as ArrayLike<number>);
  });
  const to = memory.get(kernel.write.buffer)!;
  if (kernel.template.name === "scatterAdd")
    return scatter(kernel.attributes as ScatterAddAttributes, inputs as [Float64Array, Float64Array], to);
  const op = (Object.values(ops) as Op[]).find((o) => o.kind === "serial" && o.template === kernel.template) as SerialOp<any, any>;
  const types = kernel.shapes.map((shape) => ({ shape, dtype: kernel.dtype }));
  const out = op.infer(types, kernel.attributes);
  try {
    to.set(op.compute(inputs, out as never, kernel.attributes) as never);
  } catch {
    report(kernel.check!, 0, 0);
  }
}

function scatter(
  { batch, count, row, bound }: ScatterAddAttributes,
  [indices, updates]: [Float64Array, Float64Array],
  to: TypedArray,
): void {
  for (let i = 0; i < batch * count; i++)
    for (let r = 0; r < row; r++) {
      const at = (Math.floor(i / count) * bound + indices[i]!) * row + r;
      to[at] = to[at]! + updates[i * row + r]!;
    }
}
