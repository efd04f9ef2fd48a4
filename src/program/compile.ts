/** Functions of tensors as programs: traced once for each signature, compiled, then called. */
import type { DType, TypedArray } from "../core/dtype.ts";
import { ArgumentError, GraphError, NonFiniteError, show } from "../core/errors.ts";
import { checkOptions } from "../core/options.ts";
import { showShape } from "../core/shape.ts";
import { siteOnError, takeSite } from "../core/site.ts";
import type { ArgumentAttributes, Type, Value, VariableAttributes } from "../graph/op.ts";
import { argument } from "../ops/index.ts";
import { eagerPrograms } from "../run/eager.ts";
import { checked, type Device, defaultDevice, makeOn, runnerFor } from "../run/engine.ts";
import { Executable, type ExecutableSpec, type Feed, numbersOf, type Remains, type Runnable } from "../run/executable.ts";
import { InterpretedProgram } from "../run/interpreted.ts";
import { FailedStorage, type Failure, type Storage } from "../run/storage.ts";
import { asTensor } from "../tensor/create.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { TensorLike } from "../tensor/tensor-types.ts";
import { currentTrace, runInTrace } from "../tensor/trace.ts";
import { type Flat, flatten, type Structure, structureKey, type Tree, unflatten } from "../tensor/tree.ts";
import type { Variable } from "../tensor/variable.ts";
import { differenceOf } from "./compare-traces.ts";
import { CompileTrace } from "./compile-trace.ts";
import { explainNonFinite } from "./non-finite.ts";

/** What a call may pass where the function has a tensor: numbers and arrays too; they are inputs, never constants. */
export type FeedOf<A> = {
  [I in keyof A]: A[I] extends Tensor
    ? TensorLike
    : A[I] extends string | boolean | undefined
      ? A[I]
      : { readonly [K in keyof A[I]]: FeedOf<[A[I][K]]>[0] };
};
export type Argument = Tree | string | boolean | undefined;

/** Traced once per signature. A call starts the program and returns handles; awaiting their data waits for it. */
export interface Compiled<A extends readonly unknown[], R> {
  (...args: FeedOf<A>): R;
  /** How many programs were made: one for each combination of shapes, dtypes, booleans and strings. */
  readonly programs: number;
}

export interface CompileOptions {
  readonly device?: Device;
  readonly threads?: number;
  /** Traces twice and reports what differed: a random number or a clock read by the function would be frozen into the program. */
  readonly check?: boolean;
  /** 0: one kernel for each operation, nothing shared: slow, and what the fast program is compared with. Default 1. */
  readonly optimize?: 0 | 1;
  /** Which values must be finite before any variable changes. Default "loss": what optimisers minimise. */
  readonly guard?: "none" | "loss" | "gradients";
}

/**
 * A function as a program: forward pass, gradients and updates together, no JavaScript between kernels.
 *
 * @example
 * const step = compile((x: Tensor, y: Tensor) => {
 *   const loss = crossEntropy(model.forward(x, training(rng)), y);
 *   optimizer.minimize(loss);
 *   return loss;
 * });
 * console.log(await step(batch.x, batch.y).item());
 */
export function compile<A extends readonly Argument[], R extends Tree | void>(
  f: (...args: A) => R,
  options: CompileOptions = {},
): Compiled<A, R> {
  const compiled = new CompiledFunction(f as (...args: any[]) => unknown, options);
  const call = (...args: unknown[]): unknown => compiled.call(args);
  Object.defineProperty(call, "programs", { get: () => compiled.entries.length });
  Object.defineProperty(call, "name", { value: f.name || "compiled" });
  inside.set(call, compiled);
  released.register(call, compiled.remains);
  return call as unknown as Compiled<A, R>;
}

const inside = new WeakMap<object, CompiledFunction>();
/** Not the entries: they lead to the function itself, which then would never be released. */
const released = new FinalizationRegistry<Remains[]>((remains) => {
  for (const program of remains) program.dispose();
});

