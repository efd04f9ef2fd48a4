import { evaluate, type Tensor } from "../../index.ts";
import { inference } from "../../nn/index.ts";
import { type Layer, layersOf, watching } from "../../nn/layers.ts";
import { outputOf, type Trainable } from "../score.ts";
import { type Form, imageOf } from "./form.ts";
import { columnsFor, grid, heading, type Part, pageOf } from "./page.ts";
import { greys, type Pixels, plane, rangeOf, signed } from "./pixels.ts";

const MOST_MAPS = 48;
const GAP = 6;

/** What a layer made of one image: [1, channels, height, width]. */
interface Maps {
  readonly layers: readonly Layer[];
  readonly output: Tensor;
}

/** What became of one example on its way through a model that makes maps of it; nothing for another model. `x` is the example with an axis of one before it. */
export async function featureMapsPicture(
  name: string,
  model: Trainable,
  form: Form,
  { x, caption }: { readonly x: Tensor; readonly caption: string },
): Promise<string | undefined> {
  const found = mapsOf(model, form, x);
  if (found.length === 0) return undefined;
  const outputs = await evaluate(found.map(({ output }) => output));
  const parts: Part[] = [];
  for (const [i, { layers }] of found.entries()) parts.push(...(await rowOf(layers, outputs[i]!)));
  const side = form.side < 84 ? Math.ceil(84 / form.side) * form.side : 168;
  const image = grid([{ image: imageOf(await x.data(), form) }], { columns: 1, size: side });
  return pageOf(`${name}: what the layers make of one test image`, [heading(caption), image, ...parts]);
}

/**
 * The outputs of layers that are maps of more than one pixel, but for the image itself, however scaled. Where layers after a convolution answer its shape, as
 * what bends its result does, the last of them stands for all.
 */
function mapsOf(model: Trainable, form: Form, x: Tensor): Maps[] {
  const found: Maps[] = [];
  const seen = new Set<Tensor>();
  const note = (layer: Layer, output: Tensor): void => {
    const [, channels, height, width] = output.shape as number[];
    // What a chain answers is what its last layer answered.
    if (output.shape.length !== 4 || height! * width! <= 1 || seen.has(output)) return;
    seen.add(output);
    const last = found.at(-1);
    if (!last && channels === form.channels && height === form.side && width === form.side) return;
    if (String(last?.output.shape) === String(output.shape) && !hasKernel(layer))
      found[found.length - 1] = { layers: [...last!.layers, layer], output };
    else found.push({ layers: [layer], output });
  };
  watching(layersOf(model), note, () => outputOf(model, x, inference));
  return found;
}

/** Whether a layer makes maps of its own by a kernel, and does not only change those before it. */
const hasKernel = ({ layer }: Layer): boolean => typeof layer !== "function" && layer.parameters().some(({ shape }) => shape.length === 4);

async function rowOf(layers: readonly Layer[], output: Tensor): Promise<Part[]> {
  const [, channels, height, width] = output.shape as number[];
  const data = await output.data();
  const range = rangeOf(data);
  const scale = range[0] < 0 ? signed(Math.max(-range[0], range[1])) : greys(...range);
  const count = Math.min(channels!, MOST_MAPS);
  const tiles = Array.from({ length: count }, (_, i): { image: Pixels } => ({
    image: plane(data.subarray(i * height! * width!, (i + 1) * height! * width!), width!, height!, scale),
  }));
  const size = Math.min(84, Math.max(1, Math.floor(56 / width!)) * width!);
  const [low, high] = range.map((value) => String(Number(value.toPrecision(2))).replace("-", "−"));
  const shown = count < channels! ? `the first ${count} of ${channels} maps` : `${channels} ${channels === 1 ? "map" : "maps"}`;
  return [
    heading(
      namesOf(layers),
      `${shown} of ${width} × ${height}, ${range[0] < 0 ? `${low} (blue) to ${high} (orange)` : `${low} (black) to ${high} (white)`}`,
    ),
    await grid(tiles, { columns: columnsFor(size, GAP, count), size, gap: GAP }),
  ];
}

const namesOf = (layers: readonly Layer[]): string =>
  (layers.length > 3 ? [nameOf(layers[0]!), "…", nameOf(layers.at(-1)!)] : layers.map(nameOf)).join(" → ");

const nameOf = ({ path, layer }: Layer): string =>
  `${path} ${typeof layer === "function" ? layer.name || "function" : layer.constructor.name}`;
