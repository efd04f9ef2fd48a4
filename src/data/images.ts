import { ArgumentError, FormatError } from "../core/errors.ts";
import { checkOptions } from "../core/options.ts";
import { decodeIdx, type IdxHeader, idxSize, type StoredTensor } from "../io/index.ts";
import { ArrayDataset } from "./dataset.ts";
import { drawDigits, SIDE } from "./digits.ts";
import { dataFile, type RemoteFile, SOURCE_OPTIONS, type SourceOptions } from "./download.ts";
import { HostRandom } from "./random.ts";

export interface DigitsOptions {
  readonly seed?: number;
  /** The training set (default) or the test set: different hands, never the same drawing. */
  readonly train?: boolean;
  /** How many; 8,000 for training and 2,000 for testing unless said. */
  readonly count?: number;
}

export interface ImagesOptions extends SourceOptions {
  /** The training set (default) or the test set. */
  readonly train?: boolean;
}

/** Batches of images x: [n, 784] float32 from 0 (paper) to 1 (ink), and classes y: [n] int32 from 0 to 9. */
const dataset = (images: Uint8Array, labels: Uint8Array): ArrayDataset =>
  new ArrayDataset({ data: images, shape: [SIDE * SIDE], scale: 1 / 255 }, { data: labels, shape: [], dtype: "int32" });

/**
 * Handwritten-like digits drawn from strokes, 28×28, ten classes: nothing is downloaded. A linear classifier errs on about 10 % of
 * the test set, a network with one hidden layer on about 2 %.
 */
export async function digits(options: DigitsOptions = {}): Promise<ArrayDataset> {
  checkOptions("digits", options, ["seed", "train", "count"]);
  const { seed = 0, train = true, count = train ? 8000 : 2000 } = options;
  if (!Number.isSafeInteger(seed) || seed < 0) throw new ArgumentError(`digits: seed ${seed}`, { help: "a whole number ≥ 0" });
  const { images, labels } = drawDigits(count, new HostRandom(seed, train ? 1 : 2));
  return dataset(images, labels);
}

/** The four files of a set in MNIST's form, as [images, labels] of each part. */
interface Parts {
  readonly name: string;
  readonly train: readonly [RemoteFile, RemoteFile];
  readonly test: readonly [RemoteFile, RemoteFile];
}

function parts(name: string, base: string, sums: readonly [string, string, string, string]): Parts {
  const file = (part: string, kind: string, sum: string): RemoteFile => {
    const full = `${part}-${kind}-ubyte.gz`;
    return { name: full, url: `${base}/${full}`, sha256: sum };
  };
  return {
    name,
    train: [file("train", "images-idx3", sums[0]), file("train", "labels-idx1", sums[1])],
    test: [file("t10k", "images-idx3", sums[2]), file("t10k", "labels-idx1", sums[3])],
  };
}

/** LeCun, Cortes and Burges: http://yann.lecun.com/exdb/mnist, from a mirror that answers. */
const MNIST = parts("mnist", "https://ossci-datasets.s3.amazonaws.com/mnist", [
  "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
  "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
  "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
  "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
]);

/** Xiao, Rasul and Vollgraf 2017: https://github.com/zalandoresearch/fashion-mnist. */
const FASHION = parts("fashion-mnist", "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com", [
  "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
  "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
  "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
  "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
]);

export const FASHION_CLASSES = [
  "T-shirt/top",
  "Trouser",
  "Pullover",
  "Dress",
  "Coat",
  "Sandal",
  "Shirt",
  "Sneaker",
  "Bag",
  "Ankle boot",
] as const;

/**
 * MNIST: 60,000 handwritten digits for training, 10,000 for testing. Read from `dir` or GRADUS_DATA, else downloaded, checked and kept.
 *
 * @throws FormatError for files that are not what they should be, DownloadError if the server cannot be reached.
 */
export const mnist = (options: ImagesOptions = {}): Promise<ArrayDataset> => load(MNIST, options);

/** Fashion-MNIST: pictures of clothes in MNIST's form; the classes are `FASHION_CLASSES`. */
export const fashionMnist = (options: ImagesOptions = {}): Promise<ArrayDataset> => load(FASHION, options);

async function load({ name, train, test }: Parts, options: ImagesOptions): Promise<ArrayDataset> {
  checkOptions(name, options, ["train", ...SOURCE_OPTIONS]);
  const [imageFile, labelFile] = (options.train ?? true) ? train : test;
  const images = await idxFile(name, imageFile, options, ({ dtype, shape }) => {
    const [, ...side] = shape;
    if (dtype === "uint8" && side.length === 2 && side[0] === SIDE && side[1] === SIDE) return;
    throw new FormatError(`${imageFile.name}: [${shape.join(", ")}] ${dtype}`, {
      why: `${name} has bytes in [count, ${SIDE}, ${SIDE}]`,
    });
  });
  const [count] = images.shape;
  const labels = await idxFile(name, labelFile, options, ({ dtype, shape }) => {
    if (dtype === "uint8" && shape.length === 1 && shape[0] === count) return;
    throw new FormatError(`${labelFile.name}: ${shape[0]} labels for ${count} images`, { help: "take both files from the same source" });
  });
  const bad = labels.data.findIndex((label) => label > 9);
  if (bad >= 0) throw new FormatError(`${labelFile.name}: label ${labels.data[bad]} at index ${bad}`, { why: "the classes are 0 to 9" });
  return dataset(images.data as Uint8Array, labels.data as Uint8Array);
}

/** A file of the set; its shape is checked when its first bytes are unpacked. */
async function idxFile(name: string, file: RemoteFile, options: ImagesOptions, expect: (header: IdxHeader) => void): Promise<StoredTensor> {
  const content = await dataFile(name, file, options, { size: idxSize(file.name, expect) });
  return decodeIdx(content, file.name, { expect, give: true });
}
