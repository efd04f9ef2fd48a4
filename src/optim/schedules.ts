/**
 * Learning rates as functions of the step number. A schedule is part of the compiled program and is computed in float64;
 * the step is the number of updates already made, kept in a cell of the optimiser, so that a resumed run goes on where it stopped.
 */
import { ArgumentError } from "../core/errors.ts";
import { checkOptions } from "../core/options.ts";
import { takeSite } from "../core/site.ts";
import { type Tensor, tensor, where } from "../index.ts";

/** step (float64, 0 at the first update) → rate. */
export type Schedule = (step: Tensor<[]>) => Tensor<[]>;

/** The same rate for ever. */
export function constant(options: { readonly lr: number }): Schedule {
  checkSchedule("constant", options, ["lr"]);
  const lr = checkRate(options.lr, "constant: lr");
  return () => scalar(lr);
}

/** start · factor^⌊s / every⌋. PyTorch's StepLR. */
export function step(options: { readonly start: number; readonly every: number; readonly factor?: number }): Schedule {
  checkSchedule("step", options, ["start", "every", "factor"]);
  const start = checkRate(options.start, "step: start");
  const every = checkSteps(options.every, "step: every");
  const factor = checkFactor(options.factor ?? 0.1, "step: factor");
  return (s) => power(factor, s.div(every).floor()).mul(start);
}

/** start · factor^s. PyTorch's ExponentialLR. */
export function exponential(options: { readonly start: number; readonly factor: number }): Schedule {
  checkSchedule("exponential", options, ["start", "factor"]);
  const start = checkRate(options.start, "exponential: start");
  const factor = checkFactor(options.factor, "exponential: factor");
  return (s) => power(factor, s).mul(start);
}

/** From start to end in a straight line over `steps`, then end. PyTorch's LinearLR. */
export function linear(options: { readonly start: number; readonly end: number; readonly steps: number }): Schedule {
  checkSchedule("linear", options, ["start", "end", "steps"]);
  const start = checkRate(options.start, "linear: start");
  const end = checkRate(options.end, "linear: end");
  const steps = checkSteps(options.steps, "linear: steps");
  return (s) =>
    s
      .minimum(steps)
      .mul((end - start) / steps)
      .add(start);
}

export interface CosineOptions {
  readonly peak: number;
  /** Of the whole schedule, warm-up included; afterwards the rate is `end`. */
  readonly steps: number;
  /** Steps that rise from peak / warmup to the peak. Default 0. */
  readonly warmup?: number;
  /** Default 0. */
  readonly end?: number;
}

/**
 * A linear warm-up, then end + (peak − end) · (1 + cos πr) / 2 with r from 0 to 1. Loshchilov and Hutter 2017, equation 5;
 * without warm-up PyTorch's CosineAnnealingLR.
 *
 * @example adam(model.parameters(), { lr: cosine({ peak: 1e-3, steps: 5000, warmup: 100 }) })
 */
export function cosine(options: CosineOptions): Schedule {
  checkSchedule("cosine", options, ["peak", "steps", "warmup", "end"]);
  const peak = checkRate(options.peak, "cosine: peak");
  const end = checkRate(options.end ?? 0, "cosine: end");
  const steps = checkSteps(options.steps, "cosine: steps");
  const rise = checkSteps(options.warmup ?? 0, "cosine: warmup", 0);
  if (rise >= steps)
    throw new ArgumentError(`cosine: ${rise} steps of warm-up in ${steps} steps`, { help: "warmup must be less than steps" });
  const fall: Schedule = (s) =>
    anneal(
      peak,
      end,
      s
        .sub(rise)
        .clip(0, steps - rise)
        .div(steps - rise),
    );
  return rise === 0 ? fall : warmup(fall, { steps: rise });
}

