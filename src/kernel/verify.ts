/**
 * Whether a schedule is what it promises: accesses within their buffers for all points of a kernel's domain, nothing read before it is
 * written, one writer for each buffer, stores that do not meet, types that agree, nothing written to variables before the commit.
 * Tests verify every program that they compile; `explain` verifies what it prints.
 */
import { bytesOf } from "../core/dtype.ts";
import { InternalError } from "../core/errors.ts";
import { sizeOf } from "../core/shape.ts";
import { clipped } from "./bounds.ts";
import { reachOf } from "./clip.ts";
import { type Access, accessKey, accessOf, boundsOf, type Expr, type Load, type LoadAt, nodesBelow } from "./expr.ts";
import { type Kernel, nodesOf, type Operand, type Product, type Rows, type Serial } from "./kernel.ts";
import { printKernel } from "./print-kernels.ts";
import type { Schedule, ScheduleStep } from "./schedule.ts";
import { axesOf, type Range, rangeOf, typeFault } from "./verify-expressions.ts";

/** Errors: an InternalError that says what is wrong, with the kernel as text. */
export function verifyKernels(schedule: Schedule): void {
  const verifier = new Verifier(schedule);
  schedule.steps.forEach((step, i) => verifier.step(step, i));
  verifier.end();
}

/** What is asked of a kernel again and again: its nodes, operands first, where it reads and writes, and its checks. */
interface Facts {
  readonly nodes: readonly Expr[];
  readonly reads: readonly Access[];
  readonly writes: readonly Access[];
  readonly checks: readonly number[];
}

function factsOf(k: Kernel): Facts {
  if (k.kind === "serial") return { nodes: [], reads: k.reads, writes: [k.write], checks: k.check === undefined ? [] : [k.check] };
  const nodes = nodesOf(k);
  const loads = nodes.flatMap((e) => accessOf(e) ?? []);
  const reads = k.kind === "rows" ? loads : [...loads, { ...k.a, strides: [] }, { ...k.b, strides: [] }];
  const guards = k.kind === "rows" ? k.guards.map((g) => g.check) : [];
  return {
    nodes,
    reads,
    writes: k.stores.map((s) => s.to),
    checks: [...guards, ...nodes.flatMap((e) => (e.op === "inRange" ? [e.check] : []))],
  };
}

class Verifier {
  private readonly schedule: Schedule;
  /** How many elements of a buffer have been written, by which step, and the range of its whole numbers. */
  private readonly written = new Map<number, number>();
  private readonly writers = new Map<number, number>();
  private readonly ranges = new Map<number, Range | undefined>();
  private readonly read = new Set<number>();
  private readonly facts: ReadonlyMap<Kernel, Facts>;
  private readonly fallible: boolean;
  private commits = 0;

  constructor(schedule: Schedule) {
    this.schedule = schedule;
    this.facts = new Map(schedule.steps.flatMap((s) => (s.do === "kernels" ? s.kernels.map((k) => [k, factsOf(k)] as const) : [])));
    this.fallible = [...this.facts.values()].some((f) => f.checks.length > 0);
  }

  step(step: ScheduleStep, i: number): void {
    if (step.do === "commit") this.commits++;
    else for (const kernel of step.kernels) this.kernel(kernel, i);
  }

  end(): void {
    if (this.commits !== (this.fallible ? 1 : 0))
      throw new InternalError(`there are ${this.commits} commits where ${this.fallible ? "a check can fail" : "no check can fail"}`);
    // Kernels of values without elements are left out, and so perhaps the readers of others.
    const some = this.schedule.buffers.every((b) => b.bytes > 0);
    for (const { id, place, bytes } of this.schedule.buffers) {
      if (place === "output" && bytes > 0) this.needWhole(id, () => new InternalError(`the output ${id} is not written, or not all of it`));
      if (some && place === "scratch" && this.written.has(id) && !this.read.has(id))
        throw new InternalError(`scratch ${id} is written and never read`);
    }
  }