/** What stands behind a compiled function, for `explain`. */
export function compiledFrom(f: object): CompiledFunction {
  const found = inside.get(f);
  if (found) return found;
  throw new ArgumentError("explain: this is not a compiled function", { help: "explain(compile(f), ...args)" });
}

/** One signature: its trace, its program. */
export interface Entry {
  readonly structure: string;
  readonly types: readonly Type[];
  /** What messages call the arguments. */
  readonly names: readonly string[];
  readonly trace: CompileTrace;
  readonly outputs: readonly Value[];
  readonly tree: Structure | undefined;
  readonly program: Runnable;
}

/** Programs of one function after which something is probably wrong. */
const MANY = 8;

let pending: Failure | undefined;

export class CompiledFunction {
  readonly entries: Entry[] = [];
  readonly remains: Remains[] = [];
  readonly f: (...args: any[]) => unknown;
  readonly options: CompileOptions;

  constructor(f: (...args: any[]) => unknown, options: CompileOptions) {
    if (f.constructor.name === "AsyncFunction")
      throw new GraphError("compile: the function is async", {
        why: "a program is built without waiting for anything",
        help: "await results outside",
      });
    checkCompileOptions(options);
    this.f = f;
    this.options = options;
  }

  private get device(): Device {
    return this.options.device ?? defaultDevice();
  }

  call(args: readonly unknown[]): unknown {
    const outer = currentTrace();
    if (outer) return this.f(...args);
    throwPending();
    const { leaves, entry } = this.prepare(args);
    const { trace, program, outputs, tree } = entry;
    computeOpen(leaves, trace, this.device);
    const feeds = feedsOf(leaves, trace);
    let results: Storage[];
    try {
      results = program.run(feeds);
    } catch (error) {
      const failure: Failure = { error: this.located(error as Error, entry, feeds), told: false };
      pending = failure;
      if (!tree) return undefined;
      const failed = new FailedStorage(failure);
      return unflatten(
        tree,
        outputs.map(({ shape, dtype }) => new Tensor({ shape, dtype }, { storage: failed })),
      );
    }
    reportTaps(trace, results, outputs.length);
    if (!tree) return undefined;
    return unflatten(
      tree,
      outputs.map((v, i) => new Tensor({ shape: v.shape, dtype: v.dtype }, { storage: results[i] })),
    );
  }

  /** An error about a number that is not finite, with the input or the line where the first one arose. */
  private located(error: Error, { trace, names }: Entry, feeds: readonly Feed[]): Error {
    if (!(error instanceof NonFiniteError)) return error;
    try {
      return explainNonFinite(error, {
        guards: this.guardsOf(trace).map((g) => g.value),
        numbersOf: (leaf) => numbersOfLeaf(leaf, feeds),
        nameOf: (leaf) => nameOfInput(leaf, names),
        run: (outputs) => scalarsOf(outputs, feeds),
      });
    } catch {
      // Only the explanation is missing then, as when there is no memory for it.
      return error;
    }
  }

  private guardsOf(trace: CompileTrace): CompileTrace["guards"] {
    const { guard = "loss" } = this.options;
    return trace.guards.filter((g) => guard === "gradients" || (guard === "loss" && g.kind === "loss"));
  }

  /** The arguments as tensors, and the program for them. */
  prepare(args: readonly unknown[]): { leaves: Tensor[]; entry: Entry } {
    const last = this.entries.at(-1);
    if (
      last &&
      args.length === last.types.length &&
      args.every((x, i) => x instanceof Tensor && sameType(x, last.types[i]!)) &&
      last.structure === plain(args.length)
    )
      return { leaves: args as Tensor[], entry: last };
    const leaf = (x: unknown) => (x !== args && isFeed(x) ? asTensor(x as TensorLike, undefined, "compile") : undefined);
    const flat = siteOnError(() => flatten(args, "compile", { statics: true, leaf }));
    const structure = structureKey(flat.structure);
    const found = this.entries.find((e) => e.structure === structure && e.types.every((t, i) => sameType(flat.leaves[i]!, t)));
    if (found) {
      this.entries.splice(this.entries.indexOf(found), 1);
      this.entries.push(found);
      return { leaves: flat.leaves, entry: found };
    }
    const entry = this.trace(flat, structure);
    this.entries.push(entry);
    if (this.entries.length === MANY) warnMany(this.entries);
    return { leaves: flat.leaves, entry };
  }

