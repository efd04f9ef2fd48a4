/** What computes tensors outside `compile`: graphs of one structure share one program, whatever numbers are in them. */
import { arrayOf, type TypedArray } from "../core/dtype.ts";
import { GradusError, MemoryError } from "../core/errors.ts";
import { sizeOf } from "../core/shape.ts";
import { pause } from "../core/yield.ts";
import type { ConstantAttributes } from "../graph/op.ts";
import { type Device, HostStorage, type RealiseOptions, type Runtime, realisedStorage, tapsOf } from "../tensor/context.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { defaultDevice, runnerFor } from "./engine.ts";
import { Executable } from "./executable.ts";
import { InterpreterRuntime } from "./interpreter-runtime.ts";
import { OpenGraph } from "./open-graph.ts";
import { type Part, runParts } from "./parts.ts";

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
    const results = runParts(graph, (part) => this.programFor(part, runner));
    for (const x of graph.kept) x.keep(results.get(x.recipe())!);
    for (const { taps, shape, value } of graph.taps) {
      const elements = results.get(value)!.read() as TypedArray;
      for (const tap of taps) tap.report(elements, shape);
    }
    this.trim();
  }

  private programFor(part: Part, runner: "wasm" | "native"): Executable {
    const key = `${runner}\n${part.key}`;
    const program = this.programs.get(key) ?? this.make(part, runner);
    // The last one used is the last one to go.
    this.programs.delete(key);
    this.programs.set(key, program);
    return program;
  }

  private make(part: Part, runner: "wasm" | "native"): Executable {
    this.made++;
    const build = (): Executable => new Executable(runnerFor(runner), { outputs: part.build(), assignments: [], guards: [] });
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
