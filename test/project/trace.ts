/** One small training step, printed at every stage: what ARCHITECTURE.md shows. */
import { compile, gradients, ones, type Tensor, variable } from "gradus";
import type { Value } from "../../src/graph/op.ts";
import { printGraph } from "../../src/graph/print.ts";
import { printLoops, printMemory, printProgram } from "../../src/kernel/print.ts";
import { printKernels } from "../../src/kernel/print-kernels.ts";
import { lower } from "../../src/lower/index.ts";
import { loopTarget } from "../../src/lower/loops/target.ts";
import { optimise } from "../../src/passes/index.ts";
import { compiledFrom } from "../../src/program/compile.ts";
import { renderC } from "../../src/render/c.ts";
import { schedule } from "../../src/schedule/index.ts";

const ROWS = 64;
const [INPUTS, OUTPUTS] = [100, 10];

/** The WASM target; fixed, so that the page is the same on every machine. */
const target = loopTarget({ vectorBytes: 16, tile: { rows: 5, vectors: 2, nested: false }, depth: 256 });

const print = (values: readonly Value[]): string => printGraph(values).replaceAll(/ {3}\S+:\d+$/gm, "");

/** The text of each stage by its name. */
export function traceStages(): Record<string, string> {
  const w = variable(ones([INPUTS, OUTPUTS]), { name: "W" });
  let forward: Value | undefined;
  const step = compile((x: Tensor) => {
    const loss = x.matmul(w).relu().sum() as Tensor<[]>;
    forward = loss.node();
    w.assign(w.sub(gradients(loss, w).mul(0.1)));
    return loss;
  });
  const { entry } = compiledFrom(step).prepare([ones([ROWS, INPUTS])]);
  const assignments = entry.trace.assignments();
  const roots = [...entry.outputs, ...assignments.map((a) => a.value)];
  const better = optimise(roots);
  const scheduled = schedule({
    outputs: better.slice(0, 1),
    assignments: [{ cell: w, value: better[1]! }],
  });
  const program = lower(scheduled, target);
  const calls = program.steps.flatMap((s) => (s.do === "section" ? s.steps : [s])).filter((s) => s.do === "call");
  const sum = program.codes[calls.find((c) => c.label.startsWith("sum"))!.code]!;
  return {
    forward: print([forward!]),
    step: print(roots),
    better: print(better),
    kernels: printKernels(scheduled),
    program: printProgram(program),
    memory: printMemory(program),
    loops: firstLoop(printLoops(sum.module), /^ {2}for .*\n(?: {4}.*\n)+/m),
    c: firstLoop(renderC(sum).split("void kernel(")[1]!, /^ {2}for .*\n(?: {4}.*\n)+ {2}\}/m),
  };
}

/** The first loop of a kernel's text, to the left margin. */
const firstLoop = (text: string, pattern: RegExp): string => pattern.exec(text)![0].trimEnd().replaceAll(/^ {2}/gm, "");
