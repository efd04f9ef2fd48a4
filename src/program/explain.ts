/** Looking into a compiled function: its graph, what the passes made of it, its program and its cost, forward and backward apart. */
import type { DType } from "../core/dtype.ts";
import type { Shape } from "../core/shape.ts";
import { type Cost, costOf } from "../graph/cost.ts";
import { drawnValues, operationOf, toDot } from "../graph/dot.ts";
import type { ArgumentAttributes, Value } from "../graph/op.ts";
import { printGraph } from "../graph/print.ts";
import { printLoops, printMemory, printProgram } from "../kernel/print.ts";
import { printKernels } from "../kernel/print-kernels.ts";
import { verifyKernels } from "../kernel/verify.ts";
import { optimise } from "../passes/index.ts";
import { Executable, type ExecutableSpec, type Plan, planOf } from "../run/executable.ts";
import type { Runner } from "../runtime/runner.ts";
import { sourceOf } from "../runtime/source.ts";
import type { Scheduled } from "../schedule/index.ts";
import { type Compiled, compiledFrom, type FeedOf } from "./compile.ts";
import { type ExplainedContraction, explainContraction, printContractions } from "./contractions.ts";
import { gradientsIn, nameValues, Parts, type StepPart } from "./step-parts.ts";

/** A node of the graph, as `dot` draws it under the id `n` + its index. */
export interface ExplainedNode {
  /** Of an argument, a variable, the loss, or a gradient: "x", "0.weight", "∂loss/∂0.weight". */
  readonly name: string | undefined;
  readonly operation: string;
  readonly shape: Shape;
  readonly dtype: DType;
  /** The user's line, where it is known. */
  readonly site: string;
  readonly part: StepPart;
  /** Indices of the nodes it is computed from, as far as they are drawn. */
  readonly inputs: readonly number[];
  /** Indices of the kernels it is computed in; none where the passes have made something else of it. */
  readonly kernels: readonly number[];
  /** The index of ∂loss/∂(this). */
  readonly gradient: number | undefined;
}

/** What each part of a step adds to those before it. */
export interface StepCosts {
  /** `bytes`: the memory that a program of the forward pass alone has planned; going back and the updates share theirs with it. */
  readonly forward: Cost;
  readonly backward: { readonly flops: number };
  readonly update: { readonly flops: number };
}

export interface Explanation {
  /** Graph, graph after the passes, what contractions became, kernels, program and memory plan. */
  readonly text: string;
  /** Floating point operations of one call; a multiply-add counts as two. */
  readonly flops: number;
  /** Bytes the program keeps or uses as scratch, variables aside. */
  readonly bytes: number;
  /** Forward, backward and update apart; a function that minimises nothing is all forward. */
  readonly parts: StepCosts;
  /** Which kernel each contraction has become, and if it is not a tiled product, why not; in the order of evaluation. */
  readonly contractions: readonly ExplainedContraction[];
  /** Trainable variables that the program reads and never updates. */
  readonly unread: readonly string[];
  /** The graph of the loss and its gradients as DOT text, what back-propagation added shaded. */
  readonly dot: string;
  /** What `dot` draws. */
  readonly nodes: readonly ExplainedNode[];
  /** The kernels as loops, one text each. */
  readonly kernels: readonly string[];
  /** The kernels as the target gets them: C, or WebAssembly in its text format. */
  readonly sources: readonly string[];
}

const SHADE = "#fde3cc";

/**
 * What a compiled function is made of, for these arguments. Nothing runs, and no variable changes.
 *
 * @example
 * const { text, flops } = await explain(step, x, y);
 */
