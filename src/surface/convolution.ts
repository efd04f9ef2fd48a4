/** Convolutions: contractions whose forms have windows. Goodfellow, Bengio and Courville 2016, chapter 9. */
import { ArgumentError, ShapeError, show } from "../core/errors.ts";
import { checkShape, showShape } from "../core/shape.ts";
import { channelsFirst, countWindows, type PerAxis, type SlidingOptions, slidings, spanOf, transposedSlidings } from "../core/sliding.ts";
import type { Form, Value } from "../graph/op.ts";
import * as ops from "../ops/index.ts";
import { promoted } from "./elementwise.ts";

export interface Convolving extends Omit<SlidingOptions, "kernelSize"> {
  readonly groups?: number | undefined;
}

export interface Transposing extends Convolving {
  readonly outputPadding?: PerAxis | undefined;
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

/** Channels of a convolution: those of the input and of the result, in how many groups. */
interface Channels {
  readonly input: number;
  readonly output: number;
  readonly groups: number;
}

/**
 * y[…, o, i] = bias[o] + Σ x[…, c, stride · i + dilation · j − before] · weight[o, c, j], where c runs over the channels of o's group.
 *
 * Shapes: x […, in, space], weight [out, in / groups, kernel], bias [out], result […, out, space].
 */
export function convolution(call: ConvolutionCall, options: Convolving): Value {
  const { who, axes, x, weight } = checkedCall(call, "out, in / groups");
  const groups = checkGroups(who, options.groups);
  const [output, within] = weight.shape as [number, number];
  checkChannels(call, { input: within * groups, output, groups });
  if (output % groups !== 0)
    throw new ShapeError(`${who}: ${output} channels of the result in ${groups} groups`, { why: "each group makes equally many" });
  const windows = slidings(who, axes, { ...options, kernelSize: weight.shape.slice(2) }).map((s, i) => ({
    x: x.shape.at(i - axes)!,
    w: s.size,
    y: countWindows(who, x.shape, x.shape.length - axes + i, s),
    stride: s.stride,
    dilation: s.dilation,
    pad: s.before,
  }));
  return withBias(call, contracted({ axes, given: x, weight, groups }, windows, "y"), output);
}

/**
 * The adjoint of a convolution: y[…, o, stride · i + dilation · j − before] += x[…, c, i] · weight[c, o, j], and bias[o] added.
 * Dumoulin and Visin 2016, relationship 14.
 *
 * Shapes: x […, in, space], weight [in, out / groups, kernel], bias [out], result […, out, space].
 */
export function transposedConvolution(call: ConvolutionCall, options: Transposing): Value {
  const { who, axes, x, weight } = checkedCall(call, "in, out / groups");
  const groups = checkGroups(who, options.groups);
  const [input, within] = weight.shape as [number, number];
  checkChannels(call, { input, output: within * groups, groups });
  if (input % groups !== 0)
    throw new ShapeError(`${who}: ${input} channels of the input in ${groups} groups`, { why: "each group has equally many" });
  return withBias(call, contracted({ axes, given: x, weight, groups }, transposedWindows(call, options), "x"), within * groups);
}

/** The windows of the convolution whose adjoint is meant: it goes from the result, x, to the input, y. */
function transposedWindows({ who, axes, x, weight }: ConvolutionCall, options: Transposing): Form["windows"] {
  return transposedSlidings(who, axes, { ...options, kernelSize: weight.shape.slice(2) }).map((s, i) => {
    const size = x.shape.at(i - axes)!;
    const result = s.stride * (size - 1) + spanOf(s) - s.before - s.after + s.further;
    if (result < 1)
      throw new ShapeError(`${who}: axis ${x.shape.length - axes + i} of ${showShape(x.shape)} would become ${result} long`, {
        why: `${s.stride} · (${size} − 1) + ${spanOf(s)} − ${s.before} − ${s.after} + ${s.further} = ${result}`,
        help: "less padding",
      });
    return { x: result, w: s.size, y: size, stride: s.stride, dilation: s.dilation, pad: s.before };
  });
}

interface Contracted {
  readonly axes: number;
  /** What is given besides the weight: x for y, y for x. */
  readonly given: Value;
  readonly weight: Value;
  readonly groups: number;
}

/** The contraction of one side with the weight [channels of y, channels of x / groups, kernel]: the other side. Groups are an axis of all three. */
function contracted({ axes, given, weight, groups }: Contracted, windows: Form["windows"], result: "x" | "y"): Value {
  const [leading, space] = [given.shape.slice(0, -axes - 1), given.shape.slice(-axes)];
  const [ofY, ofX] = [weight.shape[0]! / groups, weight.shape[1]!];
  const made = groups * (result === "y" ? ofY : ofX);
  const shape = checkShape([...leading, made, ...windows.map((window) => window[result])], "contract");
  const split = groups === 1 ? [] : [groups];
  const labels: Form["axes"] = [
    ...leading.map((size) => ({ size, in: ["x", "y"] as const })),
    ...split.map((size) => ({ size, in: ["x", "w", "y"] as const })),
    { size: ofY, in: ["w", "y"] },
    { size: ofX, in: ["x", "w"] },
  ];
  const kernels = ops.reshape(weight, [...split, ofY, ...weight.shape.slice(1)]);
  const side = ops.reshape(given, [...leading, ...split, result === "y" ? ofX : ofY, ...space]);
  const form: Form = { axes: labels, windows, result };
  return ops.reshape(result === "y" ? ops.contract(form, side, kernels) : ops.contract(form, kernels, side), shape);
}

/** The call in one dtype, if its operands have as many axes as they must. */
function checkedCall(call: ConvolutionCall, channels: string): ConvolutionCall {
  const { who, axes } = call;
  const [x, weight] = promoted([call.x, call.weight], who) as [Value, Value];
  const names = SPACE[axes - 1]!;
  if (x.shape.length < axes + 1)
    throw new ShapeError(`${who}: the input is ${showShape(x.shape)}`, {
      why: `it is […, channels, ${names.join(", ")}]`,
      ...(x.shape.length === axes ? { help: `x.unsqueeze(0) has one channel: ${showShape([1, ...x.shape])}` } : {}),
    });
  if (weight.shape.length !== axes + 2)
    throw new ShapeError(`${who}: the weight is ${showShape(weight.shape)}`, {
      why: `it is [${channels}, ${names.map((n) => `k${n}`).join(", ")}]`,
    });
  return { ...call, x, weight };
}

function checkGroups(who: string, groups = 1): number {
  if (Number.isSafeInteger(groups) && groups >= 1) return groups;
  throw new ArgumentError(`${who}: groups is ${show(groups)}`, { help: "a whole number ≥ 1" });
}

function checkChannels({ who, axes, x, weight }: ConvolutionCall, { input, groups }: Channels): void {
  const channels: number = x.shape.at(-axes - 1)!;
  if (channels === input) return;
  throw new ShapeError(`${who}: the input ${showShape(x.shape)} has ${channels} ${channels === 1 ? "channel" : "channels"}`, {
    why: `the weight ${showShape(weight.shape)} is for ${input}${groups === 1 ? "" : `, in ${groups} groups`}`,
    help: channelsFirst(x.shape, axes, input),
  });
}

/** y + bias, a number for each channel. */
function withBias({ who, axes, bias, weight }: ConvolutionCall, y: Value, channels: number): Value {
  if (!bias) return y;
  if (bias.shape.length !== 1 || bias.shape[0] !== channels)
    throw new ShapeError(`${who}: the bias is ${showShape(bias.shape)}`, {
      why: `the weight ${showShape(weight.shape)} makes ${channels} channels, each with one number`,
    });
  const [sum, added] = promoted([y, bias], who) as [Value, Value];
  return ops.add(sum, ops.broadcastTo(added, y.shape, [y.shape.length - axes - 1]));
}
