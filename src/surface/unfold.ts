/** What lies under a window as columns, and columns added up where they lie. */
import { ShapeError } from "../core/errors.ts";
import { checkShape, type Shape, showShape, sizeOf } from "../core/shape.ts";
import { countWindows, perAxis, type Sliding, type SlidingOptions, slidings } from "../core/sliding.ts";
import type { Value } from "../graph/op.ts";
import * as ops from "../ops/index.ts";
import { pad } from "./pad.ts";

const AXES = 2;

/** [..., c, h, w] → [..., c · kh · kw, positions]: what lies under the window at each of its positions. */
export function unfold(x: Value, options: SlidingOptions): Value {
  const who = "unfold";
  if (x.shape.length < AXES + 1) throw new ShapeError(`${who}: the input is ${showShape(x.shape)}`, { why: "it is […, channels, h, w]" });
  const slides = slidings(who, AXES, options);
  const counts = slides.map((s, i) => countWindows(who, x.shape, x.shape.length - AXES + i, s));
  const padded = pad(x, slides.map(({ before, after }) => [before, after])); // biome-ignore format: one line
  const seen = slides.reduceRight(
    (y, { size, stride, dilation }, i) => ops.windows(y, { axis: x.shape.length - AXES + i, size, stride, dilation }),
    padded,
  );
  const leading = x.shape.slice(0, -AXES - 1);
  const c = leading.length;
  // [..., c, h', kh, w', kw] → [..., c, kh, kw, h', w'].
  const columns = ops.transpose(seen, [...leading.keys(), c, c + 2, c + 4, c + 1, c + 3]);
  return ops.reshape(columns, checkShape([...leading, x.shape[c]! * sizeOf(slides.map(({ size }) => size)), sizeOf(counts)], who));
}

/** The adjoint of `unfold`: [..., c · kh · kw, positions] → [..., c, h, w], columns added up where windows overlap. */
export function fold(x: Value, outputSize: number | readonly number[], options: SlidingOptions): Value {
  const who = "fold";
  const size = perAxis(outputSize, AXES, 1, `${who}: the output size`);
  const slides = slidings(who, AXES, options);
  const counts = slides.map((s, i) => countWindows(who, size, i, s));
  const kernel = slides.map((s) => s.size);
  const channels = checkColumns(x, kernel, counts);
  const leading = x.shape.slice(0, -2);
  const c = leading.length;
  const apart = ops.reshape(x, [...leading, channels, ...kernel, ...counts]);
  const inPairs = ops.transpose(apart, [...leading.keys(), c, c + 3, c + 1, c + 4, c + 2]);
  const whole = slides.reduce((y, s, i) => ops.fold(y, { axis: c + 1 + i, ...windowOf(s), length: paddedSize(size[i]!, s) }), inPairs);
  return pad(whole, slides.map(({ before, after }) => [-before, -after])); // biome-ignore format: one line
}

const windowOf = ({ size, stride, dilation }: Sliding): Pick<Sliding, "size" | "stride" | "dilation"> => ({ size, stride, dilation });
const paddedSize = (size: number, { before, after }: Sliding): number => size + before + after;

/** How many channels the columns are of. */
function checkColumns(x: Value, kernel: Shape, counts: Shape): number {
  const [rows, positions] = [x.shape.at(-2), x.shape.at(-1)];
  if (rows === undefined || rows % sizeOf(kernel) !== 0 || positions !== sizeOf(counts))
    throw new ShapeError(`fold: the input is ${showShape(x.shape)}`, {
      why: `it is […, channels · ${sizeOf(kernel)}, ${sizeOf(counts)}]: a kernel of ${showShape(kernel)} has ${showShape(counts)} positions`,
    });
  return rows / sizeOf(kernel);
}
