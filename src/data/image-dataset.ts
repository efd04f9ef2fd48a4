import { ArgumentError, show } from "../core/errors.ts";
import { cores } from "../core/host.ts";
import { checkOptions } from "../core/options.ts";
import { type Generator, type Tensor, tensor, zeros } from "../index.ts";
import {
  type CheckedPlanes,
  checkPlanes,
  ImageReader,
  type ImageSource,
  nameOf,
  PLANES_OPTIONS,
  type Planes,
  readPlanes,
} from "../io/index.ts";
import type { Dataset, Labelled } from "./dataset.ts";
import { type BatchOptions, batchesOfRows, splitRows } from "./order.ts";

export interface ImageFilesOptions extends Planes {
  /** Names of the classes that the labels count; told by `imageFolder`, else none. */
  readonly classes?: readonly string[];
  /** Batches that are read ahead of the one in use. More hide longer reading, and take more memory. Default 2. */
  readonly ahead?: number;
  /** Workers that read. Default half of the machine's cores, at most 4: the others train. */
  readonly workers?: number;
  /** Whether a file may be a symbolic link. Default "refuse": in a folder from a stranger a link may lead anywhere. */
  readonly links?: "follow" | "refuse";
}

export const IMAGE_FILES_OPTIONS = [
  ...PLANES_OPTIONS,
  "classes",
  "ahead",
  "workers",
  "links",
] as const satisfies readonly (keyof ImageFilesOptions)[];

/** How the images of a set are read; all parts of it share one. */
interface Reading {
  readonly wanted: CheckedPlanes;
  readonly size: readonly [height: number, width: number];
  readonly links: "follow" | "refuse";
  readonly ahead: number;
  readonly reader: ImageReader;
}

/**
 * A data set of image files: x [n, channels, height, width] float32 from 0 to 1, y [n] int32. Files are read when their batch is near, by workers ahead of the step,
 * and no more than a few batches are held; so the number of files does not matter. The order, and the numbers, are the same however many workers there are.
 *
 * @throws FormatError that names the file, when its batch is reached: for one that is damaged, of another format, or of another size (unless a size is wanted)
 * @example
 * const train = await imageFiles(["a.png", "b.jpg"], [0, 1], { size: 32, classes: ["cat", "dog"] });
 * for await (const { x, y } of train.batches(2)) await step(x, y).item();
 */
export class ImageDataset implements Dataset<Labelled> {
  readonly files: readonly ImageSource[];
  readonly labels: Int32Array;
  readonly classes: readonly string[];
  /** Which files, in order. */
  readonly rows: Uint32Array;
  private readonly reading: Reading;

  /** @internal Made by `imageFiles` and `imageFolder`, which look at the first image. */
  constructor(all: Pick<ImageDataset, "files" | "labels" | "classes">, reading: Reading, rows?: Uint32Array) {
    this.files = all.files;
    this.labels = all.labels;
    this.classes = all.classes;
    this.reading = reading;
    this.rows = rows ?? Uint32Array.from({ length: all.files.length }, (_, i) => i);
  }

  get size(): number {
    return this.rows.length;
  }
  /** Shape of one image: [channels, height, width]. */
  get shape(): readonly [channels: number, height: number, width: number] {
    return [this.reading.wanted.channels, ...this.reading.size];
  }