  private kernel(kernel: Kernel, step: number): void {
    const bad = (why: string): InternalError =>
      new InternalError(`step ${step} is broken: ${why}`, { why: printKernel(kernel, this.schedule.buffers) });
    const facts = this.facts.get(kernel)!;
    for (const { buffer } of [...facts.reads, ...facts.writes])
      if (!this.schedule.buffers[buffer]) throw bad(`there is no buffer ${buffer}`);
    for (const b of new Set(facts.reads.map((a) => a.buffer))) {
      this.read.add(b);
      this.needWhole(b, () => bad(`it reads buffer ${b} before all of it is written`));
    }
    this.commit(facts, bad);
    for (const b of new Set(facts.writes.map((a) => a.buffer))) {
      const other = this.writers.get(b);
      if (other !== undefined && other !== step) throw bad(`step ${other} writes buffer ${b} too`);
      if (["argument", "constant"].includes(this.schedule.buffers[b]!.place))
        throw bad(`it writes into the ${this.schedule.buffers[b]!.place} ${b}`);
      this.writers.set(b, step);
    }
    if (kernel.kind === "serial") this.serial(kernel, bad);
    else this.body(kernel, facts.nodes, bad);
  }

  private needWhole(buffer: number, error: () => InternalError): void {
    const { place } = this.schedule.buffers[buffer]!;
    if (place !== "scratch" && place !== "output") return;
    if ((this.written.get(buffer) ?? 0) < this.elements(buffer)) throw error();
  }

  private commit({ checks, writes }: Facts, bad: Bad): void {
    if (this.commits > 0 && checks.length > 0) throw bad("it can fail after the commit");
    for (const check of checks) if (!this.schedule.checks[check]) throw bad(`there is no check ${check}`);
    const variables = writes.some((a) => this.schedule.buffers[a.buffer]!.place === "variable");
    if (variables && this.fallible && this.commits === 0) throw bad("it writes a variable before the commit");
  }

  private elements(buffer: number): number {
    const { bytes, dtype } = this.schedule.buffers[buffer]!;
    return bytes / bytesOf(dtype);
  }

  private wrote(buffer: number, elements: number): void {
    this.written.set(buffer, (this.written.get(buffer) ?? 0) + elements);
  }

  private serial(kernel: Serial, bad: Bad): void {
    kernel.reads.forEach(({ buffer, offset }, i) => {
      if (offset + sizeOf(kernel.shapes[i]!) > this.elements(buffer)) throw bad(`it reads outside buffer ${buffer}`);
    });
    this.wrote(kernel.write.buffer, this.elements(kernel.write.buffer));
  }

  // ---- kernels with expressions

  private body(kernel: Rows | Product, nodes: readonly Expr[], bad: Bad): void {
    const sizes = kernel.kind === "rows" ? [...kernel.outer, ...kernel.inner] : [...kernel.batch, kernel.m, kernel.n];
    const outer = kernel.kind === "rows" ? kernel.outer.length : sizes.length;
    if (!sizes.every((n) => Number.isInteger(n) && n >= 0)) throw bad("its domain has a size that is no whole number");
    if (kernel.kind === "product") this.operands(kernel, bad);
    this.nodes(kernel, nodes, { sizes, outer }, bad);
    const axes = axesOf(nodes);
    if (kernel.kind === "rows")
      for (const g of kernel.guards)
        if ([...axes.get(g.bad)!].some((a) => a >= outer)) throw bad("a guard depends on an axis of a reduction");
    this.ownReads(kernel, nodes, bad);
    const once = new Set<number>();
    for (const { to, value } of kernel.stores) {
      if (once.has(to.buffer)) throw bad(`it stores to buffer ${to.buffer} twice`);
      once.add(to.buffer);
      if (to.strides.length !== sizes.length) throw bad(`a store has ${to.strides.length} strides over ${sizes.length} axes`);
      const over = sizes.map((_, a) => a).filter((a) => a < outer || to.strides[a] !== 0 || axes.get(value)!.has(a));
      if (value.dtype !== this.schedule.buffers[to.buffer]!.dtype)
        throw bad(`it stores ${value.dtype} into ${this.schedule.buffers[to.buffer]!.dtype}`);
      this.within(to, sizes, undefined, bad);
      if (collides(to, sizes, over)) throw bad(`two points of its domain store to the same element of buffer ${to.buffer}`);
      this.wrote(to.buffer, over.reduce((n, a) => n * sizes[a]!, 1)); // biome-ignore format: one call
    }
  }

