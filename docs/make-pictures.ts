/** Draws the pictures of the course into docs/images: `npx tsx docs/make-pictures.ts`. */
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { tensor } from "gradus";
import { xorPicture } from "../recipes/xor-picture.ts";
import { hiddenUnitsPicture, saturationPicture } from "./pictures/curves.ts";
import { descentPicture, optimizersPicture } from "./pictures/descent.ts";
import { graphs } from "./pictures/graphs.ts";

const POINTS = [[0, 0], [0, 1], [1, 0], [1, 1]];

/** The textbook's hidden layer, as in section 2.3 of the course. */
async function xor(): Promise<string> {
  const hidden = tensor(POINTS.flat(), [4, 2]).matmul(tensor([[1, 1], [1, 1]])).add([0, -1]).relu();
  return xorPicture(POINTS, [0, 1, 1, 0], (await hidden.array()) as number[][]);
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
    ["course-xor", await xor()],
    ["course-saturation", await saturationPicture()],
    ["course-hidden-units", await hiddenUnitsPicture()],
  ]);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = fileURLToPath(new URL("images/", import.meta.url));
  mkdirSync(folder, { recursive: true });
  for (const [name, svg] of [...(await plots()), ...(await graphPictures())]) {
    writeFileSync(folder + name, svg);
    console.log(name);
  }
}
