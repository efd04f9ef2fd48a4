/** What computes tensors outside `compile`: graphs of one structure share one program, whatever numbers are in them. */
import { arrayOf, type TypedArray } from "../core/dtype.ts";
import { GradusError, GraphError, MemoryError, OutOfRangeError, show } from "../core/errors.ts";
import { sizeOf } from "../core/shape.ts";
import { pause } from "../core/yield.ts";
import { apply, type ConstantAttributes, type OpBase, type Value } from "../graph/op.ts";
import { argument } from "../ops/index.ts";
import {
  type Device,
  HostStorage,
  holderOf,
  type RealiseOptions,
  type Runtime,
  realisedStorage,
  type Storage,
  type Tap,
  tapsOf,
} from "../tensor/context.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { defaultDevice, runnerFor } from "./engine.ts";
import { Executable, type Feed } from "./executable.ts";
import { InterpreterRuntime } from "./interpreter-runtime.ts";
import { assignedIn, type Step, stepOf } from "./pending.ts";

/** Programs kept for graphs that may come again. */
const KEPT = 256;

/** Layers of assignments that are computed in one program: a step has two or three, as when an average follows the parameters. */
const MOST_LAYERS = 4;

export class ProgramRuntime implements Runtime {
  private readonly programs = new Map<string, Executable>();
  private readonly interpreter = new InterpreterRuntime();

  /** How many programs were made so far. */
  made = 0;
  private readonly most: number;

  constructor(most = KEPT) {
    this.most = most;
  }

  /** How many programs are kept. */
  get kept(): number {
    return this.programs.size;
  }

  async realise(tensors: readonly Tensor[], { device = defaultDevice() }: RealiseOptions = {}): Promise<TypedArray[]> {
    if (device === "interpreter") return this.interpreter.realise(tensors);
    this.realiseNow(tensors, device);
    await pause();
    return Promise.all(tensors.map((x) => x.storage!.read()));
  }

  /** Computes and keeps, without waiting. Eager graphs run on wasm, which compiles in a millisecond, unless native is asked for. */
  realiseNow(tensors: readonly Tensor[], device: Device = defaultDevice()): void {
    if (device === "interpreter") {
      this.interpreter.realiseNow(tensors);
      return;
    }
    for (const x of tensors) if (!x.storage) keepKnown(x);
    const open = tensors.filter((x) => !x.storage);
    if (open.length === 0) return;
    const runner = device === "native" ? "native" : "wasm";
    const graph = new OpenGraph(open, { along: true });
    try {
      this.runInLayers(graph, open, runner);
    } catch (error) {
      // What was only computed along must not hurt those who did not ask for it.
      if (!graph.hasMore || !(error instanceof GradusError)) throw error;
      graph.separate();
      const left = open.filter((x) => !x.storage);
      if (left.length > 0) this.runInLayers(new OpenGraph(left), left, runner);
    }
  }

  /** A few assignments that wait on each other are one program; many are one for each layer: all of the same structure, where a loop made them. */
  private runInLayers(graph: OpenGraph, asked: readonly Tensor[], runner: "wasm" | "native"): void {
    if (graph.layers.length <= MOST_LAYERS) {
      this.run(graph, runner);
      return;
    }
    for (const layer of graph.layers) this.run(new OpenGraph(layer), runner);
    const left = asked.filter((x) => !x.storage);
    if (left.length > 0) this.run(new OpenGraph(left), runner);
  }

  private run(graph: OpenGraph, runner: "wasm" | "native"): void {
    const key = `${runner}\n${graph.key}`;
    let program = this.programs.get(key);
    if (program) this.programs.delete(key);
    else program = this.make(graph, runner);
    this.programs.set(key, program);
    const results = graph.run(program);
    graph.kept.forEach((x, i) => {
      x.keep(results[i]!);
    });
    graph.taps.forEach((told, i) => {
      const elements = results[graph.kept.length + i]!.read() as TypedArray;
      for (const tap of told.taps) tap.report(elements, told.shape);
    });
    this.trim();
  }

  private make(graph: OpenGraph, runner: "wasm" | "native"): Executable {
    this.made++;
    const build = (): Executable =>
      new Executable(runnerFor(runner), { outputs: graph.build(), assignments: [], guards: [], sites: false });
    try {
      return build();
    } catch (error) {
      if (!(error instanceof MemoryError)) throw error;
      this.clear();
      return build();
    }
  }

