import type { Variable } from "../../index.ts";
import type { Trainable } from "../score.ts";
import type { Form } from "./form.ts";
import { columnsFor, grid, heading, pageOf, paragraph } from "./page.ts";
import { colours, mostOf, type Pixels, plane, signed } from "./pixels.ts";

const MOST_FILTERS = 96;

/** The weights of the first layer, [units, channels, height, width] or [units, pixels], if they look at the image itself. */
function firstWeights(model: Trainable, { channels, side }: Form): Variable | undefined {
  const weights = model.parameters().find(({ shape }) => shape.length > 1);
  const [, second, height, width] = (weights?.shape ?? []) as number[];
  const fits = weights?.shape.length === 4 ? second === channels && height! * width! > 1 : second === channels * side * side;
  return fits ? weights : undefined;
}

const GAP = 8;
const SIGNED = "blue below 0, white 0, orange above; each filter by its own largest weight";
const COLOURED = "colours about grey; each filter by its own largest weight";

/** The filters of the first layer as images; nothing for a model whose first layer has none of their kind. */
export async function filtersPicture(name: string, model: Trainable, form: Form): Promise<string | undefined> {
  const weights = firstWeights(model, form);
  if (!weights) return undefined;
  const [units, , height = form.side, width = form.side] = weights.shape as number[];
  const data = await weights.data();
  const each = form.channels * height * width;
  const filters = Array.from({ length: units! }, (_, i) => data.subarray(i * each, (i + 1) * each));
  const shown = strongest(filters);
  // Filters of few pixels, and few filters, are looked at closely, whole images as they are.
  const wide = shown.length <= 12 ? 100 : 64;
  const size = width <= 16 ? Math.max(4, Math.floor(wide / width)) * width : Math.max(width, 56);
  const which =
    shown.length < units! ? `the ${shown.length} strongest of ${units} filters` : units === 1 ? "the filter" : `the ${units} filters`;
  return pageOf(`${name}: ${which} of the first layer`, [
    heading(`${width} × ${height}${form.channels === 3 ? " in three colours" : ""}`, form.channels === 3 ? COLOURED : SIGNED),
    grid(
      shown.map((values) => ({ image: filterImage(values, form, width, height) })),
      { columns: columnsFor(size, GAP, shown.length), size, gap: GAP },
    ),
    paragraph("A filter answers most to an image, or a part of one, that looks like it."),
  ]);
}

/** All of them in order, or of many those with the largest sums of squares: the others have hardly moved from where they began. */
function strongest<T extends ArrayLike<number>>(filters: readonly T[]): readonly T[] {
  if (filters.length <= MOST_FILTERS) return filters;
  const strength = new Map(filters.map((values) => [values, Array.from(values).reduce((sum, v) => sum + v * v, 0)]));
  return filters.toSorted((a, b) => strength.get(b)! - strength.get(a)!).slice(0, MOST_FILTERS);
}

function filterImage(values: ArrayLike<number>, { channels }: Form, width: number, height: number): Pixels {
  const most = mostOf(values);
  return channels === 3 ? colours(values, width, height, [-most, most]) : plane(values, width, height, signed(most));
}