export async function explain<A extends readonly unknown[]>(f: Compiled<A, any>, ...args: FeedOf<A>): Promise<Explanation> {
  const compiled = compiledFrom(f);
  const { entry } = compiled.prepare(args as readonly unknown[]);
  const spec = compiled.specOf(entry.trace, entry.outputs);
  const parts = new Parts(entry.trace, entry.outputs);
  const names = nameValues(compiled.f, args, entry.trace, parts);
  const runner = entry.program instanceof Executable ? entry.program.runner : undefined;
  const became = new Map<Value, Value>();
  const keep = entry.program instanceof Executable ? entry.program.keep : 0;
  const plan = runner && planOf(spec, runner.target, { became, keep });
  const roots = [...entry.outputs, ...entry.trace.assignments().map((a) => a.value)];
  const sections = [
    `graph\n${printGraph(roots, { first: parts.roots, names, part: (v) => parts.of(v) })}`,
    `after the passes\n${printGraph(optimise(roots))}`,
  ];
  const contractions = [...(plan?.scheduled.contractions ?? [])].map(([v, c]) => explainContraction(v, c));
  if (plan) {
    const named = withNames(plan.scheduled, names);
    verifyKernels(named);
    if (contractions.length > 0) sections.push(`contractions\n${printContractions(contractions)}`);
    const { program } = plan;
    sections.push(`kernels\n${printKernels(named)}`, `program\n${printProgram(program)}`, `memory\n${printMemory(program)}`);
  }
  const codes = plan?.program.codes ?? [];
  const drawn = parts.roots.length > 0 ? parts.roots : roots;
  const nodes = drawnValues(drawn);
  const number = new Map(nodes.map((v, i) => [v, i]));
  const gradient = gradientsIn(parts, nodes);
  const kernelsOf = (v: Value): readonly number[] => (plan ? codesOf(plan, became.get(v) ?? v) : []);
  const bytes = plan && entry.program instanceof Executable ? entry.program.bytes + plan.program.scratchBytes : costOf(roots).bytes;
  const costs = costsOf(spec, parts, runner);
  return {
    text: sections.join("\n\n"),
    flops: costs.forward.flops + costs.backward.flops + costs.update.flops,
    bytes,
    parts: costs,
    contractions,
    unread: [...entry.trace.cells].filter(([cell, { assigned }]) => cell.trainable && !assigned).map(([cell]) => cell.name || "a variable"),
    dot: toDot(drawn, { names, colours: new Map(nodes.flatMap((v) => (parts.of(v) === "forward" ? [] : [[v, SHADE]]))) }),
    nodes: nodes.map((v) => ({
      name: names.get(v),
      operation: operationOf(v),
      shape: v.shape,
      dtype: v.dtype,
      site: v.site?.toString() ?? "",
      part: parts.of(v),
      inputs: [...new Set(v.inputs)].flatMap((x) => number.get(x) ?? []),
      kernels: kernelsOf(v),
      gradient: number.get(gradient.get(v)!),
    })),
    kernels: codes.map((c, i) => `kernel ${i}\n${printLoops(c.module)}`),
    sources: runner ? codes.map((c) => sourceOf(runner, c)) : [],
  };
}

/** The schedule with the arguments called as the function calls them. */
function withNames(scheduled: Scheduled, names: ReadonlyMap<Value, string>): Scheduled {
  const byIndex = new Map([...names].map(([v, name]) => [(v.attributes as Partial<ArgumentAttributes> | undefined)?.index, name]));
  const called = new Map(scheduled.arguments.map(({ index, buffer }) => [buffer, byIndex.get(index)]));
  return { ...scheduled, buffers: scheduled.buffers.map((b) => (called.get(b.id) ? { ...b, name: called.get(b.id) } : b)) };
}

/** The numbers of the codes that compute a value, or write it. */
function codesOf({ scheduled, program }: Plan, v: Value): number[] {
  const homes = scheduled.homes.get(v) ?? [];
  const calls = [...program.steps, ...(program.setup?.steps ?? [])].flatMap((s) => (s.do === "section" ? s.steps : [s]));
  const codes = calls.flatMap((s) => (s.do === "call" && homes.includes(s.from!) ? [s.code] : []));
  return [...new Set(codes)].sort((a, b) => a - b);
}

/** The costs of the forward pass, of that with the gradients, and of the whole, each optimised by itself; from them what each part adds. */
function costsOf(spec: ExecutableSpec, parts: Parts, runner: Runner | undefined): StepCosts {
  const whole = [...spec.outputs, ...spec.assignments.map((a) => a.value)];
  const forward = parts.forwardRoots.length > 0 ? parts.forwardRoots : whole;
  const flops = (roots: readonly Value[]): number => costOf(optimise(roots, { windows: true })).flops;
  const [first, second, third] = [flops(forward), flops([...forward, ...parts.gradients]), flops(whole)];
  return {
    forward: { flops: first, bytes: planned(forward, runner) },
    backward: { flops: second - first },
    // Where an update needs only a part of the gradients, it may take work away.
    update: { flops: Math.max(0, third - second) },
  };
}

/** The memory that a program of these values alone has planned. */
function planned(outputs: readonly Value[], runner: Runner | undefined): number {
  if (!runner) return costOf(outputs).bytes;
  const { program } = planOf({ outputs, assignments: [], guards: [] }, runner.target);
  return program.buffers.reduce((n, b) => (b.place === "scratch" || b.place === "variable" ? n : n + b.bytes), program.scratchBytes);
}
