/** Looking into a compiled function: its graph, what the passes made of it, its program and its cost. */
import { costOf } from "../graph/cost.ts";
import { toDot } from "../graph/dot.ts";
import { printGraph } from "../graph/print.ts";
import { printLoops, printMemory, printProgram } from "../kernel/print.ts";
import { optimise } from "../passes/index.ts";
import { type Compiled, compiledFrom, type FeedOf } from "./compile.ts";
import { Executable } from "./executable.ts";

export interface Explanation {
  /** Graph, graph after the passes, program and memory plan. */
  readonly text: string;
  /** Floating point operations of one call; a multiply-add counts as two. */
  readonly flops: number;
  /** Bytes the program keeps or uses as scratch. */
  readonly bytes: number;
  /** Trainable variables that the program reads and never updates. */
  readonly unread: readonly string[];
  /** The graph as DOT text. */
  readonly dot: string;
  /** The kernels as loops, one text each. */
  readonly kernels: readonly string[];
}

/**
 * What a compiled function is made of, for these arguments. Nothing runs, and no variable changes.
 *
 * @example
 * const { text, flops } = await explain(step, x, y);
 */
export async function explain<A extends readonly unknown[]>(f: Compiled<A, any>, ...args: FeedOf<A>): Promise<Explanation> {
  const { entry } = compiledFrom(f).prepare(args as readonly unknown[]);
  const roots = [...entry.outputs, ...entry.trace.assignments().map((a) => a.value)];
  const better = optimise(roots);
  const sections = [`graph\n${printGraph(roots)}`, `after the passes\n${printGraph(better)}`];
  const { flops } = costOf(better);
  let bytes = costOf(roots).bytes;
  let kernels: string[] = [];
  if (entry.program instanceof Executable) {
    const { program } = entry.program;
    sections.push(`program\n${printProgram(program)}`, `memory\n${printMemory(program)}`);
    bytes = entry.program.bytes + program.scratchBytes;
    kernels = program.codes.map((c, i) => `kernel ${i}\n${printLoops(c.module)}`);
  }
  const unread = [...entry.trace.cells]
    .filter(([cell, { assigned }]) => cell.trainable && !assigned)
    .map(([cell]) => cell.name || "a variable");
  return { text: sections.join("\n\n"), flops, bytes, unread, dot: toDot(roots), kernels };
}
