/** Scores of predicted numbers. */
import { type DType, isFloat } from "../core/dtype.ts";
import { ShapeError } from "../core/errors.ts";
import { sameShape, showShape, sizeOf } from "../core/shape.ts";
import { full, type Tensor } from "../index.ts";
import { checkPair, type Metric, metric } from "./metric.ts";

/** Targets like the outputs: [n] for [n, 1] and the other way round, of any dtype. */
function alike(who: string, output: Tensor, target: Tensor, dtype?: DType): { y: Tensor; t: Tensor } {
  checkPair(who, output, target);
  const bare = (shape: readonly number[]): readonly number[] => (shape.length > 1 && shape.at(-1) === 1 ? shape.slice(0, -1) : shape);
  if (!sameShape(bare(output.shape), bare(target.shape)))
    throw new ShapeError(`${who}: the outputs are ${showShape(output.shape)}, the targets ${showShape(target.shape)}`, {
      why: "every output needs its own target; metrics do not broadcast",
    });
  const y = output.cast(dtype ?? (isFloat(output.dtype) ? output.dtype : "float32"));
  return { y, t: target.cast(y.dtype).reshape(y.shape) };
}

const elements = (x: Tensor): Tensor => full([], sizeOf(x.shape));

const meanOf = (who: string, f: (difference: Tensor) => Tensor, root = false): Metric & { readonly better: "smaller" } =>
  metric({
    better: "smaller",
    sums: (output, target) => {
      const { y, t } = alike(who, output, target);
      return { total: f(y.sub(t)).sum(), count: elements(y) };
    },
    value: ({ total, count }) => (root ? total.div(count).sqrt() : total.div(count)),
  }) as Metric & { readonly better: "smaller" };

/** Σ |y − t| / n, over all elements. Shapes: equal, or [n, 1] beside [n]; targets of any dtype. */
export const meanAbsoluteError: Metric = meanOf("meanAbsoluteError", (d) => d.abs());

/** Σ (y − t)² / n, over all elements. Shapes as for `meanAbsoluteError`. */
export const meanSquaredError: Metric = meanOf("meanSquaredError", (d) => d.square());

/** √(Σ (y − t)² / n), over all elements of the data set: in the targets' units. Shapes as for `meanAbsoluteError`. */
export const rootMeanSquaredError: Metric = meanOf("rootMeanSquaredError", (d) => d.square(), true);

/**
 * The coefficient of determination, 1 − Σ (y − t)² / Σ (t − t̄)², the share of the targets' variance that is explained: 1 is perfect, 0 as good as
 * their mean, below 0 worse. Of several columns the mean of their scores. Targets that are all equal have no variance to explain: −∞, or NaN for
 * perfect predictions. Computed in float64, so that targets far from 0 (years, 10⁶ ± 1) keep their spread. Shapes as for `meanAbsoluteError`.
 */
export const rSquared: Metric = metric(
  (output, target) => {
    const { y, t } = alike("rSquared", output, target, "float64");
    const left = y.sub(t).square().sum(0);
    const all = t
      .sub(t.mean(0, { keepDims: true }))
      .square()
      .sum(0);
    return left.div(all).neg().add(1).mean();
  },
  { better: "larger" },
);