  toString(): string {
    return `ImageDataset(${this.size} images [${this.shape.join(", ")}], ${this.classes.length} classes)`;
  }
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }

  split(fraction: number, rng: Generator): [ImageDataset, ImageDataset] {
    const [first, second] = splitRows(this.rows, fraction, rng);
    return [this.select(first), this.select(second)];
  }

  /** These rows of all files. */
  select(rows: Uint32Array): ImageDataset {
    return new ImageDataset(this, this.reading, rows);
  }

  /** The first `count` images, or all. */
  take(count: number): ImageDataset {
    return this.select(this.rows.subarray(0, count));
  }

  batches(size: number, options: BatchOptions = {}): AsyncIterable<Labelled> {
    const pass = batchesOfRows(this.rows, size, options);
    return { [Symbol.asyncIterator]: () => this.pass(pass()) };
  }

  /** Zeros of the shapes that batches have: nothing is read. */
  example(size: number): Labelled {
    return { x: zeros([size, ...this.shape]), y: zeros([size], { dtype: "int32" }) };
  }

  /** Ends the workers of this set and its parts, which hold some memory until the process ends. Reading again starts new ones. */
  close(): void {
    this.reading.reader.close();
  }

  private async *pass(batches: Iterable<Uint32Array>): AsyncGenerator<Labelled, void, undefined> {
    const waiting: Promise<Labelled>[] = [];
    for (const rows of batches) {
      const batch = this.load(rows);
      // What fails ahead is told when its batch is asked for, or never, if it is not.
      batch.catch(() => undefined);
      waiting.push(batch);
      if (waiting.length > this.reading.ahead) yield await waiting.shift()!;
    }
    for (const batch of waiting) yield await batch;
  }

  /** The images of one batch, in equal parts for all workers. */
  private async load(rows: Uint32Array): Promise<Labelled> {
    const { reader, wanted, size, links } = this.reading;
    const each = wanted.channels * size[0] * size[1];
    const data = new Float32Array(rows.length * each);
    const part = Math.ceil(rows.length / reader.count);
    const parts = Array.from({ length: Math.ceil(rows.length / part) }, (_, i) => rows.subarray(i * part, (i + 1) * part));
    const read = await Promise.allSettled(
      parts.map(async (own, i) => {
        const sources = Array.from(own, (row) => this.files[row]!);
        const names = Array.from(own, (row) => nameOf(this.files[row]!, row));
        data.set(await reader.read({ sources, names, wanted, size, links }), i * part * each);
      }),
    );
    // Of several files that cannot be read the first in the order is told.
    const failed = read.find((result) => result.status === "rejected");
    if (failed) throw failed.reason;
    return { x: tensor(data, [rows.length, ...this.shape]), y: this.labelsOf(rows) };
  }

  private labelsOf(rows: Uint32Array): Tensor {
    return tensor(
      Int32Array.from(rows, (row) => this.labels[row]!),
      [rows.length],
    );
  }
}

/**
 * A data set of files with labels: paths, or in a page `File`s and other `Blob`s. The first one is read at once, the others when they are needed.
 *
 * @throws ArgumentError for other numbers of files and labels, or labels that are no classes; FormatError if the first image cannot be read
 * @example const chosen = await imageFiles([...input.files], labels, { size: [64, 64] });   // in a page; batches are read on its thread
 */
export async function imageFiles(
  files: readonly ImageSource[],
  labels: ArrayLike<number>,
  options: ImageFilesOptions = {},
): Promise<ImageDataset> {
  const who = "imageFiles";
  checkOptions(who, options, IMAGE_FILES_OPTIONS);
  const { channels, size, fit } = options;
  const wanted = checkPlanes(who, { ...(channels && { channels }), ...(size !== undefined && { size }), ...(fit && { fit }) });
  const { classes = [], links = "refuse" } = options;
  const usual = Math.max(1, Math.min(4, Math.floor(cores() / 2)));
  const ahead = whole(who, "ahead", options.ahead ?? 2, 0);
  const workers = whole(who, "workers", options.workers ?? usual, 1);
  if (links !== "follow" && links !== "refuse")
    throw new ArgumentError(`${who}: links is ${show(links)}`, { help: '"follow" or "refuse"' });
  if (files.length === 0) throw new ArgumentError(`${who}: there are no files`, { why: "the size of the images is that of the first" });
  if (labels.length !== files.length)
    throw new ArgumentError(`${who}: ${files.length} files and ${labels.length} labels`, { why: "every image needs both" });
  const most = classes.length === 0 ? 2 ** 31 : classes.length;
  const bad = Array.from(labels).findIndex((label) => !Number.isSafeInteger(label) || label < 0 || label >= most);
  if (bad >= 0)
    throw new ArgumentError(`${who}: label ${show(labels[bad])} of ${nameOf(files[bad]!, bad)}`, {
      why: classes.length === 0 ? "labels are whole numbers from 0" : `there are ${classes.length} classes, from 0`,
    });
  const first = size === undefined ? await readPlanes(files[0]!, nameOf(files[0]!, 0), wanted, links) : undefined;
  const reading = { wanted, size: wanted.size ?? ([first!.height, first!.width] as const), links, ahead, reader: new ImageReader(workers) };
  return new ImageDataset({ files: [...files], labels: Int32Array.from(labels), classes: [...classes] }, reading);
}

function whole(who: string, name: string, value: unknown, least: number): number {
  if (Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= 1024) return value as number;
  throw new ArgumentError(`${who}: ${name} is ${show(value)}`, { help: `a whole number from ${least} to 1024` });
}