  /** Types, axes and bounds of every node, and the ranges of what is stored. */
  private nodes(
    kernel: Rows | Product,
    nodes: readonly Expr[],
    { sizes, outer }: { sizes: readonly number[]; outer: number },
    bad: Bad,
  ): void {
    const ranges = new Map<Expr, Range | undefined>();
    for (const e of nodes) {
      const fault = typeFault(e, (b) => this.schedule.buffers[b]!.dtype);
      if (fault) throw bad(fault);
      if (e.op === "index" && !(e.axis >= 0 && e.axis < sizes.length)) throw bad(`it asks for the position along axis ${e.axis}`);
      if (e.op === "accumulator" && (kernel.kind !== "product" || e.dtype !== kernel.dtype))
        throw bad("its accumulator is none, or of another type");
      if (
        e.op === "reduce" &&
        !(e.over.length > 0 && new Set(e.over).size === e.over.length && e.over.every((a) => a >= outer && a < sizes.length))
      )
        throw bad(`it reduces over the axes ${e.over}, of which ${outer} … ${sizes.length - 1} are for that`);
      ranges.set(e, e.op === "load" || e.op === "loadAt" ? this.rangeRead(e) : rangeOf(e, sizes, (x) => ranges.get(x)));
      for (const b of boundsOf(e))
        if (b.strides.length !== sizes.length) throw bad(`a bound has ${b.strides.length} strides over ${sizes.length} axes`);
      if (e.op === "load" || e.op === "loadAt") {
        if (e.from.strides.length !== sizes.length) throw bad(`a read has ${e.from.strides.length} strides over ${sizes.length} axes`);
        const at = e.op === "loadAt" ? ranges.get(e.at) : undefined;
        if (e.op === "loadAt" && !at) throw bad(`nothing says that a position in buffer ${e.from.buffer} is inside it`);
        const read = clipped(e.from, sizes, boundsOf(e));
        if (read) this.within(read.access, read.sizes, e.op === "loadAt" ? { range: at!, stride: e.stride } : undefined, bad);
      }
    }
    for (const { to, value } of kernel.stores)
      this.ranges.set(to.buffer, spanned(this.ranges.get(to.buffer), ranges.get(value), this.written.has(to.buffer)));
  }

  /** The whole numbers that a read may give: where it is not read, what stands for it. */
  private rangeRead(e: Load | LoadAt): Range | undefined {
    const range = this.ranges.get(e.from.buffer);
    if (e.op === "loadAt" || !e.within) return range;
    return e.otherwise === undefined ? undefined : spanned(range, { low: e.otherwise, high: e.otherwise }, true);
  }

  /** An element may be read and written by one kernel only where it is the same element. */
  private ownReads(kernel: Rows | Product, nodes: readonly Expr[], bad: Bad): void {
    const stores = new Map(kernel.stores.map((s) => [s.to.buffer, accessKey(s.to)]));
    if (nodes.every((e) => !stores.has(accessOf(e)?.buffer ?? -1)) && kernel.kind === "rows") return;
    const reduced = new Set(nodesBelow(nodes.filter((e) => e.op === "reduce")));
    for (const e of nodes) {
      if (e.op !== "load" && e.op !== "loadAt") continue;
      const own = stores.get(e.from.buffer);
      if (own !== undefined && (e.op === "loadAt" || own !== accessKey(e.from) || reduced.has(e)))
        throw bad(`it reads other elements of buffer ${e.from.buffer} than the one it writes`);
    }
    if (kernel.kind === "product" && (stores.has(kernel.a.buffer) || stores.has(kernel.b.buffer)))
      throw bad("it writes into its own operand");
  }

