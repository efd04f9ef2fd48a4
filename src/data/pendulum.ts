import { ArgumentError, show } from "../core/errors.ts";
import { checkOptions } from "../core/options.ts";
import { ArrayDataset } from "./dataset.ts";
import { HostRandom } from "./random.ts";

export interface PendulumOptions {
  readonly seed?: number;
  /** The training set (default) or the test set: other swings, measured as badly. */
  readonly train?: boolean;
  /** How many; 2,000 for training and 500 for testing unless said. */
  readonly count?: number;
  /** Standard deviation of the stopwatch in seconds. Default 0.02. */
  readonly noise?: number;
}

/** The inputs of `pendulum`, in order. */
export const PENDULUM_INPUTS = ["length", "amplitude", "gravity"] as const;

/** √((1 + k)/2 …) of two numbers: their arithmetic-geometric mean (Gauss), in at most eight steps. */
function meanOfMeans(a: number, b: number): number {
  while (Math.abs(a - b) > 1e-15 * a) [a, b] = [(a + b) / 2, Math.sqrt(a * b)];
  return a;
}

/** T = 2π √(L/g) / agm(1, cos(θ/2)) in seconds: the period of a pendulum of any amplitude θ, in degrees. */
const period = (length: number, amplitude: number, gravity: number): number =>
  (2 * Math.PI * Math.sqrt(length / gravity)) / meanOfMeans(1, Math.cos((amplitude * Math.PI) / 360));

/**
 * Measured periods of pendulums: x [n, 3] are length (0.1 to 2 m), amplitude (5 to 170 degrees) and gravity (1.6 m/s², the Moon's, to 24.8,
 * Jupiter's), y [n, 1] is the period in seconds, with the error of a stopwatch. Nothing is downloaded. A linear model explains three quarters of
 * the variance, a network with a hidden layer nearly all that the stopwatch leaves.
 */
export function pendulum(options: PendulumOptions = {}): ArrayDataset {
  checkOptions("pendulum", options, ["seed", "train", "count", "noise"]);
  const { seed = 0, train = true, count = train ? 2000 : 500, noise = 0.02 } = options;
  if (!Number.isSafeInteger(seed) || seed < 0) throw new ArgumentError(`pendulum: seed ${show(seed)}`, { help: "a whole number ≥ 0" });
  if (!Number.isSafeInteger(count) || count < 1 || count > 10_000_000)
    throw new ArgumentError(`pendulum: ${show(count)} swings`, { help: "a whole number from 1 to 10,000,000" });
  if (!(noise >= 0 && noise < 1e6)) throw new ArgumentError(`pendulum: a noise of ${show(noise)} s`, { help: "a number ≥ 0" });
  const random = new HostRandom(seed, train ? 4 : 5);
  const x = new Float32Array(3 * count);
  const y = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    const [length, amplitude, gravity] = [random.uniform(0.1, 2), random.uniform(5, 170), random.uniform(1.6, 24.8)];
    x.set([length, amplitude, gravity], 3 * i);
    y[i] = period(length, amplitude, gravity) + random.normal(0, noise);
  }
  return new ArrayDataset({ data: x, shape: [3] }, { data: y, shape: [1] });
}