  private trace({ leaves, structure, paths }: Flat, key: string): Entry {
    const types = leaves.map(({ shape, dtype }) => ({ shape, dtype }));
    const traced = this.traceOnce(types, structure);
    if (this.options.check) {
      const again = this.traceOnce(types, structure);
      const difference = differenceOf(traced.roots, again.roots);
      if (difference) throw difference;
    }
    const { trace, outputs, tree } = traced;
    const program = this.build(trace, outputs);
    return { structure: key, types, names: argumentNames(this.f, paths), trace, outputs, tree, program };
  }

  private traceOnce(
    types: readonly Type[],
    structure: Structure,
  ): { trace: CompileTrace; outputs: Value[]; tree: Structure | undefined; roots: Value[] } {
    const trace = new CompileTrace(types);
    const result = runInTrace(trace, () => {
      const stands = types.map((t, i) => new Tensor(argument(i, t), { tracked: true }));
      const returned = this.f(...(unflatten(structure, stands) as unknown[]));
      if (returned === undefined) return { outputs: [], tree: undefined };
      if (typeof (returned as { then?: unknown }).then === "function")
        throw new GraphError("compile: the function returned a promise", {
          why: "a program is built without waiting for anything",
          help: "return tensors; await their data outside",
        });
      const flat = flatten(returned, "compile: the function must return tensors in arrays and records, or nothing");
      return { outputs: flat.leaves.map((x) => x.node()), tree: flat.structure };
    });
    return { trace, ...result, roots: [...result.outputs, ...trace.assignments().map((a) => a.value)] };
  }

  /** What the program of a trace computes, assigns and checks. */
  specOf(trace: CompileTrace, outputs: readonly Value[]): ExecutableSpec {
    const { optimize, guard = "loss" } = this.options;
    return {
      outputs: [...outputs, ...trace.taps.map((t) => t.value)],
      assignments: trace.assignments(),
      guards: trace.guards.filter((g) => guard === "gradients" || (guard === "loss" && g.kind === "loss")),
      optimize,
    };
  }

  private build(trace: CompileTrace, outputs: readonly Value[]): Runnable {
    const { device } = this;
    const spec = this.specOf(trace, outputs);
    if (device === "interpreter") return new InterpretedProgram(spec);
    const program = makeOn(device, this.options.threads, (runner) => new Executable(runner, spec));
    this.remains.push(program.remains);
    return program;
  }
}

function checkCompileOptions(options: CompileOptions): void {
  checkOptions("compile", options, ["device", "threads", "check", "optimize", "guard"], takeSite);
  checked(options, "compile");
  const { optimize = 1, guard = "loss" } = options;
  if (optimize !== 0 && optimize !== 1)
    throw new ArgumentError(`compile: optimize is ${show(optimize)}`, { help: "0: nothing, or 1: everything", site: takeSite() });
  if (!["none", "loss", "gradients"].includes(guard))
    throw new ArgumentError(`compile: guard is ${show(guard)}`, { help: '"none", "loss" or "gradients"', site: takeSite() });
}

const isFeed = (x: unknown): boolean => typeof x === "number" || ArrayBuffer.isView(x) || (Array.isArray(x) && isNumbers(x));
const isNumbers = (x: readonly unknown[]): boolean =>
  x.length > 0 && x.every((item) => typeof item === "number" || (Array.isArray(item) && isNumbers(item)));
const sameType = (a: { shape: readonly number[]; dtype: DType }, b: Type): boolean =>
  a.dtype === b.dtype && a.shape.length === b.shape.length && a.shape.every((d, i) => d === b.shape[i]);

