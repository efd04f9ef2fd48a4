/** Images of a command line: files and folders of them, as the network that is asked wants them. */
import { existsSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { ArgumentError, FormatError, GradusError } from "../core/errors.ts";
import { type Tensor, tensor } from "../index.ts";
import { checkPlanes, decodeImage, type Picture, planesOf, readBytes } from "../io/index.ts";
import type { RecipeInput } from "../train/index.ts";
import { NUMBERS } from "./arguments.ts";
import { inkOf, type ReadImage } from "./image.ts";

type ImageInput = Extract<RecipeInput, { kind: "image" }>;

/** Largest file of an image. */
const MAX_INPUT = 50_000_000;
const ENDING = /\.(png|jpe?g|jfif)$/i;

/** The files that words name: itself, or all images in a folder and the folders in it, by name; files there that are no images by their ending are passed over. */
export async function imageFilesOf(words: readonly string[], { side }: ImageInput): Promise<string[]> {
  const files = await Promise.all(
    words.map(async (word) => {
      if (NUMBERS.test(word) && !existsSync(word))
        throw new ArgumentError(`${word}: numbers, where an image is wanted`, {
          why: `the network takes ${side} × ${side} pixels`,
          help: "give a PNG file",
        });
      const isFolder = await stat(word).then(
        (found) => found.isDirectory(),
        () => false,
      );
      return isFolder ? imagesIn(word) : [word];
    }),
  );
  return files.flat();
}

async function imagesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch((cause: unknown) => {
    throw new FormatError(`${folder}: the folder cannot be read`, { why: (cause as Error).message, cause });
  });
  const top = folder.replace(/\/+$/, "");
  const found = entries.filter((entry) => entry.isFile() && ENDING.test(entry.name) && !entry.name.startsWith("."));
  if (found.length === 0) throw new FormatError(`${folder}: there are no images in it`, { why: "their names end in .png, .jpg or .jpeg" });
  const parent = (path: string): string => (path === folder || path === top ? top : path);
  return found.map((entry) => `${parent(entry.parentPath)}/${entry.name}`).sort();
}

export interface ReadImages {
  readonly names: readonly string[];
  readonly x: Tensor;
  /** What was done to them that nobody asked for. */
  readonly notes: readonly string[];
  /** What could not be read, and why. */
  readonly failures: readonly { readonly name: string; readonly error: GradusError }[];
}

/** The images of some files, and what is wrong with the others. */
export async function readImages(files: readonly string[], kind: ImageInput, exact = kind.exact ?? false): Promise<ReadImages> {
  const read = await Promise.all(files.map((file) => readImage(file, kind, exact)));
  const images = read.flatMap((image, i) => (image instanceof GradusError ? [] : [{ ...image, name: files[i]! }]));
  const failures = read.flatMap((image, i) => (image instanceof GradusError ? [{ name: files[i]!, error: image }] : []));
  const { side, channels } = kind;
  const each = (channels ?? 1) * side * side;
  const all = new Float32Array(images.length * each);
  images.forEach(({ values }, i) => {
    all.set(values, i * each);
  });
  const x = tensor(all, [images.length, ...(channels === undefined ? [each] : [channels, side, side])]);
  return { names: images.map(({ name }) => name), x, notes: images.flatMap(({ notes }) => notes), failures };
}

async function readImage(file: string, { side, channels }: ImageInput, exact: boolean): Promise<ReadImage | GradusError> {
  try {
    const picture = await decodeImage(await readBytes(file, MAX_INPUT), file);
    return channels === undefined ? inkOf(picture, file, side, { exact }) : photoOf(picture, file, { side, channels, exact });
  } catch (error) {
    if (error instanceof GradusError) return error;
    throw error;
  }
}

interface PhotoOptions {
  readonly side: number;
  readonly channels: 1 | 3;
  readonly exact: boolean;
}

/** A picture scaled until it covers the square and cut around its middle, as the images of a folder are in training; each of these is said. */
function photoOf(picture: Picture, name: string, { side, channels, exact }: PhotoOptions): ReadImage {
  const { width, height } = picture;
  const fits = width === side && height === side;
  const greyed = channels === 1 && picture.channels >= 3;
  if (exact && (!fits || greyed))
    throw new FormatError(`${name}: ${width} × ${height}${greyed ? " in colours" : ""}`, {
      why: `the network was made for ${side} × ${side}${channels === 1 ? " grey" : ""} pixels, and takes only them (--exact)`,
      help: "make it so; without --exact it would be scaled and cut",
    });
  const { data } = planesOf(picture, checkPlanes("predict", { channels, size: side }));
  const how = width === height ? `scaled to ${side} × ${side}` : `scaled and cut around its middle to ${side} × ${side}`;
  const done = [...(greyed ? ["colours made grey"] : []), ...(fits ? [] : [how])];
  return { values: data, notes: done.length > 0 ? [`${name}: ${width} × ${height}: ${done.join(", ")}`] : [] };
}
