/** CIFAR-10 (Krizhevsky 2009): colour pictures of ten kinds of things. */
import { FormatError } from "../core/errors.ts";
import { environment } from "../core/host.ts";
import { checkOptions } from "../core/options.ts";
import { filesOfTar, gunzip, MAX_UNPACKED, readBytes } from "../io/index.ts";
import { ArrayDataset } from "./dataset.ts";
import { dataFile, findIn, type RemoteFile, SOURCE_OPTIONS } from "./download.ts";
import type { ImagesOptions } from "./images.ts";

export const CIFAR10_CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"] as const;

const SIDE = 32;
const PIXELS = 3 * SIDE * SIDE;
/** A class, then the red, the green and the blue plane. */
const RECORD = 1 + PIXELS;

/** https://www.cs.toronto.edu/~kriz/cifar.html, the binary version. */
const ARCHIVE: RemoteFile = {
  name: "cifar-10-binary.tar.gz",
  url: "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
  sha256: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
  packed: true,
};

const FOLDER = "cifar-10-batches-bin";
const TRAIN = [1, 2, 3, 4, 5].map((i) => `data_batch_${i}.bin`);
const TEST = ["test_batch.bin"];

/**
 * CIFAR-10: 50,000 pictures for training, 10,000 for testing; x [n, 3, 32, 32] float32 from 0 to 1, y [n] int32, the classes are `CIFAR10_CLASSES`. Read from `dir`
 * or GRADUS_DATA, as the archive or as its .bin files (plain or .gz; a part of them in one file may be called train_batch.bin), else downloaded, checked and kept.
 *
 * @throws FormatError for files that are not what they should be, DownloadError if the server cannot be reached
 * @example const [train, test] = [await cifar10(), await cifar10({ train: false })];
 */
export async function cifar10(options: ImagesOptions = {}): Promise<ArrayDataset> {
  checkOptions("cifar10", options, ["train", ...SOURCE_OPTIONS]);
  const names = (options.train ?? true) ? TRAIN : TEST;
  const dir = options.dir ?? environment("GRADUS_DATA");
  const loose = dir ? await looseFiles(dir, names) : undefined;
  if (loose) return decodeCifar10(await Promise.all(loose.map(async (path) => [path, await unpacked(path)] as const)));
  const archive = await dataFile("cifar10", ARCHIVE, options);
  const files = filesOfTar(
    archive,
    names.map((name) => `${FOLDER}/${name}`),
    ARCHIVE.name,
  );
  return decodeCifar10([...files]);
}

const unpacked = async (path: string): Promise<Uint8Array> => gunzip(await readBytes(path, MAX_UNPACKED), path);

/** The .bin files that lie in the folder, or in a folder of the set's name in it; undefined where there is none of them. */
async function looseFiles(dir: string, names: readonly string[]): Promise<string[] | undefined> {
  const find = async (name: string): Promise<string | undefined> =>
    (await findIn(dir, "cifar10", `${name}.gz`)) ?? (await findIn(dir, FOLDER, `${name}.gz`));
  const found = await Promise.all(names.map(find));
  const missing = names.filter((_, i) => found[i] === undefined);
  if (missing.length === 0) return found as string[];
  const whole = names === TRAIN ? await find("train_batch.bin") : undefined;
  if (missing.length === names.length) return whole === undefined ? undefined : [whole];
  throw new FormatError(`cifar10: there is no ${missing.join(", ")} in ${dir}`, {
    why: "a part of the training pictures alone is not CIFAR-10",
    help: "put the missing files there, or name a file with fewer pictures train_batch.bin",
  });
}

/**
 * Files in CIFAR-10's binary format, one after the other: records of 3073 bytes, a class and a red, a green and a blue plane.
 *
 * @throws FormatError for a file that is not made of whole records, and for a class above 9, with its record
 */
export function decodeCifar10(files: readonly (readonly [name: string, bytes: Uint8Array])[]): ArrayDataset {
  for (const [name, { length }] of files)
    if (length === 0 || length % RECORD !== 0)
      throw new FormatError(`${name}: ${length} bytes`, {
        why: `CIFAR-10's files are made of records of ${RECORD} bytes`,
        help: "download it again",
      });
  const count = files.reduce((sum, [, { length }]) => sum + length / RECORD, 0);
  const images = new Uint8Array(count * PIXELS);
  const labels = new Uint8Array(count);
  let row = 0;
  for (const [name, bytes] of files)
    for (let at = 0; at < bytes.length; at += RECORD, row++) {
      const label = bytes[at]!;
      if (label > 9) throw new FormatError(`${name}: class ${label} in record ${at / RECORD}`, { why: "the classes are 0 to 9" });
      labels[row] = label;
      images.set(bytes.subarray(at + 1, at + RECORD), row * PIXELS);
    }
  return new ArrayDataset({ data: images, shape: [3, SIDE, SIDE], scale: 1 / 255 }, { data: labels, shape: [], dtype: "int32" });
}