const plains: string[] = [];
/** The structure of a call with n tensors and nothing else. */
function plain(n: number): string {
  plains[n] ??= structureKey({ kind: "array", items: Array.from({ length: n }, () => ({ kind: "leaf" })) });
  return plains[n];
}

function numbersOfLeaf(leaf: Value, feeds: readonly Feed[]): ArrayLike<number> | undefined {
  if (leaf.op.kind !== "leaf") return undefined;
  if (leaf.op.source === "variable") return numbersOf(((leaf.attributes as VariableAttributes).cell as Variable).content().storage!);
  return leaf.op.source === "argument" ? numbersOf(feeds[(leaf.attributes as ArgumentAttributes).index]!) : undefined;
}

function nameOfInput(leaf: Value, names: readonly string[]): string {
  if (leaf.op.kind === "leaf" && leaf.op.source === "variable") return ((leaf.attributes as VariableAttributes).cell as Variable).label();
  return names[(leaf.attributes as ArgumentAttributes).index] ?? "a tensor from outside the function";
}

/** "argument 0 (x)", "argument 1 (batch.y)": the places of tensors in the arguments, with the parameters' names where the function's text has them. */
function argumentNames(f: (...args: any[]) => unknown, paths: readonly string[]): string[] {
  const [, list, single] = /^(?:function\s*[\w$]*\s*)?\(([^()]*)\)|^([\w$]+)\s*=>/.exec(String(f)) ?? [];
  const parameters = (list ?? single ?? "").split(",").map((name) => /^[\w$]+$/.exec(name.trim())?.[0] ?? "");
  return paths.map((path) => {
    const [, index, rest] = /^\[(\d+)\](.*)$/.exec(path)!;
    const name = `${parameters[Number(index)] ?? ""}${rest}`;
    return name ? `argument ${index} (${name})` : `argument ${index}`;
  });
}

/** Scalars computed from what a program was fed with, and the present cells. */
function scalarsOf(outputs: readonly Value[], feeds: readonly Feed[]): number[] {
  const program = new Executable(runnerFor("wasm"), { outputs, assignments: [], guards: [] });
  try {
    return program.run(feeds).map((storage) => numbersOf(storage)[0]!);
  } finally {
    program.dispose();
  }
}

function throwPending(): void {
  const failure = pending;
  pending = undefined;
  if (failure && !failure.told) throw failure.error;
}

/** The numbers a program is fed with: arguments, then what its trace captured and the keys of its generators. */
function feedsOf(leaves: readonly Tensor[], trace: CompileTrace): Feed[] {
  const feeds: Feed[] = leaves.map((x) => x.content().storage!);
  for (const extra of trace.extras) {
    if ("tensor" in extra) feeds.push(extra.tensor.storage!);
    else if (extra.generator) for (const word of extra.generator.nextKey()) feeds.push(Uint32Array.of(word));
  }
  return feeds;
}

/** Arguments, captured tensors and contents of cells that were never computed are computed now, in one program. */
function computeOpen(leaves: readonly Tensor[], trace: CompileTrace, device: Device): void {
  const open: Tensor[] = [];
  for (const x of leaves) if (!x.content().storage) open.push(x.content());
  for (const extra of trace.extras) if ("tensor" in extra && !extra.tensor.storage) open.push(extra.tensor);
  for (const cell of trace.cells.keys()) if (cell.hasValue && !cell.isComputed) open.push(cell.content());
  if (open.length > 0) eagerPrograms().realiseNow(open, device === "interpreter" ? device : "auto");
}

function reportTaps(trace: CompileTrace, results: readonly Storage[], from: number): void {
  trace.taps.forEach(({ tap, value }, i) => {
    tap.report(results[from + i]!.read() as TypedArray, value.shape);
  });
}

function warnMany(entries: readonly Entry[]): void {
  const shapes = entries.map((e) => e.types.map((t) => `${t.dtype} ${showShape(t.shape)}`).join(", "));
  console.warn(
    `gradus: one compiled function has ${entries.length} programs, for arguments ${[...new Set(shapes)].slice(-3).join(" | ")} …; pad or drop what varies`,
  );
}