  private trim(): void {
    for (const [key, program] of this.programs) {
      if (this.programs.size <= this.most) return;
      this.programs.delete(key);
      program.dispose();
    }
  }

  /** Gives the memory of all kept programs back. */
  clear(): void {
    for (const program of this.programs.values()) program.dispose();
    this.programs.clear();
  }
}

/** What needs no program: a value that was computed for another tensor, or one number everywhere. */
function keepKnown(x: Tensor): void {
  const known = realisedStorage(x.recipe());
  if (known) x.keep(known);
  else keepFilled(x);
}

/** More elements than this are left to the heap, whose errors say what does not fit. */
const MOST_FILLED = 2 ** 26;

/** One number everywhere (zeros, ones, full) needs no program: a move only says where elements are read, and here all are the same. */
function keepFilled(x: Tensor): void {
  let v = x.recipe();
  while (v.op.kind === "move" && tapsOf(v).length === 0) v = v.inputs[0]!;
  const size = sizeOf(x.shape);
  if (v.op.kind !== "leaf" || v.op.source !== "constant" || sizeOf(v.shape) !== 1 || tapsOf(v).length > 0 || size > MOST_FILLED) return;
  const elements = arrayOf(x.dtype, size);
  elements.fill((v.attributes as ConstantAttributes).data[0]!);
  x.keep(new HostStorage(elements));
}

/** The part of a graph that is not computed yet, with its structure as text. */
class OpenGraph {
  /** Tensors that get a result each: those asked for, and cells' contents on the way. */
  readonly kept: Tensor[] = [];
  /** Cells' contents by how many of them, one reading the other, lie below each. */
  readonly layers: Tensor[][] = [];
  /** Whether more is computed than what was asked for needs. */
  hasMore = false;
  readonly taps: { readonly taps: readonly Tap[]; readonly shape: readonly number[]; readonly value: Value }[] = [];
  readonly feeds: Feed[] = [];
  readonly key: string;
  private readonly order: Value[] = [];
  private readonly number = new Map<Value, number>();
  private readonly inputOf = new Map<Value, number>();
  private readonly storages = new Map<Storage, number>();
  private readonly keeping = new Set<Tensor>();
  private readonly layerOf = new Map<Value, number>();
  private readonly steps = new Set<Step>();
  private readonly along: boolean;

  /** `along`: with what cells get from the same work. */
  constructor(tensors: readonly Tensor[], { along = false }: { along?: boolean } = {}) {
    this.along = along;
    for (const x of tensors) this.keep(x);
    // Contents of cells that were met are kept too: the list grows while it is walked.
    for (let i = 0; i < this.kept.length; i++) this.visit(this.kept[i]!.recipe());
    const asked = new Set(tensors);
    for (const x of this.kept) if (x.isHeld || !asked.has(x)) (this.layers[this.layerOf.get(x.recipe())!] ??= []).push(x);
    const lines = this.order.map((v) => this.line(v));
    const outputs = this.roots().map((v) => this.number.get(v)!);
    this.key = `${lines.join("\n")}\n→ ${outputs.join()}`;
  }

  private keep(x: Tensor): void {
    if (this.keeping.has(x)) return;
    this.keeping.add(x);
    this.kept.push(x);
  }

  private roots(): Value[] {
    return [...this.kept.map((x) => x.recipe()), ...this.taps.map((t) => t.value)];
  }

  /** What a value is computed from: nothing for inputs; a cell without numbers stands for what it is to hold. */
  private sources(v: Value): readonly Value[] {
    if (this.inputOf.has(v)) return [];
    const holder = holderOf(v);
    if (holder) return [holder.content().recipe()];
    return v.op.kind === "custom" ? v.inputs.slice(0, 1) : v.inputs;
  }

  private visit(root: Value): void {
    const stack: Value[] = [root];
    while (stack.length > 0) {
      const v = stack.at(-1)!;
      if (this.number.has(v)) {
        stack.pop();
        continue;
      }
      this.classify(v);
      const waiting = this.sources(v).filter((x) => !this.number.has(x));
      if (waiting.length > 0) {
        for (const x of waiting) stack.push(x);
        continue;
      }
      stack.pop();
      this.number.set(v, this.order.length);
      this.order.push(v);
      this.layerOf.set(v, this.layer(v));
      if (this.along && !this.inputOf.has(v)) this.keepAlong(v);
      const taps = this.inputOf.has(v) ? [] : tapsOf(v);
      if (taps.length > 0) this.taps.push({ taps, shape: v.shape, value: v });
    }
  }

