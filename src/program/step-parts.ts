/** The parts of a traced training step, forward, backward, update, and the names that its values have for a person. */
import { isFloat } from "../core/dtype.ts";
import { parameterOf } from "../derive/for-optimisers.ts";
import type { ArgumentAttributes, Value } from "../graph/op.ts";
import { ancestors, topological } from "../graph/walk.ts";
import { rewrite } from "../passes/index.ts";
import { asTensor } from "../tensor/create.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { TensorLike } from "../tensor/tensor-types.ts";
import { flatten } from "../tensor/tree.ts";
import { ownerOf } from "../tensor/variable.ts";
import { gradients } from "../transform/index.ts";
import type { CompileTrace } from "./compile-trace.ts";

export type StepPart = "forward" | "backward" | "update";

/** Which part of a step a value belongs to. What optimisers were given to minimise says where the forward pass ends. */
export class Parts {
  readonly losses: readonly Value[];
  /** In the order of the parameters. */
  readonly gradients: readonly Value[];
  /** The names of the parameters. */
  readonly parameters: readonly string[];
  /** The losses, and outputs that are computed without gradients: accuracy. */
  readonly forwardRoots: readonly Value[];
  private readonly forward: ReadonlySet<Value>;
  private readonly backward: ReadonlySet<Value>;

  constructor(trace: CompileTrace, outputs: readonly Value[]) {
    const guards = (kind: "loss" | "gradients") => trace.guards.filter((g) => g.kind === kind);
    this.losses = [...new Set(guards("loss").map((g) => g.value))];
    this.gradients = guards("gradients").map((g) => g.value);
    this.parameters = guards("gradients").map((g) => parameterOf(g.label));
    const loss = ancestors(this.losses);
    this.backward = new Set(topological(this.gradients).filter((v) => !loss.has(v)));
    const others = outputs.filter((v) => !topological([v]).some((x) => this.backward.has(x)));
    this.forwardRoots = [...new Set([...this.losses, ...others])];
    this.forward = ancestors(this.forwardRoots);
  }

  /** Losses and other outputs of the forward pass, then gradients. */
  get roots(): Value[] {
    return [...this.forwardRoots, ...this.gradients];
  }

  of(v: Value): StepPart {
    return this.forward.has(v) ? "forward" : this.backward.has(v) ? "backward" : "update";
  }
}

/** Names of the values that have one: arguments as the function calls them, variables, the loss, ∂loss/∂(a parameter). */
export function nameValues(
  f: (...args: any[]) => unknown,
  args: readonly unknown[],
  trace: CompileTrace,
  parts: Parts,
): Map<Value, string> {
  const inputs = inputNames(f, args);
  const names = new Map<Value, string>();
  const losses = parts.losses.map((_, i) => (parts.losses.length > 1 ? `loss ${i + 1}` : "loss"));
  for (const v of topological([...parts.roots, ...trace.assignments().map((a) => a.value)])) {
    if (v.op.kind !== "leaf") continue;
    const variable = ownerOf(v)?.name;
    if (variable) names.set(v, variable);
    if (v.op.source === "argument")
      names.set(v, inputs[(v.attributes as ArgumentAttributes).index] ?? nameOfExtra(trace, v, inputs.length));
  }
  parts.losses.forEach((v, i) => names.has(v) || names.set(v, losses[i]!));
  // A loss that several parameters share names their gradients; of several losses, which one is meant the drawing shows.
  const loss = losses.length === 1 ? "loss" : "J";
  parts.gradients.forEach((v, i) => names.has(v) || names.set(v, `∂${loss}/∂${parts.parameters[i]}`));
  return names;
}

/** Inputs that are no arguments: what the function took from outside, and what random numbers are drawn with. */
function nameOfExtra(trace: CompileTrace, v: Value, count: number): string {
  const extra = trace.extras[(v.attributes as ArgumentAttributes).index - count];
  return extra && "tensor" in extra ? "captured tensor" : "random key";
}

/** A name for each tensor among the arguments: the parameter's, with the path in it. */
function inputNames(f: (...args: any[]) => unknown, args: readonly unknown[]): string[] {
  const parameters = parametersOf(f.toString());
  return args.flatMap((arg, i) => {
    const name = parameters[i] ?? `argument ${i}`;
    if (arg instanceof Tensor || typeof arg === "number" || ArrayBuffer.isView(arg)) return [name];
    const leaf = (x: unknown): Tensor | undefined =>
      ArrayBuffer.isView(x) || typeof x === "number" || isNumbers(x) ? asTensor(x as TensorLike, undefined, "explain") : undefined;
    const { paths } = flatten([arg], "explain", { statics: true, leaf });
    return paths.map((path) => path.replace(/^\[0\]/, name));
  });
}

const isNumbers = (x: unknown): boolean => Array.isArray(x) && x.length > 0 && (typeof x[0] === "number" || isNumbers(x[0]));

/** The parameters of a function by its text, as far as they are plain names. */
function parametersOf(text: string): (string | undefined)[] {
  const list = /^(?:async\s+)?(?:function\s*[\w$]*\s*)?(?:\(([^()]*)\)|([\w$]+)\s*=>)/.exec(text);
  const words = (list?.[1] ?? list?.[2] ?? "").split(",").map((word) => word.trim().replace(/\s*=.*$/s, ""));
  // A pattern takes several commas: what comes after it cannot be told apart.
  const pattern = words.findIndex((word) => !/^[\w$]+$/.test(word));
  return pattern < 0 ? words : words.slice(0, pattern);
}

/** For each of these values that the loss depends on, the node of the step that is its gradient. */
export function gradientsIn(parts: Parts, values: readonly Value[]): Map<Value, Value> {
  const [loss] = parts.losses;
  if (!loss || parts.losses.length > 1 || parts.gradients.length === 0) return new Map();
  const wanted = values.filter((v) => parts.of(v) === "forward" && isFloat(v.dtype));
  const found = gradients(loss, wanted);
  // The same nodes, built anew: equal subgraphs are told by sharing them.
  const shared = new Map<Value, Value>();
  rewrite([...parts.gradients, ...found.filter((g) => g !== null)], [], { became: shared });
  const own = new Map(topological(parts.gradients).map((v) => [shared.get(v)!, v]));
  return new Map(
    wanted.flatMap((v, i): [Value, Value][] => {
      const gradient = found[i] && own.get(shared.get(found[i])!);
      return gradient ? [[v, gradient]] : [];
    }),
  );
}
