/** What a recipe's inputs are as images, and how one is shown. */
import { sizeOf } from "../../core/shape.ts";
import type { RecipeInput } from "../recipe.ts";
import { colours, greys, type Pixels, plane, rangeOf } from "./pixels.ts";

/** Planes of `side` × `side`. */
export interface Form {
  readonly channels: 1 | 3;
  readonly side: number;
}

/** Of a recipe whose inputs are images, if those have as many numbers. */
export function formOf(input: RecipeInput, example: readonly number[]): Form | undefined {
  if (input.kind !== "image") return undefined;
  const { side, channels = 1 } = input;
  return sizeOf(example) === channels * side * side ? { channels, side } : undefined;
}

/** An input as an image: 0 black, 1 white; numbers that go beyond are brought between their smallest and largest. */
export function imageOf(values: ArrayLike<number>, { channels, side }: Form): Pixels {
  const [low, high] = rangeOf(values);
  const range = low < -0.01 || high > 1.01 ? ([low, high] as const) : ([0, 1] as const);
  return channels === 3 ? colours(values, side, side, range) : plane(values, side, side, greys(...range));
}
