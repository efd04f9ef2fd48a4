/** Pictures read between their pixels: what rotation, translation and distortion are made of. */
import { ArgumentError, ShapeError, show } from "../../core/errors.ts";
import { showShape } from "../../core/shape.ts";
import { atUserLine, takeSite } from "../../core/site.ts";
import { arange, type Tensor, where } from "../../index.ts";
import { checkTensor } from "../arguments.ts";

/** What stands outside a picture: black, or its nearest pixel. */
export type Outside = "zero" | "edge";

export interface SampleOptions {
  /** Default "zero". */
  readonly outside?: Outside;
}

export const SAMPLE_OPTIONS = ["outside"] as const satisfies readonly (keyof SampleOptions)[];

export function checkOutside(outside: unknown, who: string): Outside {
  if (outside === "zero" || outside === "edge") return outside;
  throw new ArgumentError(`${who}: outside is ${show(outside)}`, { help: '"zero" or "edge"', site: takeSite() });
}

/** [n, channels, height, width]. @throws ShapeError for anything else */
export function checkImages(x: Tensor, who: string): readonly [n: number, channels: number, height: number, width: number] {
  checkTensor(x, who);
  const shape = x.shape as readonly number[];
  if (shape.length === 4) return shape as readonly [number, number, number, number];
  throw new ShapeError(`${who}: the input is ${showShape(shape)}`, { why: "images are [n, channels, height, width]", site: takeSite() });
}

/**
 * Pixels at places between those of the pictures, by bilinear interpolation: of the four around (r, c), each counts by its nearness,
 * (1 − |r − rᵢ|)(1 − |c − cᵢ|). Places count rows and columns from the centre of the first pixel; at whole numbers a pixel comes out as it is, and pixels that do not count may hold anything.
 *
 * Shapes: x [n, channels, h, w]; rows and columns [n, H, W] or what broadcasts to that; result [n, channels, H, W]. The gradient is x's; places have none.
 *
 * @throws ShapeError if x is no batch of images
 */
export function sampleBilinear(x: Tensor, rows: Tensor, columns: Tensor, options: SampleOptions = {}): Tensor {
  return atUserLine(() => {
    const [, , height, width] = checkImages(x, "sampleBilinear");
    const { outside = "zero" } = options;
    checkOutside(outside, "sampleBilinear");
    const [down, across] = [axisTaps(rows, height, outside), axisTaps(columns, width, outside)];
    let sum: Tensor | undefined;
    for (const row of down)
      for (const column of across) {
        const weight = overChannels(row.weight.mul(column.weight));
        // A pixel that does not count is left out, whatever it holds: 0 · ∞ would be no number.
        const part = where(weight.eq(0), 0, pixelsAt(x, row.at, column.at).mul(weight));
        sum = sum ? sum.add(part) : part;
      }
    return sum!;
  }, "sampleBilinear");
}

/** The two pixels around a place along one axis, and how much each counts. */
function axisTaps(places: Tensor, size: number, outside: Outside): { at: Tensor; weight: Tensor }[] {
  const stopped = places.detach();
  // A place that is far outside is one that is just outside.
  const near = stopped.clip(-1, size);
  const low = near.floor();
  const beyond = near.sub(low);
  return [
    { at: low, weight: beyond.neg().add(1) },
    { at: low.add(1), weight: beyond },
  ].map(({ at, weight }) => {
    const clipped = at.clip(0, size - 1);
    return { at: clipped.cast("int32"), weight: outside === "edge" ? weight : where(at.eq(clipped), weight, 0) };
  });
}

/**
 * The pixels (rows[i…], columns[i…]) of each picture, which must be inside.
 *
 * Shapes: x [n, channels, h, w]; rows and columns int32, broadcast to [n, H, W]; result [n, channels, H, W].
 */
export function pixelsAt(x: Tensor, rows: Tensor, columns: Tensor): Tensor {
  const [n, channels, height, width] = x.shape as readonly [number, number, number, number];
  const places = rows.mul(width).add(columns);
  const [, tall, wide] = places.shape as readonly [number, number, number];
  const flat = places.reshape([places.shape[0] as number, 1, tall * wide]).broadcastTo([n, channels, tall * wide]);
  return x
    .reshape([n, channels, height * width])
    .takeAlong(flat, 2)
    .reshape([n, channels, tall, wide]);
}

/** [n, H, W] → [n, 1, H, W]. */
export const overChannels = (x: Tensor): Tensor => x.unsqueeze(1);

/** The numbers of rows, [1, size, 1], or of columns, [1, 1, size]. */
export const positions = (size: number, axis: "rows" | "columns"): Tensor =>
  arange(0, size, 1, { dtype: "float32" }).reshape(axis === "rows" ? [1, size, 1] : [1, 1, size]);
