/** What recipes for images have in common: how inputs are laid out and scaled, and what is done to colour pictures in training. */
import { Generator, type Tensor, zeros } from "gradus";
import { type ArrayDataset, channelMoments, type Labelled } from "gradus/data";
import { type LayerLike, PcaColorShift, RandomCrop, RandomHorizontalFlip, type Sequential, Standardize } from "gradus/nn";

/** [n, side²] → [n, 1, side, side]: rows of numbers become planes again, of mean 0 and deviation 1 as they are over all training pixels. */
export const planes = (side: number, mean: number, deviation: number) =>
  function image(x: Tensor): Tensor {
    return x.sub(mean).div(deviation).reshape([-1, 1, side, side]);
  };

/** Zeros as a batch of images, and of classes. */
export const exampleOf = (shape: readonly number[], size: number): Labelled => ({
  x: zeros([size, ...shape]),
  y: zeros([size], { dtype: "int32" }),
});

export interface ColourOptions {
  readonly flip: boolean;
  readonly colour: boolean;
  readonly crop: number;
}

export const COLOUR_DESCRIBE = {
  flip: "mirror images at random, left to right",
  colour: "shift their colours at random, along the axes in which the colours of all vary most",
  crop: "move them at random by up to so many pixels",
};

/** What stands before the layers of a network for colour pictures, [n, 3, side, side] from 0 to 1: changes at random in training, then mean 0 and deviation 1 for each colour. */
export const colourInputs = (side: number, { flip, colour, crop }: ColourOptions): LayerLike[] => [
  ...(flip ? [new RandomHorizontalFlip()] : []),
  ...(crop > 0 ? [new RandomCrop(side, { padding: crop })] : []),
  ...(colour ? [new PcaColorShift()] : []),
  new Standardize(3, { axis: 1 }),
];

/** Images that colours are measured on; more change the third digit. */
const MEASURED = 5000;

/** Gives the layers above the colours of the training images. Of many, some at random: a folder of photographs need not be read through before the first step. */
export async function adaptColours(model: Sequential, train: ArrayDataset): Promise<void> {
  const moments = await channelMoments(train, { count: MEASURED, rng: new Generator(0).fork("colours") });
  for (const layer of model.layers as readonly unknown[])
    if (layer instanceof PcaColorShift || layer instanceof Standardize) layer.adapt(moments);
}
