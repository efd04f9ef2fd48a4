/** Pictures of what a model of images has learnt, for its run folder. */
import { tensor } from "../../index.ts";
import type { RunFolder } from "../run-folder.ts";
import type { PassOptions } from "../score.ts";
import { confusionPicture } from "./confusion.ts";
import { featureMapsPicture } from "./feature-maps.ts";
import { filtersPicture } from "./filters.ts";
import { predictionsPicture } from "./predictions.ts";
import { type Subject, type Survey, surveyOf } from "./survey.ts";

const thousands = (n: number): string => n.toLocaleString("en-US");

/** What each picture is of, by the names of their files. */
const PICTURES: Readonly<Record<string, (name: string, subject: Subject, survey: Survey) => Promise<string | undefined> | string>> = {
  "predictions.svg": (name, _, survey) => predictionsPicture(name, survey),
  "confusion.svg": (name, { test }, { confusion, seen }) =>
    confusionPicture(
      name,
      confusion,
      seen < test.size ? `the first ${thousands(seen)} of ${thousands(test.size)} test images` : `the ${thousands(seen)} test images`,
    ),
  "filters.svg": (name, { model }, { form }) => filtersPicture(name, model, form),
  "feature-maps.svg": (name, { model }, { form, first, shape, confusion: { classes } }) => {
    const { values, actual, predicted } = first[0]!;
    const [is, taken] = [actual, predicted].map((label) => classes[label] ?? String(label));
    const x = tensor(Float32Array.from(values), [1, ...shape]);
    return featureMapsPicture(name, model, form, {
      x,
      caption: actual === predicted ? `the first test image: ${is}` : `the first test image: ${is}, taken for ${taken}`,
    });
  },
};

/**
 * Draws the pictures of a model of image classes into its run folder, and answers their names: none for another model. What goes wrong is a warning, for
 * the run is whole without them; a signal ends it in silence.
 */
export async function drawPictures(folder: RunFolder, subject: Subject, options: PassOptions): Promise<string[]> {
  const drawn: string[] = [];
  const survey = await surveyOf(subject, options).catch((error: unknown) => {
    if (options.signal?.aborted !== true) folder.miss("picture of the test images", error);
    return undefined;
  });
  if (!survey) return drawn;
  for (const [file, draw] of Object.entries(PICTURES)) {
    if (options.signal?.aborted) break;
    if (await folder.draw(file, async () => draw(folder.info.recipe, subject, survey))) drawn.push(file);
  }
  return drawn;
}
