/** Convolutions without sharing: a kernel of its own for each position. */
import { ShapeError } from "../core/errors.ts";
import { sameShape, showShape } from "../core/shape.ts";
import { countWindows, type SlidingOptions, slidings } from "../core/sliding.ts";
import type { Value } from "../graph/op.ts";
import * as ops from "../ops/index.ts";
import type { ConvolutionCall } from "./convolution.ts";
import { promoted } from "./elementwise.ts";
import { pad } from "./pad.ts";

/**
 * y[…, o, i] = bias[o, i] + Σ x[…, c, stride · i + dilation · j − before] · weight[o, i, c, j]. Goodfellow, Bengio and Courville 2016, equation 9.9.
 *
 * Shapes: x […, in, space], weight [out, positions, in, kernel], bias [out, positions], result […, out, positions].
 */
export function locallyConnected(call: ConvolutionCall, options: Omit<SlidingOptions, "kernelSize">): Value {
  const { who, axes } = call;
  const [x, weight] = promoted([call.x, call.weight], who) as [Value, Value];
  checkRanks(who, axes, x, weight);
  const slides = slidings(who, axes, { ...options, kernelSize: weight.shape.slice(-axes) });
  const positions = slides.map((s, i) => countWindows(who, x.shape, x.shape.length - axes + i, s));
  if (!sameShape(positions, weight.shape.slice(1, axes + 1)))
    throw new ShapeError(
      `${who}: the weight ${showShape(weight.shape)} has kernels for ${showShape(weight.shape.slice(1, axes + 1))} positions`,
      {
        why: `the input ${showShape(x.shape)} has ${showShape(positions)}`,
      },
    );
  const padded = pad(x, slides.map(({ before, after }) => [before, after])); // biome-ignore format: one line
  // From the last axis on, so that the axes before keep their numbers.
  const seen = slides.reduceRight(
    (y, { size, stride, dilation }, i) => ops.windows(y, { axis: x.shape.length - axes + i, size, stride, dilation }),
    padded,
  );
  const leading = x.shape.slice(0, -axes - 1).map((_, i) => `batch ${i}`);
  const [at, under] = ["position", "under"].map((name) => slides.map((_, i) => `${name} ${i}`)) as [string[], string[]];
  const y = ops.labelled(
    [
      [...leading, "in", ...slides.flatMap((_, i) => [at[i]!, under[i]!])],
      ["out", ...at, "in", ...under],
    ],
    [...leading, "out", ...at],
    [seen, weight],
    who,
  );
  return call.bias ? withBias(who, y, call.bias, weight.shape.slice(0, axes + 1)) : y;
}

function checkRanks(who: string, axes: number, x: Value, weight: Value): void {
  if (weight.shape.length !== 2 * axes + 2)
    throw new ShapeError(`${who}: the weight is ${showShape(weight.shape)}`, { why: "it is [out, …positions, in, …kernel]" });
  const [channels, wanted] = [x.shape.at(-axes - 1), weight.shape[axes + 1]];
  if (channels === wanted) return;
  throw new ShapeError(`${who}: the input is ${showShape(x.shape)}`, {
    why:
      channels === undefined
        ? `it needs an axis of channels, and ${axes} of space after it`
        : `it has ${channels} ${channels === 1 ? "channel" : "channels"}, the weight ${showShape(weight.shape)} is for ${wanted}`,
  });
}

/** y + bias, a number for each channel and position. */
function withBias(who: string, y: Value, bias: Value, wanted: readonly number[]): Value {
  if (!sameShape(bias.shape, wanted))
    throw new ShapeError(`${who}: the bias is ${showShape(bias.shape)}`, { why: `there is a number for each of ${showShape(wanted)}` });
  const [sum, added] = promoted([y, bias], who) as [Value, Value];
  return ops.add(sum, ops.broadcastTo(added, y.shape));
}