  private operands(p: Product, bad: Bad): void {
    const { dtype, batch, m, n, k, clips } = p;
    if (!k.every((size) => Number.isInteger(size) && size >= 0)) throw bad("it sums over a size that is no whole number");
    for (const c of clips) {
      if (!(c.k >= 0 && c.k < k.length)) throw bad(`it clips axis ${c.k} of a sum over ${k.length}`);
      if (c.strides.length !== batch.length + 2) throw bad(`a clip has ${c.strides.length} strides over ${batch.length + 2} axes`);
      const whole = [c.run, c.step, c.offset, c.bound, ...c.strides].every(Number.isInteger);
      if (!whole || c.run < 1 || c.step === 0 || c.bound < 0) throw bad(`a clip counts ${c.step} · ⌊t/${c.run}⌋ below ${c.bound}`);
    }
    const check = (o: Operand, row: "m" | "n"): void => {
      if (this.schedule.buffers[o.buffer]!.dtype !== dtype) throw bad(`an operand is ${this.schedule.buffers[o.buffer]!.dtype}`);
      if (o.batchStrides.length !== batch.length)
        throw bad(`an operand has ${o.batchStrides.length} strides over ${batch.length} axes of the batch`);
      if (o.depthStrides.length !== k.length) throw bad(`an operand has ${o.depthStrides.length} strides over ${k.length} axes of the sum`);
      if ([...batch, m, n, ...k].includes(0)) return;
      const reach = reachOf(p, o, row);
      if (reach) this.inside(o.buffer, reach, bad);
    };
    check(p.a, "m");
    check(p.b, "n");
  }

  private within(a: Access, sizes: readonly number[], more: { range: Range; stride: number } | undefined, bad: Bad): void {
    // Of an axis without elements no index is in range: the check fails, and what is read counts for nothing.
    if (sizes.includes(0) || (more && more.range.high < more.range.low)) return;
    let [low, high] = [a.offset, a.offset];
    const add = (x: number, y: number): void => {
      low += Math.min(x, y);
      high += Math.max(x, y);
    };
    a.strides.forEach((s, axis) => add(0, s * (sizes[axis]! - 1)));
    if (more) add(more.range.low * more.stride, more.range.high * more.stride);
    this.inside(a.buffer, { low, high }, bad);
  }

  private inside(buffer: number, { low, high }: Range, bad: Bad): void {
    if (low < 0 || high >= this.elements(buffer))
      throw bad(`it reaches the elements ${low} … ${high} of buffer ${buffer}, which has ${this.elements(buffer)}`);
  }
}

type Bad = (why: string) => InternalError;

/** What a buffer holds when more is written into it. */
const spanned = (before: Range | undefined, now: Range | undefined, written: boolean): Range | undefined =>
  !written ? now : before && now && { low: Math.min(before.low, now.low), high: Math.max(before.high, now.high) };

/** Whether two points of a domain may be stored to one element: steps must be longer than all shorter ones together reach. */
function collides({ strides }: Access, sizes: readonly number[], over: readonly number[]): boolean {
  const steps = over.filter((a) => sizes[a]! > 1).map((a) => [Math.abs(strides[a]!), sizes[a]! - 1] as const);
  let reach = 0;
  for (const [step, times] of steps.toSorted(([a], [b]) => a - b)) {
    if (step <= reach) return true;
    reach += step * times;
  }
  return false;
}
