/** Folders of images: a folder for each class. */
import { ArgumentError, FormatError } from "../core/errors.ts";
import { needModule } from "../core/host.ts";
import { checkOptions } from "../core/options.ts";
import { reason, toConsole } from "../io/index.ts";
import { IMAGE_FILES_OPTIONS, type ImageDataset, type ImageFilesOptions, imageFiles } from "./image-dataset.ts";

export interface ImageFolderOptions extends ImageFilesOptions {
  /**
   * The classes in their order, as a training set has them: then folders of others are refused, and a class without a folder has no examples. Default: the names of
   * the folders, sorted; each must hold an image.
   */
  readonly classes?: readonly string[];
  /** Hears of files that were passed over, because their names do not end as those of images do. Default: a line on the console that counts them. */
  readonly onIgnored?: (paths: readonly string[]) => void;
}

/** Endings of files that are read, and of images that are not. */
const IMAGES = /\.(png|jpe?g|jfif)$/i;
const OTHER_IMAGES = /\.(gif|webp|bmp|tiff?|heic|heif|avif|jp2|ppm|pgm|svg|ico|tga)$/i;

/**
 * A folder of images: a folder for each class, PNG and JPEG files in it. Only names are read at first, so a folder of 100,000 images is there at once.
 *
 * Names that begin with a dot are passed over, and so are files that are no images by their ending, which `onIgnored` hears of. Refused are folders in the folder of a class, links
 * (unless `links: "follow"`), images in formats that are not read, classes without an image, and names that are not UTF-8.
 *
 * @throws FormatError for a folder that is not so
 * @example
 * const train = await imageFolder("pets/train", { size: 64 });          // pets/train/cat/1.png, pets/train/dog/1.jpg, …
 * const test = await imageFolder("pets/test", { size: 64, classes: train.classes });
 */
export async function imageFolder(dir: string, options: ImageFolderOptions = {}): Promise<ImageDataset> {
  checkOptions("imageFolder", options, [...IMAGE_FILES_OPTIONS, "onIgnored"]);
  const { onIgnored, ...rest } = options;
  const listing = new Listing(dir, options.links === "follow");
  const classes = await listing.classes(options.classes);
  const files: string[] = [];
  const labels: number[] = [];
  for (const [label, name] of classes.names.entries()) {
    if (!classes.there.has(name)) continue;
    const own = await listing.images(name);
    if (own.length === 0 && options.classes === undefined)
      throw new FormatError(`${dir}: the class ${name} has no image`, {
        why: "a class without an example cannot be learnt, and would shift the numbers of those after it",
        help: "put images there, remove the folder, or give the classes of the training set: { classes: train.classes }",
      });
    for (const file of own) {
      files.push(file);
      labels.push(label);
    }
  }
  if (files.length === 0) throw new FormatError(`${dir}: there are no images`, { help: "PNG or JPEG files in a folder for each class" });
  if (listing.ignored.length > 0) (onIgnored ?? countOnConsole(dir))(listing.ignored);
  return imageFiles(files, labels, { ...rest, classes: classes.names });
}

const countOnConsole =
  (dir: string) =>
  (paths: readonly string[]): void =>
    toConsole(
      `${dir}: ${paths.length} ${paths.length === 1 ? "file is no image and is" : "files are no images and are"} passed over: ${paths[0]}${paths.length > 1 ? ", …" : ""}`,
    );

type Kind = "file" | "folder";

/** What stands in a folder of images, as it is looked through. */
class Listing {
  private readonly dir: string;
  private readonly follow: boolean;
  readonly ignored: string[] = [];

  constructor(dir: string, follow: boolean) {
    this.dir = dir;
    this.follow = follow;
  }

  /** The classes in their order, and those that have a folder. */
  async classes(given: readonly string[] | undefined): Promise<{ readonly names: readonly string[]; readonly there: ReadonlySet<string> }> {
    const there = new Set<string>();
    for (const [name, kind] of await this.entries(this.dir)) {
      if (kind === "folder") there.add(name);
      else if (IMAGES.test(name))
        throw new FormatError(`${this.dir}/${name}: an image beside the folders of the classes`, {
          why: "the folder that an image is in says its class",
          help: "put it into one; for images with labels from elsewhere there is imageFiles(files, labels)",
        });
      else this.ignored.push(`${this.dir}/${name}`);
    }
    if (there.size === 0)
      throw new FormatError(`${this.dir}: there is no folder in it`, { why: "each class has a folder of its name, with its images" });
    const unknown = given && [...there].find((name) => !given.includes(name));
    if (unknown !== undefined)
      throw new FormatError(`${this.dir}/${unknown}: no such class`, { why: `the classes given are ${given!.join(", ")}` });
    if (given && new Set(given).size !== given.length) throw new ArgumentError("imageFolder: a class is given twice");
    return { names: given ?? [...there].sort(), there };
  }

  /** The images of a class, sorted. */
  async images(name: string): Promise<string[]> {
    const folder = `${this.dir}/${name}`;
    const images: string[] = [];
    for (const [file, kind] of await this.entries(folder)) {
      const path = `${folder}/${file}`;
      if (kind === "folder")
        throw new FormatError(`${path}: a folder in the folder of a class`, {
          why: "it is not clear whether its images are of that class",
          help: "move the images up, or the folder away",
        });
      if (IMAGES.test(file)) images.push(path);
      else if (OTHER_IMAGES.test(file))
        throw new FormatError(`${path}: only PNG and JPEG images are read`, {
          help: "save it as one of them, or remove it: it would be missing in silence",
        });
      else this.ignored.push(path);
    }
    return images.sort();
  }

  /** What stands in a folder, but for hidden names. */
  private async entries(folder: string): Promise<[name: string, kind: Kind][]> {
    const { readdir } = needModule("node:fs/promises");
    const found = await readdir(folder, { withFileTypes: true, encoding: "buffer" }).catch((cause: unknown) => {
      throw new FormatError(`cannot read the folder ${folder}: ${reason(cause)}`, { cause });
    });
    const names = new TextDecoder("utf-8", { fatal: true });
    const entries: [string, Kind][] = [];
    for (const entry of found) {
      if (entry.name[0] === DOT) continue;
      let name: string;
      try {
        name = names.decode(entry.name);
      } catch {
        throw new FormatError(`${folder}: the name ${JSON.stringify(new TextDecoder().decode(entry.name))} is not UTF-8`, {
          help: "rename it",
        });
      }
      entries.push([name, await this.kindOf(entry, `${folder}/${name}`)]);
    }
    return entries;
  }

  private async kindOf(entry: { isDirectory(): boolean; isSymbolicLink(): boolean }, path: string): Promise<Kind> {
    if (entry.isDirectory()) return "folder";
    if (!entry.isSymbolicLink()) return "file";
    if (!this.follow)
      throw new FormatError(`${path} is a link`, {
        why: "in a folder that may come from anybody, no link is followed: it may lead anywhere",
        help: 'put the file itself there; or say { links: "follow" }, if the folder is yours',
      });
    const { stat } = needModule("node:fs/promises");
    const target = await stat(path).catch((cause: unknown) => {
      throw new FormatError(`cannot follow the link ${path}: ${reason(cause)}`, { cause });
    });
    return target.isDirectory() ? "folder" : "file";
  }
}

const DOT = ".".charCodeAt(0);
