/** Convolutions: contractions whose forms have windows. Goodfellow, Bengio and Courville 2016, chapter 9. */
import { ArgumentError, ShapeError, show } from "../core/errors.ts";
import { checkShape, type Shape, showShape } from "../core/shape.ts";
import { countWindows, type SlidingOptions, slidings } from "../core/sliding.ts";
import type { Form, Value } from "../graph/op.ts";
import * as ops from "../ops/index.ts";
import { promoted } from "./elementwise.ts";

export interface Convolving extends Omit<SlidingOptions, "kernelSize"> {
  readonly groups?: number | undefined;
}

/** What a convolution is of: `who` names it, `axes` says over how many axes it slides. */
export interface ConvolutionCall {
  readonly who: string;
  readonly axes: number;
  readonly x: Value;
  readonly weight: Value;
  readonly bias?: Value | undefined;
}

/** Names of the axes of space, as they are said of images. */
const SPACE = ["l", "h w", "d h w"].map((names) => names.split(" "));

/**
 * y[…, o, i] = bias[o] + Σ x[…, c, stride · i + dilation · j − before] · weight[o, c, j], where c runs over the channels of o's group.
 *
 * Shapes: x […, in, space], weight [out, in / groups, kernel], bias [out], result […, out, space].
 */
export function convolution(call: ConvolutionCall, options: Convolving): Value {
  const { who, axes } = call;
  const [x, weight] = promoted([call.x, call.weight], who) as [Value, Value];
  const groups = checkOperands({ ...call, x, weight }, options.groups ?? 1);
  const [leading, space] = [x.shape.slice(0, -axes - 1), x.shape.slice(-axes)];
  const [out, within] = weight.shape as [number, number];
  const slides = slidings(who, axes, { ...options, kernelSize: weight.shape.slice(2) });
  const windows = slides.map((s, i) => ({
    x: space[i]!,
    w: s.size,
    y: countWindows(who, x.shape, leading.length + 1 + i, s),
    stride: s.stride,
    dilation: s.dilation,
    pad: s.before,
  }));
  const grouped = groups === 1 ? [] : [groups];
  const labels: Form["axes"] = [
    ...leading.map((size) => ({ size, in: ["x", "y"] as const })),
    ...grouped.map((size) => ({ size, in: ["x", "w", "y"] as const })),
    { size: out / groups, in: ["w", "y"] },
    { size: within, in: ["x", "w"] },
  ];
  const positions = windows.map(({ y }) => y);
  const shape = checkShape([...leading, out, ...positions], who);
  const y = ops.contract(
    { axes: labels, windows, result: "y" },
    ops.reshape(x, [...leading, ...grouped, within, ...space]),
    ops.reshape(weight, [...grouped, out / groups, within, ...weight.shape.slice(2)]),
  );
  return withBias(call, ops.reshape(y, shape));
}

/** The number of groups, if the operands are images and kernels that go together. */
function checkOperands({ who, axes, x, weight }: ConvolutionCall, groups: number): number {
  const names = SPACE[axes - 1]!;
  if (x.shape.length < axes + 1)
    throw new ShapeError(`${who}: the input is ${showShape(x.shape)}`, {
      why: `it is […, channels, ${names.join(", ")}]`,
      ...(x.shape.length === axes ? { help: `x.unsqueeze(0) has one channel: ${showShape([1, ...x.shape])}` } : {}),
    });
  if (weight.shape.length !== axes + 2)
    throw new ShapeError(`${who}: the weight is ${showShape(weight.shape)}`, {
      why: `it is [out, in / groups, ${names.map((n) => `k${n}`).join(", ")}]`,
    });
  const [out, within] = weight.shape as [number, number];
  const channels: number = x.shape.at(-axes - 1)!;
  if (!Number.isSafeInteger(groups) || groups < 1)
    throw new ArgumentError(`${who}: groups is ${show(groups)}`, { help: "a whole number ≥ 1" });
  if (out % groups !== 0)
    throw new ShapeError(`${who}: ${out} channels of the result in ${groups} groups`, { why: "each group makes equally many" });
  if (channels !== within * groups)
    throw new ShapeError(`${who}: the input ${showShape(x.shape)} has ${channels} ${channels === 1 ? "channel" : "channels"}`, {
      why: `the weight ${showShape(weight.shape)} is for ${within}${groups === 1 ? "" : ` in each of ${groups} groups, ${within * groups} in all`}`,
    });
  return groups;
}

/** y + bias, a number for each channel. */
function withBias({ who, axes, bias, weight }: ConvolutionCall, y: Value): Value {
  if (!bias) return y;
  const at = y.shape.length - axes - 1;
  const channels: Shape = [y.shape[at]!];
  if (bias.shape.length !== 1 || bias.shape[0] !== channels[0])
    throw new ShapeError(`${who}: the bias is ${showShape(bias.shape)}`, {
      why: `the weight ${showShape(weight.shape)} makes ${channels[0]} channels, each with one number`,
    });
  const [sum, added] = promoted([y, bias], who) as [Value, Value];
  return ops.add(sum, ops.broadcastTo(added, y.shape, [at]));
}
