/** What computes tensors outside `compile`: graphs of one structure share one program, whatever numbers are in them. */
import { arrayOf, type TypedArray } from "../core/dtype.ts";
import { GradusError, MemoryError } from "../core/errors.ts";
import { sizeOf } from "../core/shape.ts";
import { pause } from "../core/yield.ts";
import type { ConstantAttributes } from "../graph/op.ts";
import { type Device, defaultDevice, runnerFor } from "./engine.ts";
import { Executable, type Runnable } from "./executable.ts";
import { type Holder, realisedStorage, tapsOf } from "./holder.ts";
import { InterpretedProgram } from "./interpreted.ts";
import { OpenGraph } from "./open-graph.ts";
import { type Part, runParts } from "./parts.ts";
import { depthOf, forgetDepth, MOST_WAITING } from "./pending.ts";
import { HostStorage } from "./storage.ts";

/** Programs kept for graphs that may come again. */
const KEPT = 256;

/** Layers of assignments that are computed in one program: a step has two or three, as when an average follows the parameters. */
const MOST_LAYERS = 4;

/** Where eager programs run: "auto" is wasm there, which compiles in a millisecond. */
type Where = "wasm" | "native" | "interpreter";
const whereOf = (device: Device): Where => (device === "auto" ? "wasm" : device);

/**
 * Programs by the structure of their graphs.
 *
 * What a graph outside a trace is made of besides ops:
 * - leaves that stand for what a tensor holds (`holderOf`): its `storage`, or where it has none yet what `recipe()` computes, and
 *   then that is kept in it too, so that histories end there;
 * - values computed before (`realisedStorage`), which need not be computed again;
 * - constants with `lifted: true`: JavaScript numbers, which change from one evaluation to the next;
 * - values that somebody wants to be told (`tapsOf`), when they are computed.
 */
export class EagerPrograms {
  private readonly programs = new Map<string, Runnable>();
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

  /** Computes these in one program and keeps each result in its tensor. Answers the elements of each, not copied. */
  async realise(tensors: readonly Holder[], device: Device = defaultDevice()): Promise<TypedArray[]> {
    this.realiseNow(tensors, device);
    await pause();
    return Promise.all(tensors.map((x) => x.storage!.read()));
  }

  /** The same at once, without an answer. */
  realiseNow(tensors: readonly Holder[], device: Device = defaultDevice()): void {
    for (const x of tensors) if (!x.storage) keepKnown(x);
    const open = tensors.filter((x) => !x.storage);
    if (open.length === 0) return;
    const where = whereOf(device);
    const graph = new OpenGraph(open, { along: true });
    try {
      this.runInLayers(graph, open, where);
    } catch (error) {
      // What was only computed along must not hurt those who did not ask for it.
      if (!graph.hasMore || !(error instanceof GradusError)) throw error;
      graph.separate();
      const left = open.filter((x) => !x.storage);
      if (left.length > 0) this.runInLayers(new OpenGraph(left), left, where);
    }
  }

  /** A few assignments that wait on each other are one program; many are one for each layer: all of the same structure, where a loop made them. */
  private runInLayers(graph: OpenGraph, asked: readonly Holder[], where: Where): void {
    if (graph.layers.length <= MOST_LAYERS) {
      this.run(graph, where);
      return;
    }
    for (const layer of graph.layers) this.run(new OpenGraph(layer), where);
    const left = asked.filter((x) => !x.storage);
    if (left.length > 0) this.run(new OpenGraph(left), where);
  }

  private run(graph: OpenGraph, where: Where): void {
    const results = runParts(graph, (part) => this.programFor(part, where));
    for (const x of graph.kept) x.keep(results.get(x.recipe())!);
    for (const { taps, shape, value } of graph.taps) {
      const elements = results.get(value)!.read() as TypedArray;
      for (const tap of taps) tap.report(elements, shape);
    }
    this.trim();
  }

  private programFor(part: Part, where: Where): Runnable {
    const key = `${where}\n${part.key}`;
    const program = this.programs.get(key) ?? this.make(part, where);
    // The last one used is the last one to go.
    this.programs.delete(key);
    this.programs.set(key, program);
    return program;
  }

  private make(part: Part, where: Where): Runnable {
    this.made++;
    const build = (): Runnable => {
      const spec = { outputs: part.build(), assignments: [], guards: [] };
      return where === "interpreter" ? new InterpretedProgram(spec) : new Executable(runnerFor(where), spec);
    };
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

let programs: EagerPrograms | undefined;

/** Those of this process. Made when somebody computes, so that loading makes nothing. */
export const eagerPrograms = (): EagerPrograms => (programs ??= new EagerPrograms());

/**
 * Computes a content that is about to be read if many assignments wait behind it. That changes no value, only when it is computed: without it a
 * loop that never asks for a number would hold all its steps. An error waits for whoever asks for the numbers.
 */
export function computeIfDeep(content: Holder): void {
  const value = content.recipe();
  if (depthOf(value) < MOST_WAITING) return;
  try {
    eagerPrograms().realiseNow([content]);
  } catch {
    // It is told again to whoever asks; readings need not try again.
    forgetDepth(value);
  }
}

/** What needs no program: a value that was computed for another tensor, or one number everywhere. */
function keepKnown(x: Holder): void {
  const known = realisedStorage(x.recipe());
  if (known) x.keep(known);
  else keepFilled(x);
}

/** More elements than this are left to the heap, whose errors say what does not fit. */
const MOST_FILLED = 2 ** 26;

/** One number everywhere (zeros, ones, full) needs no program: a move only says where elements are read, and here all are the same. */
function keepFilled(x: Holder): void {
  let v = x.recipe();
  while (v.op.kind === "move" && tapsOf(v).length === 0) v = v.inputs[0]!;
  const size = sizeOf(x.shape);
  if (v.op.kind !== "leaf" || v.op.source !== "constant" || sizeOf(v.shape) !== 1 || tapsOf(v).length > 0 || size > MOST_FILLED) return;
  const elements = arrayOf(x.dtype, size);
  elements.fill((v.attributes as ConstantAttributes).data[0]!);
  x.keep(new HostStorage(elements));
}
