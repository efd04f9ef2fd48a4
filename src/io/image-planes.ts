/** What an image reader does for each file; the same in a worker and without one. */
import { FormatError } from "../core/errors.ts";
import { decodeImage, MAX_IMAGE_FILE } from "./image.ts";
import type { Links } from "./open.ts";
import { type CheckedPlanes, type PlanesOfPicture, planesOf } from "./picture.ts";
import { readBytes } from "./read.ts";

/** An image: the path of a file, or its bytes, as a `File` of a page. */
export type ImageSource = string | Blob;

export const nameOf = (source: ImageSource, position: number): string =>
  typeof source === "string" ? source : ((source as { name?: string }).name ?? `image ${position}`);

/** The numbers of one image. @throws FormatError with its name */
export async function readPlanes(source: ImageSource, who: string, wanted: CheckedPlanes, links: Links): Promise<PlanesOfPicture> {
  const bytes = await bytesOf(source, who, links);
  return planesOf(await decodeImage(bytes, who, { enough: wanted.size }), wanted);
}

async function bytesOf(source: ImageSource, who: string, links: Links): Promise<Uint8Array> {
  if (typeof source === "string") return readBytes(source, MAX_IMAGE_FILE, links);
  if (source.size > MAX_IMAGE_FILE) throw new FormatError(`${who}: ${source.size} bytes, more than the ${MAX_IMAGE_FILE} that are read`);
  return new Uint8Array(await source.arrayBuffer());
}

/** Images to read, all of one size. */
export interface ImageTask {
  readonly sources: readonly ImageSource[];
  readonly names: readonly string[];
  readonly wanted: CheckedPlanes;
  /** The size that all must have, if none is wanted. */
  readonly size: readonly [height: number, width: number];
  readonly links: Links;
}

/**
 * The images one after the other, [count, channels, height, width].
 *
 * @throws FormatError that names the first that cannot be read, or has another size
 */
export async function readTask({ sources, names, wanted, size, links }: ImageTask): Promise<Float32Array> {
  const each = wanted.channels * size[0] * size[1];
  const out = new Float32Array(sources.length * each);
  for (const [i, source] of sources.entries()) {
    const { data, height, width } = await readPlanes(source, names[i]!, wanted, links);
    if (height !== size[0] || width !== size[1])
      throw new FormatError(
        `${names[i]}: ${height} × ${width} pixels (height × width), where the first image has ${size[0]} × ${size[1]}`,
        {
          why: "the images of a batch are one tensor",
          help: `give a size that all are scaled to: { size: [${size.join(", ")}] }`,
        },
      );
    out.set(data, i * each);
  }
  return out;
}
