import { isFloat } from "../core/dtype.ts";
import { ArgumentError, DTypeError, GraphError, ShapeError, show } from "../core/errors.ts";
import { checkOptions } from "../core/options.ts";
import { sameShape, showShape } from "../core/shape.ts";
import { atUserLine } from "../core/site.ts";
import { gradientLabel, gradientsOf, guardFinite, knownNumber } from "../derive/for-optimisers.ts";
import { full, type Tensor, Variable, variable } from "../index.ts";
import { assignAll, matchState, snapshot } from "../nn/state.ts";
import { RateCell, rateAt, ShownRate, scalar } from "./rate.ts";
import type { Rule } from "./rules.ts";
import { checkRate, type Schedule } from "./schedules.ts";

/** Options of every optimiser. */
export interface Common {
  /** The learning rate, or how it changes with the step number. */
  readonly lr: number | Schedule;
  /** λ: each gradient gets λ · p added (`adamW`: p shrinks by lr · λ instead). Default 0, for `adamW` 0.01. */
  readonly weightDecay?: number;
  /** All gradients together are scaled down to this Euclidean norm where it is larger. Pascanu, Mikolov and Bengio 2013. */
  readonly clipNorm?: number;
  /** Each element of each gradient is cut to ± this, before `clipNorm`. */
  readonly clipValue?: number;
}

export interface MinimizeOptions {
  /** What to do about parameters that the loss does not reach. Default "error"; with "skip" they and their memory stay. */
  readonly unused?: "error" | "skip";
}

/** Updates a list of variables from the gradients of a loss. */
export interface Optimizer {
  readonly parameters: readonly Variable[];
  /** A float64 cell: `optimizer.lr.assign(0.01)` takes effect without a new program. Under a schedule it shows the last rate used, and assigning throws. */
  readonly lr: Variable<[]>;
  /** How many updates were made: a float64 cell. */
  readonly step: Variable<[]>;
  /**
   * gradients(loss, parameters), clipping, update, in that order, now: several in one step run one after the other, in program order.
   * Call it in the compiled function that built the loss.
   *
   * @throws GraphError for parameters that the loss does not reach, unless `unused` is "skip": then they and their memory stay
   */
  minimize(loss: Tensor<[]>, options?: MinimizeOptions): void;
  /** The update for gradients made elsewhere, one for each of `parameters`, in order; clipping included. */
  apply(grads: readonly Tensor[]): void;
  /** Step number, rate and memory by name: a snapshot. */
  stateDict(): Record<string, Tensor>;
  /** Checks everything, then assigns all or nothing. */
  loadStateDict(state: Readonly<Record<string, Tensor>>): void;
}

/** A parameter with the cells of what is remembered about it. */
interface Slot {
  readonly parameter: Variable;
  readonly memory: readonly Variable[];
}

/** An optimiser from its rule. `coupledDecay` is added to the gradients. */
export function makeOptimizer(parameters: readonly Variable[], rule: Rule, options: Common, coupledDecay: number): Optimizer {
  return new RuleOptimizer(parameters, rule, options, coupledDecay);
}

class RuleOptimizer implements Optimizer {
  readonly parameters: readonly Variable[];
  readonly lr: Variable<[]>;
  readonly step: Variable<[]>;
  readonly #rule: Rule;
  readonly #slots: readonly Slot[];
  readonly #schedule: Schedule | undefined;
  /** The cell behind `lr`: the same one, or under a schedule the one that `lr` shows. */
  readonly #rate: Variable<[]>;
  readonly #coupledDecay: number;
  readonly #clipNorm: number | undefined;
  readonly #clipValue: number | undefined;

