/** Draws the pictures of the course into docs/images: `npx tsx docs/make-pictures.ts`. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { trainRecipe } from "gradus/train";
import lenetRecipe from "../recipes/lenet.ts";
import xorRecipe, { learntNet } from "../recipes/xor.ts";
import { TEXTBOOK, xorPicture } from "../recipes/xor-picture.ts";
import { maxoutPicture, smoothingPicture } from "./pictures/convolution.ts";
import { hiddenUnitsPicture, saturationPicture } from "./pictures/curves.ts";
import { descentPicture, optimizersPicture } from "./pictures/descent.ts";
import { graphs } from "./pictures/graphs.ts";

/** The hidden layer that the recipe `xor` learns, from the first of its random starts, as in section 2.3 of the course. */
async function learntXor(): Promise<string> {
  const { model } = await xorRecipe.run!({ ...xorRecipe.options, seeds: 1 }, { seed: 0, signal: new AbortController().signal, say: () => {}, write: async () => {} });
  return xorPicture([{ title: "Learnt: 8 tanh units, random start 0", net: await learntNet(model) }]);
}

/** Graphviz puts a comment with its version before the picture: dropped, so that a new version changes nothing by that alone. */
async function drawn(): Promise<[string, string][]> {
  const { instance } = await import("@viz-js/viz");
  const viz = await instance();
  return Object.entries(graphs()).map(([name, dot]) => {
    const svg = viz.renderString(dot, { format: "svg" });
    return [name, svg.slice(svg.indexOf("<svg")).replace(/<!--[\s\S]*?-->\n/g, "")];
  });
}

const files = (made: readonly [string, string][]): Map<string, string> => new Map(made.map(([name, svg]) => [`${name}.svg`, svg]));

/** The graphs, drawn by Graphviz: file names and their texts. */
export const graphPictures = async (): Promise<Map<string, string>> => files(await drawn());

/** Paths and curves. */
export async function plots(): Promise<Map<string, string>> {
  return files([
    ["course-descent", await descentPicture()],
    ["course-optimizers", await optimizersPicture()],
    ["course-xor", xorPicture([{ title: "The book's weights", net: TEXTBOOK }])],
    ["course-xor-learnt", await learntXor()],
    ["course-saturation", await saturationPicture()],
    ["course-hidden-units", await hiddenUnitsPicture()],
    ["course-smoothing", await smoothingPicture()],
  ]);
}

/** What was learnt, in images: another machine rounds differently, and learns others as good. */
export async function learnt(): Promise<Map<string, string>> {
  return files([
    ["course-maxout", await maxoutPicture()],
    ["lenet-feature-maps", await lenetPicture()],
  ]);
}

/** What the recipe `lenet` draws at the end of its run. */
async function lenetPicture(): Promise<string> {
  const out = mkdtempSync(join(tmpdir(), "gradus-lenet-"));
  await trainRecipe({ recipe: lenetRecipe, name: "lenet", out: join(out, "run"), signal: new AbortController().signal, version: "docs" });
  const svg = readFileSync(join(out, "run/feature-maps.svg"), "utf8");
  rmSync(out, { recursive: true });
  return svg;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = fileURLToPath(new URL("images/", import.meta.url));
  mkdirSync(folder, { recursive: true });
  for (const [name, svg] of [...(await plots()), ...(await graphPictures()), ...(await learnt())]) {
    writeFileSync(folder + name, svg);
    console.log(name);
  }
}
