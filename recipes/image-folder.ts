/** What recipes for a folder of the user's images share: which classes there are, and what is for training and for testing. */
import { readdir } from "node:fs/promises";
import { ArgumentError, FormatError, Generator } from "gradus";
import { CIFAR10_CLASSES, cifar10, type Dataset, imageFolder, type Labelled } from "gradus/data";
import type { DataPlace } from "gradus/train";

export interface ImageFolderRecipeOptions {
  readonly size: number;
  /** Share of the images for testing, where the folder does not say. */
  readonly test: number;
  /** Names of the classes as JSON, once the folder was looked at. */
  readonly classes: string;
}

/** Classes that a network has as long as no images were looked at: as many as ImageNet's. */
const UNKNOWN = Array.from({ length: 1000 }, (_, k) => String(k));

export const classesOf = ({ classes }: ImageFolderRecipeOptions): readonly string[] => (classes === "" ? UNKNOWN : JSON.parse(classes));

const TRAIN = ["train", "training"];
const TEST = ["test", "val", "valid", "validation"];

/** How a folder holds its images: CIFAR-10's files, parts for training and testing, or classes at once. */
type Layout =
  | { readonly kind: "cifar" }
  | { readonly kind: "parts"; readonly train: string; readonly test: string }
  | { readonly kind: "classes" };

async function layoutOf(dir: string): Promise<Layout> {
  const names = await readdir(dir).catch((cause: unknown) => {
    throw new FormatError(`${dir}: no folder that can be read`, { why: (cause as Error).message, cause });
  });
  if (names.some((name) => /^(data_batch_1|train_batch)\.bin(\.gz)?$|^cifar-10-(binary\.tar\.gz|batches-bin)$/.test(name)))
    return { kind: "cifar" };
  const [train, test] = [TRAIN, TEST].map((known) => known.find((name) => names.includes(name)));
  if (train && test) return { kind: "parts", train: `${dir}/${train}`, test: `${dir}/${test}` };
  if (train) throw new FormatError(`${dir}: there is a folder ${train}, and none for testing`, { help: "call it test or val" });
  return { kind: "classes" };
}

const needed = (dir: string | undefined): string => {
  if (dir !== undefined) return dir;
  throw new ArgumentError("which images? say --data DIR", {
    help: "a folder with train/CLASS/*.png and test/CLASS/*.png (JPEG too, with the package sharp), one with CLASS/*.png alone, or CIFAR-10's files",
  });
};

/** Looks at the folder for the first time: its classes are kept with the run. Without a folder nothing is known. */
export async function firstImages(o: ImageFolderRecipeOptions, { dir, say }: DataPlace): Promise<{ size?: number; classes?: string }> {
  if (!(o.test > 0 && o.test < 1)) throw new ArgumentError(`--test ${o.test}`, { help: "a share above 0 and below 1, such as 0.1" });
  if (dir === undefined) return {};
  const layout = await layoutOf(dir);
  if (layout.kind === "cifar") {
    if (o.size !== 32) say?.(`CIFAR-10 has images of 32 × 32: --size ${o.size} becomes 32`);
    return { size: 32, classes: JSON.stringify(CIFAR10_CLASSES) };
  }
  const found = await imageFolder(layout.kind === "parts" ? layout.train : dir, { size: o.size });
  say?.(
    `${dir}: ${found.size.toLocaleString("en-US")} images of ${found.classes.length} classes${layout.kind === "parts" ? " for training" : ""}`,
  );
  return { classes: JSON.stringify(found.classes) };
}

/** The images of the folder, for training and for testing; where it has only one part, that is cut by the seed. */
export async function trainAndTestImages(
  o: ImageFolderRecipeOptions,
  { seed, dir, ...where }: DataPlace,
): Promise<{ train: Dataset<Labelled>; test: Dataset<Labelled> }> {
  const folder = needed(dir);
  const layout = await layoutOf(folder);
  if (layout.kind === "cifar") {
    const { say: _, ...given } = where;
    return { train: await cifar10({ ...given, dir: folder }), test: await cifar10({ ...given, dir: folder, train: false }) };
  }
  const how = { size: o.size, classes: classesOf(o) };
  if (layout.kind === "parts") return { train: await imageFolder(layout.train, how), test: await imageFolder(layout.test, how) };
  const [train, test] = (await imageFolder(folder, how)).split(1 - o.test, new Generator(seed).fork("test"));
  return { train, test };
}
