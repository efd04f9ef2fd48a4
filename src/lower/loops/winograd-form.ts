/**
 * Which products are convolutions that Winograd's F(2×2, 3×3) computes: 16 multiplications for four results where 36 would be needed
 * (Lavin and Gray 2016, "Fast algorithms for convolutional neural networks", section 4.1).
 */
import { bytesOf } from "../../core/dtype.ts";
import type { Product } from "../../kernel/kernel.ts";
import type { Machine } from "./machine.ts";
import type { Tile } from "./product-tile.ts";

/** An axis of the image: the axis of the product it is, and where a window of position 0 begins within `bound` rows or columns. */
export interface ImageAxis {
  readonly axis: number;
  readonly size: number;
  readonly from: number;
  readonly bound: number;
  /** Elements of A from one row, or column, to the next. */
  readonly step: number;
}

/** A convolution of 3×3 taps, one apart in both directions, over images whose channels are next to each other. */
export interface Form {
  readonly height: ImageAxis;
  readonly width: ImageAxis;
  /** The other axes of (…batch, m): each of their positions is an image. */
  readonly images: readonly { readonly axis: number; readonly size: number; readonly step: number }[];
  readonly channels: number;
}

/** The form of a product that is such a convolution and gains from it; undefined for all others. */
export function winogradForm(p: Product, settled: boolean): Form | undefined {
  const [rows, columns, channels] = p.k;
  if (p.dtype !== "float32" || p.k.length !== 3 || rows !== 3 || columns !== 3) return undefined;
  if (channels! < FEWEST || p.n < FEWEST || p.a.depthStrides[2] !== 1 || p.b.batchStrides.some((s) => s !== 0)) return undefined;
  const steps = [...p.a.batchStrides, p.a.rowStride];
  const sizes = [...p.batch, p.m];
  const [height, width] = [imageAxis(p, 0, steps, sizes), imageAxis(p, 1, steps, sizes)];
  if (!height || !width || height.axis === width.axis) return undefined;
  if (p.clips.some((c) => c.k === 2) || p.clips.length !== [0, 1].filter((k) => p.clips.some((c) => c.k === k)).length) return undefined;
  const images = steps
    .map((step, axis) => ({ axis, size: sizes[axis]!, step }))
    .filter(({ axis }) => axis !== height.axis && axis !== width.axis);
  const form = { height, width, images, channels: channels! };
  return settled || tilesOf(form) >= WORTH_WEIGHTS ? form : undefined;
}

/** Fewer channels, on either side, leave the products too small against the transforms. */
const FEWEST = 32;
/** Tiles along each side of an image: of fewer, too much lies outside. */
const SIDE = 4;
/** Tiles for which transforming the weights costs little, where that is done at every run. */
const WORTH_WEIGHTS = 32;

/** The axis along which the windows' rows (k = 0) or columns (k = 1) move, one step for each tap. */
function imageAxis(p: Product, k: number, steps: readonly number[], sizes: readonly number[]): ImageAxis | undefined {
  const clip = p.clips.find((c) => c.k === k);
  const moves = clip?.strides.map((s, axis) => [s, axis] as const).filter(([s]) => s !== 0);
  if (clip && (moves!.length !== 1 || moves![0]![0] !== 1 || clip.step !== 1 || clip.run !== 1)) return undefined;
  const step = p.a.depthStrides[k]!;
  const axis = moves ? moves[0]![1] : steps.findIndex((s, a) => s === step && sizes[a]! > 2 * (SIDE - 1));
  const size = sizes[axis] ?? 0;
  if (steps[axis] !== step || size <= 2 * (SIDE - 1)) return undefined;
  return { axis, size, step, from: clip?.offset ?? 0, bound: clip?.bound ?? size + 2 };
}

/** Results of a tile along each side, taps of its products. */
export const RESULTS = 2;
export const TAPS = 16;

export const tilesAlong = ({ size }: ImageAxis): number => Math.ceil(size / RESULTS);
export const imagesOf = ({ images }: Form): number => images.reduce((n, { size }) => n * size, 1);
export const tilesOf = (form: Form): number => imagesOf(form) * tilesAlong(form.height) * tilesAlong(form.width);

export interface WinogradPlan {
  readonly tile: Tile;
  /** Tiles of the image that are transformed together, a multiple of the register tile's rows, and how many such chunks there are. */
  readonly chunk: number;
  readonly chunks: number;
  /** Panels of results, and how many of them a unit takes. */
  readonly panels: number;
  readonly group: number;
  readonly groups: number;
  /** How many of these are summed before the results are made of them. */
  readonly together: number;
  /** Bytes of a transformed tile's channels, from one tap to the next, and of the sums. */
  readonly rowBytes: number;
  readonly tapBytes: number;
  readonly sumTapBytes: number;
}

/** A chunk's transformed tiles and its sums stay in the second cache. */
const CHUNK_BYTES = 1024 * 1024;
const SUM_BYTES = 192 * 1024;
const MOST_TILES = 112;
/** Multiplications worth a unit, and units that are enough. */
const UNIT_PRODUCTS = 1 << 19;
const UNITS = 16;
/** Panels that a unit must have at least, because each transforms the image anew. */
const LEAST_PANELS = 2;

export function planWinograd(p: Product, form: Form, { tile: { rows, vectors }, vectorBytes }: Machine): WinogradPlan {
  const bytes = bytesOf(p.dtype);
  const lanes = vectorBytes / bytes;
  const tile: Tile = { dtype: "float32", lanes, rows, vectors };
  const columns = lanes * vectors;
  const tiles = tilesOf(form);
  // One line more, so that rows do not lie a power of two apart.
  const rowBytes = Math.ceil((form.channels * bytes) / 64) * 64 + 64;
  const fits = Math.floor(CHUNK_BYTES / (TAPS * rowBytes));
  const most = Math.max(rows, Math.min(MOST_TILES, fits));
  const even = Math.ceil(tiles / Math.ceil(tiles / most));
  const chunk = Math.ceil(even / rows) * rows;
  const chunks = Math.ceil(tiles / chunk);
  const panels = Math.ceil(p.n / columns);
  const work = tiles * TAPS * form.channels * p.n;
  const wanted = Math.max(1, Math.min(UNITS, Math.floor(work / UNIT_PRODUCTS)));
  const sumTapBytes = chunk * columns * bytes + 64;
  const room = Math.max(1, Math.floor(SUM_BYTES / (TAPS * sumTapBytes)));
  const groups = Math.max(1, Math.min(Math.ceil(wanted / chunks), Math.floor(panels / LEAST_PANELS)));
  return {
    tile, chunk, chunks, panels,
    group: Math.ceil(panels / groups),
    groups: Math.ceil(panels / Math.ceil(panels / groups)),
    together: Math.min(room, Math.ceil(panels / groups)),
    rowBytes,
    tapBytes: chunk * rowBytes + 64,
    sumTapBytes,
  }; // biome-ignore format: one object
}