  private layer(v: Value): number {
    let most = 0;
    for (const x of this.sources(v)) most = Math.max(most, this.layerOf.get(x)!);
    return holderOf(v) && !this.inputOf.has(v) ? most + 1 : most;
  }

  private keepAlong(v: Value): void {
    const step = stepOf(v);
    if (!step || this.steps.has(step)) return;
    this.steps.add(step);
    for (const x of assignedIn(step)) {
      if (this.keeping.has(x)) continue;
      this.hasMore = true;
      this.keep(x);
    }
  }

  /** From now on what was computed along waits until it is asked for itself. */
  separate(): void {
    for (const step of this.steps) step.cells.clear();
  }

  /** Notes a value as an input where its numbers are known. */
  private classify(v: Value): void {
    if (this.inputOf.has(v)) return;
    const holder = holderOf(v)?.content();
    const storage = realisedStorage(v) ?? holder?.storage;
    if (storage) this.addInput(v, storage);
    else if (holder?.recipe() === v) throw new GraphError("a placeholder has no numbers", { help: "evaluate the function that uses it" });
    else if (holder) this.keep(holder);
    else if (v.op.kind === "leaf" && v.op.source === "constant") {
      const { data, lifted } = v.attributes as ConstantAttributes;
      if (lifted || sizeOf(v.shape) !== 1) this.addInput(v, data);
    }
  }

  private addInput(v: Value, feed: Feed): void {
    let index = ArrayBuffer.isView(feed) ? undefined : this.storages.get(feed);
    if (index === undefined) {
      index = this.feeds.push(feed) - 1;
      if (!ArrayBuffer.isView(feed)) this.storages.set(feed, index);
    }
    this.inputOf.set(v, index);
  }

  private line(v: Value): string {
    const type = `${v.dtype}[${v.shape}]`;
    const input = this.inputOf.get(v);
    if (input !== undefined) return `in ${input} ${type}`;
    const from = this.sources(v).map((x) => this.number.get(x));
    return `${v.op.name} ${from} ${holderOf(v) ? "" : describe(v)} ${type}`;
  }

  /** Runs a program of this structure; an error about an index names the line of this graph. */
  run(program: Executable): Storage[] {
    try {
      return program.run(this.feeds);
    } catch (error) {
      if (!(error instanceof OutOfRangeError)) throw error;
      const culprit = this.order.find((v) => error.what.startsWith(`${(v.attributes as { label?: string } | undefined)?.label}: `));
      throw error.at(culprit?.site);
    }
  }

  /** The graph over arguments, in the order of `feeds`: the results of `kept`, then those of `taps`. */
  build(): Value[] {
    const made = new Map<Value, Value>();
    for (const v of this.order) {
      const input = this.inputOf.get(v);
      const from = this.sources(v).map((x) => made.get(x)!);
      if (input !== undefined) made.set(v, argument(input, v));
      else if (holderOf(v) || v.op.kind === "custom") made.set(v, from[0]!);
      else made.set(v, v.inputs.length === 0 ? v : apply(v.op as OpBase<any, unknown>, from, v.attributes));
    }
    return this.roots().map((v) => made.get(v)!);
  }
}

const descriptions = new WeakMap<object, string>();

/** Attributes as text; the number of a scalar constant included. */
function describe(v: Value): string {
  if (v.op.kind === "custom" || v.attributes === undefined || v.attributes === null) return "";
  if (typeof v.attributes !== "object") return String(v.attributes);
  let text = descriptions.get(v.attributes);
  if (text === undefined) {
    text = JSON.stringify(v.attributes, (_key, value) =>
      ArrayBuffer.isView(value)
        ? Array.from(value as Float64Array, show)
        : typeof value === "number" && !isPlain(value)
          ? show(value)
          : value,
    );
    descriptions.set(v.attributes, text);
  }
  return text;
}

/** Whether JSON tells this number from all others: it writes null for ±∞ and NaN, and 0 for −0. */
const isPlain = (x: number): boolean => Number.isFinite(x) && !Object.is(x, -0);
