/** Image files, told by their first bytes and not by their names. */
import { FormatError } from "../core/errors.ts";
import { decodeJpeg, isJpeg, type JpegOptions } from "./jpeg.ts";
import type { Picture } from "./picture.ts";
import { decodePng, isPng } from "./png.ts";

/** Largest image file that is read. */
export const MAX_IMAGE_FILE = 50_000_000;

/**
 * A PNG or JPEG, whatever its name says; of a JPEG, `enough` may say that not all its pixels are needed.
 *
 * @throws FormatError for another format, and for what is damaged, cut off or too large; DeviceError for a JPEG where sharp is not installed
 * @example const { width, height, channels, data } = await decodeImage(await readFile("cat.jpg"), "cat.jpg");
 */
export async function decodeImage(bytes: Uint8Array, who = "image", options: JpegOptions = {}): Promise<Picture> {
  if (isPng(bytes)) return decodePng(bytes, who);
  if (isJpeg(bytes)) return decodeJpeg(bytes, who, options);
  const other = OTHERS.find(({ is }) => is(bytes));
  const first = Array.from(bytes.subarray(0, 4), (byte) => byte.toString(16).padStart(2, "0")).join(" ");
  throw new FormatError(`${who}: neither a PNG nor a JPEG image`, {
    why: bytes.length === 0 ? "it is empty" : other ? `it is ${other.what}, told by its first bytes` : `it begins with ${first}`,
    help: "save it as PNG or JPEG",
  });
}

const ascii = (bytes: Uint8Array, text: string, at = 0): boolean => [...text].every((c, i) => bytes[at + i] === c.charCodeAt(0));

const OTHERS: readonly { readonly what: string; is(bytes: Uint8Array): boolean }[] = [
  { what: "a GIF", is: (bytes) => ascii(bytes, "GIF8") },
  { what: "a WebP", is: (bytes) => ascii(bytes, "RIFF") && ascii(bytes, "WEBP", 8) },
  { what: "a BMP", is: (bytes) => ascii(bytes, "BM") },
  { what: "a TIFF", is: (bytes) => ascii(bytes, "II*\0") || ascii(bytes, "MM\0*") },
  { what: "an HEIF or AVIF", is: (bytes) => ascii(bytes, "ftyp", 4) },
  { what: "an SVG or another text", is: (bytes) => ascii(bytes, "<") },
];