/** Another schedule whose first rates are multiplied by 1/steps, 2/steps, … 1. */
export function warmup(schedule: Schedule | number, options: { readonly steps: number }): Schedule {
  checkSchedule("warmup", options, ["steps"]);
  const steps = checkSteps(options.steps, "warmup: steps");
  const inner = typeof schedule === "number" ? constant({ lr: schedule }) : schedule;
  return (s) => inner(s).mul(s.add(1).minimum(steps).div(steps));
}

export interface OneCycleOptions {
  readonly peak: number;
  readonly steps: number;
  /** The part of the steps in which the rate rises. Default 0.3. */
  readonly rise?: number;
  /** The first rate is peak / division. Default 25. */
  readonly division?: number;
  /** The last rate is the first / finalDivision. Default 10,000. */
  readonly finalDivision?: number;
}

/** Up along half a cosine, then down along another. Smith and Topin 2018; PyTorch's OneCycleLR. */
export function oneCycle(options: OneCycleOptions): Schedule {
  checkSchedule("oneCycle", options, ["peak", "steps", "rise", "division", "finalDivision"]);
  const peak = checkRate(options.peak, "oneCycle: peak");
  const steps = checkSteps(options.steps, "oneCycle: steps", 2);
  const { rise = 0.3, division = 25, finalDivision = 1e4 } = options;
  if (!(rise > 0 && rise < 1)) throw new ArgumentError(`oneCycle: rise is ${rise}`, { help: "a part of the steps, between 0 and 1" });
  const first = peak / checkFactor(division, "oneCycle: division");
  const last = first / checkFactor(finalDivision, "oneCycle: finalDivision");
  // The corner lies between two steps where rise · steps is no whole number, as in PyTorch.
  const corner = rise * steps - 1;
  if (corner <= 0)
    throw new ArgumentError(`oneCycle: rise ${rise} of ${steps} steps leaves no step to rise in`, { help: "more steps, or a larger rise" });
  return (s) =>
    where(
      s.le(corner),
      anneal(first, peak, s.minimum(corner).div(corner)),
      anneal(
        peak,
        last,
        s
          .sub(corner)
          .clip(0, steps - 1 - corner)
          .div(steps - 1 - corner),
      ),
    ) as Tensor<[]>;
}

/** From a to b along half a cosine: b + (a − b) · (1 + cos πr) / 2. */
const anneal = (a: number, b: number, r: Tensor): Tensor<[]> =>
  r
    .mul(Math.PI)
    .cos()
    .add(1)
    .mul((a - b) / 2)
    .add(b) as Tensor<[]>;

const scalar = (value: number): Tensor<[]> => tensor(value, { dtype: "float64" }) as Tensor<[]>;
const power = (base: number, exponent: Tensor): Tensor<[]> => scalar(base).pow(exponent) as Tensor<[]>;

function checkSchedule(who: string, options: unknown, names: readonly string[]): void {
  if (options === undefined)
    throw new ArgumentError(`${who}: there are no options`, { help: `${who}({ ${names.join(", ")} })`, site: takeSite() });
  checkOptions(who, options, names, takeSite);
}

/** A rate: finite in float32 too, and not below 0. */
export function checkRate(lr: number, who: string): number {
  if (typeof lr === "number" && lr >= 0 && Number.isFinite(Math.fround(lr))) return lr;
  throw new ArgumentError(`${who} is ${String(lr)}`, {
    why: "a learning rate is a finite number ≥ 0",
    help: "0.1 … 0.001 are usual; 0 changes nothing",
  });
}

function checkSteps(steps: number, who: string, least = 1): number {
  if (Number.isSafeInteger(steps) && steps >= least) return steps;
  throw new ArgumentError(`${who} is ${String(steps)}`, { help: `a whole number ≥ ${least}` });
}

function checkFactor(factor: number, who: string): number {
  if (typeof factor === "number" && factor > 0 && Number.isFinite(factor)) return factor;
  throw new ArgumentError(`${who} is ${String(factor)}`, { help: "a finite number above 0" });
}
