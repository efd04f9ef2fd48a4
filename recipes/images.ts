/** What recipes for images have in common: how inputs are laid out and scaled. */
import { type Tensor, zeros } from "gradus";
import type { Labelled } from "gradus/data";

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
