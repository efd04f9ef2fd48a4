/** What the layers that slide kernels share: their parameters, and the check of what they are given. */
import { ArgumentError, ShapeError, show } from "../core/errors.ts";
import { checkOptions } from "../core/options.ts";
import { type Shape, sameShape, showShape, sizeOf } from "../core/shape.ts";
import { atUserLine, takeSite } from "../core/site.ts";
import { channelsFirst, slidings, transposedSlidings } from "../core/sliding.ts";
import type { DType, Padding, PerAxis, Tensor, Variable } from "../index.ts";
import { checkInput, checkSize } from "./arguments.ts";
import { symmetricByFan } from "./initializers.ts";
import { parameter } from "./parameter.ts";

/** How a layer slides: its options but for those of its parameters. */
export type How<Options> = Omit<Options, "bias" | "dtype">;

/** What is asked of a layer by position. */
interface Asked<In extends number, Out extends number> {
  readonly who: string;
  readonly axes: number;
  readonly inChannels: In;
  readonly outChannels: Out;
  readonly kernelSize: PerAxis;
  /** The weight is [in, out / groups, …] instead of [out, in / groups, …], and there is an output padding. */
  readonly transposed: boolean;
}

interface Options {
  readonly stride?: PerAxis;
  readonly padding?: Padding;
  readonly outputPadding?: PerAxis;
  readonly dilation?: PerAxis;
  readonly groups?: number;
  readonly bias?: boolean;
  readonly dtype?: DType;
}

interface Made<O, Out extends number> {
  readonly kernelSize: Shape;
  readonly how: How<O>;
  readonly weight: Variable<any>;
  readonly bias: Variable<[Out]> | undefined;
}

const NAMES = ["stride", "padding", "dilation", "groups", "bias", "dtype"];

/** The parameters of a layer, with PyTorch's first values: U(±1/√fan in), where the fan in of a weight [a, b, …kernel] is b · kernel. */
export function parametersOf<O extends Options, In extends number, Out extends number>(asked: Asked<In, Out>, options: O): Made<O, Out> {
  const { who, axes, inChannels, outChannels, kernelSize, transposed } = asked;
  checkOptions(who, options, transposed ? [...NAMES, "outputPadding"] : NAMES, takeSite);
  checkSize(inChannels, `${who}: inChannels`);
  checkSize(outChannels, `${who}: outChannels`);
  const { bias = true, dtype = "float32", ...how } = options;
  const groups = checkGroups(asked, options.groups ?? 1);
  const kernel = atUserLine(() => (transposed ? transposedSlidings : slidings)(who, axes, { ...options, kernelSize })).map(
    ({ size }) => size,
  );
  const [first, second] = transposed ? [inChannels, outChannels / groups] : [outChannels, inChannels / groups];
  const start = symmetricByFan(second * sizeOf(kernel));
  return {
    kernelSize: kernel,
    how,
    weight: parameter([first, second, ...kernel], start, { dtype }),
    bias: bias ? parameter([outChannels], start, { dtype }) : undefined,
  };
}

/** A number of groups that divides the channels on both sides. */
function checkGroups({ who, inChannels, outChannels }: Asked<number, number>, groups: number): number {
  if (Number.isSafeInteger(groups) && groups >= 1 && inChannels % groups === 0 && outChannels % groups === 0) return groups;
  throw new ArgumentError(`${who}: groups is ${show(groups)}`, {
    why: `it is a whole number that divides the ${inChannels} channels of the input and the ${outChannels} of the result`,
    site: takeSite(),
  });
}

/** A layer of this kind, as it computes. */
interface Convolving<O> {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly kernelSize: Shape;
  /** Where its parameters are for a size of the input. */
  readonly inputSize?: Shape;
  readonly how: How<O>;
  readonly weight: Variable;
  readonly bias: Variable | undefined;
}
type Slide<O> = (x: Tensor, weight: Tensor, options: How<O> & { readonly bias?: Tensor | undefined }) => Tensor;

/** What a layer makes of its input; errors name the layer, and the one that the input wants. */
export function forwarded<O>(who: string, slide: Slide<O>, layer: Convolving<O>, [x, ...rest]: readonly unknown[]): Tensor {
  return atUserLine(() => {
    checkInput(x, rest, who);
    checkShape(who, layer, (x as Tensor).shape);
    return slide(x as Tensor, layer.weight, { ...layer.how, bias: layer.bias });
  }, who);
}

/** Refuses an input without the channels, or of another size, than a layer was made for. */
function checkShape(who: string, { inChannels, outChannels, kernelSize, inputSize }: Convolving<unknown>, shape: Shape): void {
  const axes = kernelSize.length;
  const channels = shape.at(-axes - 1);
  const size = shape.slice(-axes);
  const fits = inputSize === undefined || sameShape(size, inputSize);
  if (channels === inChannels && fits) return;
  const what = `${who}: the input is ${showShape(shape)}`;
  const counted = (n: number): string => `${n} ${n === 1 ? "channel" : "channels"}`;
  if (channels === undefined)
    throw new ShapeError(what, { why: `it needs an axis of ${counted(inChannels)}, and ${axes} of space after it` });
  const grey = inChannels === 1 && shape.length === axes + 1;
  const sizes = [...(inputSize ? [size] : []), kernelSize].map(shortest);
  throw new ShapeError(what, {
    why:
      channels === inChannels
        ? `it is ${shortest(size)} in size, the layer was made for ${shortest(inputSize!)}`
        : `it has ${counted(channels)}, the layer was made for ${inChannels}`,
    help: grey
      ? `x.unsqueeze(1) is ${showShape(shape.toSpliced(1, 0, 1))}, of one channel each`
      : (channelsFirst(shape, axes, inChannels) ??
        `write new ${who}(${[channels, outChannels, ...sizes].join(", ")}), or reshape the input`),
  });
}

/** Sizes of axes as they are written: one number where they are equal. */
const shortest = (sizes: Shape): string => (sizes.every((n) => n === sizes[0]) ? `${sizes[0]}` : showShape(sizes));
