/** The optimisers: PyTorch's, by its names, defaults and arithmetic. */
import { ArgumentError, show } from "../core/errors.ts";
import { checkOptions } from "../core/options.ts";
import { takeSite } from "../core/site.ts";
import type { Variable } from "../index.ts";
import { type Common, makeOptimizer, type Optimizer } from "./optimizer.ts";
import { adagradRule, adamRule, rmspropRule, sgdRule } from "./rules.ts";

export interface SgdOptions extends Common {
  /** μ in [0, 1). Default 0. */
  readonly momentum?: number;
  /** Look ahead along the momentum. Default false. */
  readonly nesterov?: boolean;
  /** The gradient enters the momentum times 1 − this. Default 0. */
  readonly dampening?: number;
  /** The weight of an L1 penalty, taken as a proximal step after the update: it makes exact zeros. Default 0. */
  readonly l1?: number;
}

/**
 * Stochastic gradient descent: p' = p − lr · g, or with momentum v' = μ v + g and p' = p − lr · v'. Rule: `sgdRule`.
 *
 * @throws ArgumentError for options outside their ranges; Nesterov needs momentum and no dampening
 * @example
 * const optimizer = sgd(model.parameters(), { lr: 0.1, momentum: 0.9 });
 * const step = compile((x: Tensor, y: Tensor) => { const loss = mse(model.forward(x), y); optimizer.minimize(loss); return loss; });
 */
export function sgd(parameters: readonly Variable[], options: SgdOptions): Optimizer {
  checkRuleOptions(options, "sgd", ["momentum", "nesterov", "dampening", "l1"]);
  const { momentum = 0, nesterov = false, dampening = 0, l1 = 0, weightDecay = 0 } = options;
  checkFraction(momentum, "sgd: momentum");
  checkFraction(dampening, "sgd: dampening", true);
  checkNotNegative(l1, "sgd: l1");
  if (nesterov && (momentum === 0 || dampening !== 0))
    throw new ArgumentError("sgd: nesterov needs momentum above 0 and no dampening", { help: "{ momentum: 0.9, nesterov: true }" });
  const rule = sgdRule({ momentum, nesterov, dampening: momentum === 0 ? 0 : dampening, l1 });
  return makeOptimizer(parameters, rule, options, checkNotNegative(weightDecay, "sgd: weightDecay"));
}

export interface AdagradOptions extends Common {
  /** The rate at step t is lr / (1 + t · lrDecay). Default 0. */
  readonly lrDecay?: number;
  /** What the sums of squares start from. Default 0. */
  readonly initialAccumulator?: number;
  /** Default 1e-10. */
  readonly eps?: number;
}

/** Adagrad: steps shrink with the sum of squared gradients. Rule: `adagradRule`. */
export function adagrad(parameters: readonly Variable[], options: AdagradOptions): Optimizer {
  checkRuleOptions(options, "adagrad", ["lrDecay", "initialAccumulator", "eps"]);
  const { lrDecay = 0, initialAccumulator = 0, eps = 1e-10, weightDecay = 0 } = options;
  const rule = adagradRule({
    lrDecay: checkNotNegative(lrDecay, "adagrad: lrDecay"),
    initialAccumulator: checkNotNegative(initialAccumulator, "adagrad: initialAccumulator"),
    eps: checkNotNegative(eps, "adagrad: eps"),
  });
  return makeOptimizer(parameters, rule, options, checkNotNegative(weightDecay, "adagrad: weightDecay"));
}

export interface RmspropOptions extends Common {
  /** How much of the running square stays. Default 0.99. */
  readonly alpha?: number;
  /** Default 1e-8. */
  readonly eps?: number;
  /** Default 0. */
  readonly momentum?: number;
  /** Divide by the standard deviation of the gradients instead of their root mean square. Default false. */
  readonly centered?: boolean;
}

/** RMSProp: steps are divided by a running root mean square of the gradients. Rule: `rmspropRule`. */
export function rmsprop(parameters: readonly Variable[], options: RmspropOptions): Optimizer {
  checkRuleOptions(options, "rmsprop", ["alpha", "eps", "momentum", "centered"]);
  const { alpha = 0.99, eps = 1e-8, momentum = 0, centered = false, weightDecay = 0 } = options;
  const rule = rmspropRule({
    alpha: checkFraction(alpha, "rmsprop: alpha"),
    eps: checkNotNegative(eps, "rmsprop: eps"),
    momentum: checkFraction(momentum, "rmsprop: momentum"),
    centered,
  });
  return makeOptimizer(parameters, rule, options, checkNotNegative(weightDecay, "rmsprop: weightDecay"));
}

export interface AdamOptions extends Common {
  /** How much of the running mean and of the running square stays. Default [0.9, 0.999]. */
  readonly betas?: readonly [number, number];
  /** Default 1e-8. */
  readonly eps?: number;
}

/** Adam: a running mean of the gradients over a running root mean square, both corrected for their start at 0. Rule: `adamRule`. */
export function adam(parameters: readonly Variable[], options: AdamOptions): Optimizer {
  checkRuleOptions(options, "adam", ["betas", "eps"]);
  return makeOptimizer(parameters, adamOf("adam", options, 0), options, checkNotNegative(options.weightDecay ?? 0, "adam: weightDecay"));
}

/** Adam whose weight decay (default 0.01) shrinks the parameters by lr · weightDecay instead of entering the gradients. Rule: `adamRule`. */
export function adamW(parameters: readonly Variable[], options: AdamOptions): Optimizer {
  checkRuleOptions(options, "adamW", ["betas", "eps"]);
  return makeOptimizer(
    parameters,
    adamOf("adamW", options, checkNotNegative(options.weightDecay ?? 0.01, "adamW: weightDecay")),
    options,
    0,
  );
}

function adamOf(
  name: "adam" | "adamW",
  { betas = [0.9, 0.999], eps = 1e-8 }: AdamOptions,
  decoupledDecay: number,
): ReturnType<typeof adamRule> {
  return adamRule({
    name,
    betas: [checkFraction(betas[0], `${name}: betas[0]`), checkFraction(betas[1], `${name}: betas[1]`)],
    eps: checkNotNegative(eps, `${name}: eps`),
    decoupledDecay,
  });
}

const COMMON: readonly (keyof Common)[] = ["lr", "weightDecay", "clipNorm", "clipValue"];

/** With an example where there are no options at all. */
function checkRuleOptions<O extends Common>(options: O, who: string, own: readonly (keyof O & string)[]): void {
  if (typeof options !== "object" || options === null)
    throw new ArgumentError(`${who}: the options are ${show(options)}`, {
      help: `${who}(model.parameters(), { lr: 0.01 })`,
      site: takeSite(),
    });
  checkOptions(who, options, [...COMMON, ...own], takeSite);
}

/** In [0, 1), or with `closed` in [0, 1]. */
function checkFraction(value: number, who: string, closed = false): number {
  if (typeof value === "number" && value >= 0 && (closed ? value <= 1 : value < 1)) return value;
  throw new ArgumentError(`${who} is ${String(value)}`, { help: `a number from 0 ${closed ? "to" : "to just below"} 1` });
}

function checkNotNegative(value: number, who: string): number {
  if (typeof value === "number" && value >= 0 && Number.isFinite(value)) return value;
  throw new ArgumentError(`${who} is ${String(value)}`, { help: "a finite number ≥ 0" });
}