  constructor(parameters: readonly Variable[], rule: Rule, { lr, clipNorm, clipValue }: Common, coupledDecay: number) {
    this.parameters = checkParameters(parameters, rule.name);
    this.#rule = rule;
    this.#coupledDecay = coupledDecay;
    this.#clipNorm = clipNorm === undefined ? undefined : checkBound(clipNorm, `${rule.name}: clipNorm`);
    this.#clipValue = clipValue === undefined ? undefined : checkBound(clipValue, `${rule.name}: clipValue`);
    this.#schedule = typeof lr === "function" ? lr : undefined;
    this.step = variable(scalar(0), { name: "step", trainable: false });
    this.#rate = this.#schedule
      ? variable(rateAt(this.#schedule, scalar(0)), { name: "lr", trainable: false })
      : new RateCell(checkRate(lr as number, `${rule.name}: lr`), rule.name);
    this.lr = this.#schedule ? new ShownRate(this.#rate, rule.name) : this.#rate;
    this.#slots = parameters.map((parameter, i) => ({
      parameter,
      memory: rule.slots.map(({ name, start }) => memoryOf(parameter, name, start, i)),
    }));
  }

  minimize(loss: Tensor<[]>, options: MinimizeOptions = {}): void {
    atUserLine(() => {
      const found = gradientsOf(loss, this.parameters, this.#names);
      const reached = this.#slots.flatMap((slot, i) => (found[i] ? [{ slot, gradient: found[i], name: this.#names[i]! }] : []));
      this.#checkReached(
        this.#names.filter((_, i) => !found[i]),
        checkUnused(options),
      );
      guardFinite(loss, "the loss", "loss");
      for (const { gradient, name } of reached) guardFinite(gradient, gradientLabel(name), "gradients");
      this.#update(
        reached.map((r) => r.slot),
        reached.map((r) => r.gradient),
      );
    });
  }

  get #names(): string[] {
    return this.parameters.map((p, i) => p.name || `parameter ${i}`);
  }

  #checkReached(missing: readonly string[], unused: "error" | "skip"): void {
    const { name } = this.#rule;
    const all = this.parameters.length;
    if (missing.length === all)
      throw new GraphError(`minimize: the loss depends on none of the ${all} parameters of this ${name}: ${some(missing)}`, {
        why: "the optimiser was made for another model, or the loss was cut from it by detach, .value, a comparison or an assignment",
        help: `${name}(model.parameters(), …) with the model whose forward gives the loss`,
      });
    if (missing.length > 0 && unused === "error")
      throw new GraphError(`minimize: the loss does not depend on ${some(missing)}`, {
        why: `${missing.length} of the ${all} parameters of this ${name} have no gradient: no path of the graph leads there, or detach, .value, a comparison or an assignment cuts it`,
        help: 'leave them out of the optimiser, or minimize(loss, { unused: "skip" })',
      });
  }

  apply(grads: readonly Tensor[]): void {
    checkGradients(grads, this.parameters, this.#rule.name);
    this.#update(this.#slots, grads);
  }

  stateDict(): Record<string, Tensor> {
    return snapshot(this.#cells());
  }

  loadStateDict(state: Readonly<Record<string, Tensor>>): void {
    const cells = { named: this.#cells(), aliases: new Map<string, string>() };
    assignAll(matchState(`${this.#rule.name}.loadStateDict`, cells, state).values);
  }

  #cells(): Map<string, Variable> {
    const cells = new Map<string, Variable>([
      ["step", this.step],
      ["lr", this.#rate],
    ]);
    for (const [i, { memory }] of this.#slots.entries())
      for (const [j, { name }] of this.#rule.slots.entries()) cells.set(`${i}.${name}`, memory[j]!);
    return cells;
  }

  #update(slots: readonly Slot[], raw: readonly Tensor[]): void {
    const before = this.step.value;
    const lr = this.#schedule ? rateAt(this.#schedule, before) : this.lr.value;
    const scalars = inDTypes(this.#rule.prepare({ lr, before }));
    const grads = clip(raw, this.#clipValue, this.#clipNorm);
    // All new values are made before the first is assigned: a gradient may be a function of another parameter.
    const updates = slots.map(({ parameter, memory }, i) => {
      const g = this.#coupledDecay === 0 ? grads[i]! : grads[i]!.add(parameter.value.mul(this.#coupledDecay));
      return this.#rule.update({ p: parameter.value, g, memory: memory.map((cell) => cell.value) }, scalars(parameter));
    });
    slots.forEach(({ parameter, memory }, i) => {
      parameter.assign(updates[i]!.p);
      memory.forEach((cell, j) => {
        cell.assign(updates[i]!.memory[j]!);
      });
    });
    this.step.assign(successor(before));
    if (this.#schedule) this.#rate.assign(lr);
  }
}

function checkUnused(options: MinimizeOptions): "error" | "skip" {
  checkOptions("minimize", options, ["unused"]);
  const { unused = "error" } = options;
  if (unused === "error" || unused === "skip") return unused;
  throw new ArgumentError(`minimize: unused is ${show(unused)}`, { help: '"error" or "skip"' });
}

/** The first names of a list. */
const some = (names: readonly string[]): string => names.slice(0, 5).join(", ") + (names.length > 5 ? `, … (${names.length})` : "");

/** Scalars in a parameter's dtype, cast once for each dtype. */
function inDTypes(scalars: readonly Tensor<[]>[]): (parameter: Variable) => readonly Tensor<[]>[] {
  const cast = new Map<string, readonly Tensor<[]>[]>();
  return ({ dtype }) => {
    if (!cast.has(dtype))
      cast.set(
        dtype,
        scalars.map((x) => x.cast(dtype)),
      );
    return cast.get(dtype)!;
  };
}

/** g · min(1, limit / (‖all g‖ + 1e-6)), as PyTorch's clip_grad_norm_; before that each element is cut. */
function clip(grads: readonly Tensor[], value: number | undefined, norm: number | undefined): readonly Tensor[] {
  const cut = value === undefined ? grads : grads.map((g) => g.clip(-value, value));
  if (norm === undefined) return cut;
  const squares = cut.map((g) => g.square().sum() as Tensor);
  const total = squares.reduce((sum, x) => sum.add(x)).sqrt();
  const scale = total.add(1e-6).reciprocal().mul(norm).minimum(1);
  return cut.map((g) => g.mul(scale.cast(g.dtype)));
}

/** n + 1. Outside programs at once: nothing may ever ask for the count, and a chain of 100,000 additions would wait for it. */
function successor(n: Tensor): Tensor {
  const count = knownNumber(n);
  return count === undefined ? n.add(1) : scalar(count + 1);
}

function memoryOf(parameter: Variable, name: string, start: number, index: number): Variable {
  const zeros = full(parameter.shape, start, { dtype: parameter.dtype });
  return variable(zeros, { name: `${parameter.name || index}.${name}`, trainable: false });
}

function checkParameters(parameters: readonly Variable[], who: string): readonly Variable[] {
  if (!Array.isArray(parameters) || parameters.length === 0)
    throw new ArgumentError(`${who}: there are no parameters`, {
      why: "an optimiser updates at least one variable",
      help: `${who}(model.parameters(), { lr: … })`,
    });
  parameters.forEach((p: unknown, i) => {
    if (!(p instanceof Variable))
      throw new ArgumentError(`${who}: parameter ${i} is no variable`, { help: `${who}(model.parameters(), { lr: … })` });
    if (!isFloat(p.dtype))
      throw new DTypeError(`${who}: parameter ${i} is ${p.dtype}`, { why: "only floats can take a step along a gradient" });
    if (!p.trainable)
      throw new ArgumentError(`${who}: parameter ${i} is not trainable`, {
        why: "it was made with trainable: false",
        help: "leave it out of the list",
      });
    if (parameters.indexOf(p) !== i)
      throw new ArgumentError(`${who}: parameters ${parameters.indexOf(p)} and ${i} are the same variable`, {
        why: "it would be updated twice",
      });
  });
  return [...parameters];
}

function checkGradients(grads: readonly Tensor[], parameters: readonly Variable[], who: string): void {
  if (grads.length !== parameters.length)
    throw new ArgumentError(`${who}: ${grads.length} gradients for ${parameters.length} parameters`, {
      help: "one for each, in the order of optimizer.parameters",
    });
  grads.forEach((g, i) => {
    const p = parameters[i]!;
    if (!sameShape(g.shape, p.shape))
      throw new ShapeError(`${who}: gradient ${i} is ${showShape(g.shape)}, its parameter ${showShape(p.shape)}`);
    if (g.dtype !== p.dtype)
      throw new DTypeError(`${who}: gradient ${i} is ${g.dtype}, its parameter ${p.dtype}`, { help: `g.cast("${p.dtype}")` });
  });
}

function checkBound(value: number, who: string): number {
  if (typeof value === "number" && value > 0 && Number.isFinite(value)) return value;
  throw new ArgumentError(`${who} is ${String(value)}`, { help: "a finite number above 0; leave it out for no clipping" });
}
