import { imageOf } from "./form.ts";
import { columnsFor, grid, heading, type Part, pageOf, paragraph, type Tile } from "./page.ts";
import type { Seen, Survey } from "./survey.ts";

const isWrong = ({ predicted, actual }: Seen): boolean => predicted !== actual;

/** Sides of small images are whole multiples of their pixels. */
const sizeFor = (side: number): number => (side <= 64 ? Math.ceil(48 / side) * side : 92);

/** Images beside each other, as many as they and the names below them have room. */
const columnsOf = (size: number, longestName: number): number =>
  Math.min(longestName <= 8 ? 10 : longestName <= 14 ? 7 : 5, columnsFor(size, 4));

/** The first test images with what they were taken for, then the errors that the model was surest of. */
export function predictionsPicture(
  name: string,
  { form, confusion: { classes }, first, errors }: Pick<Survey, "form" | "confusion" | "first" | "errors">,
): Promise<string> {
  const nameOf = (label: number): string => classes[label] ?? String(label);
  const tile = (seen: Seen): Tile => ({
    image: imageOf(seen.values, form),
    wrong: isWrong(seen),
    caption: [nameOf(seen.predicted), isWrong(seen) ? `is ${nameOf(seen.actual)}` : ""],
  });
  const sure = (seen: Seen): Tile => ({
    ...tile(seen),
    caption: [nameOf(seen.predicted), `${Math.round(100 * seen.probability)} %`, `is ${nameOf(seen.actual)}`],
  });
  const size = sizeFor(form.side);
  const names = [...first, ...errors].flatMap(({ predicted, actual }) => [nameOf(predicted).length, nameOf(actual).length]);
  const columns = columnsOf(size, Math.max(0, ...names));
  const whole = (seen: readonly Seen[]): readonly Seen[] => seen.slice(0, Math.floor(seen.length / columns) * columns || seen.length);
  const block = (seen: readonly Seen[], to: (seen: Seen) => Tile): Promise<Part> => grid(seen.map(to), { columns, size });
  const shown = whole(first);
  const wrong = shown.filter(isWrong).length;
  return pageOf(`${name}: what the model takes test images for`, [
    heading("the first of the test set", wrong === 0 ? "all right" : `${wrong} of ${shown.length} wrong, framed`),
    block(shown, tile),
    ...(errors.length === 0
      ? [paragraph("There was no error in the test set.")]
      : [heading("the errors it was surest of", "what it said, how surely, and what it is"), block(whole(errors), sure)]),
  ]);
}
