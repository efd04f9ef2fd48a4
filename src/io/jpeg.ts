/** JPEG (ISO/IEC 10918), read by sharp in Node, by the browser in a page. */
import { DeviceError, FormatError } from "../core/errors.ts";
import { MAX_PIXELS, type Picture } from "./picture.ts";

/** True for what begins as a JPEG does. */
export const isJpeg = (bytes: Uint8Array): boolean => bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff;

export interface JpegOptions {
  /** A size that is enough: a picture that is a few times larger is halved until it is at most four times that, which is quicker than to read all of it. */
  readonly enough?: readonly [height: number, width: number] | undefined;
}

/** Most pixels of a picture that is halved while it is read: a camera's. */
const MAX_HALVED = 2 ** 26;

/**
 * A JPEG, turned as its camera says, in RGB or grey.
 *
 * @throws DeviceError where sharp is not installed; FormatError for what is damaged or cut off, or has more than 2²⁴ pixels (2²⁶ where few are enough)
 */
export async function decodeJpeg(bytes: Uint8Array, who = "jpeg", options: JpegOptions = {}): Promise<Picture> {
  if (!isJpeg(bytes)) throw new FormatError(`${who}: not a JPEG image`, { help: "save it as JPEG" });
  const inPage = typeof createImageBitmap === "function" && typeof OffscreenCanvas === "function";
  checkSize(bytes, who, options.enough && !inPage ? MAX_HALVED : MAX_PIXELS);
  return inPage ? byBrowser(bytes, who) : bySharp(bytes, who, options);
}

const damaged = (who: string, cause: unknown): FormatError =>
  new FormatError(`${who}: damaged JPEG`, {
    why: cause instanceof Error ? cause.message.trim().split("\n")[0] : String(cause),
    help: "copy or download the file again",
    cause,
  });

async function bySharp(bytes: Uint8Array, who: string, { enough }: JpegOptions): Promise<Picture> {
  const sharp = await loadSharp(who);
  try {
    const open = (): ReturnType<typeof sharp> => sharp(bytes, { limitInputPixels: MAX_HALVED, failOn: "warning" });
    const { width, height } = (await open().metadata()).autoOrient;
    const times = enough ? halvings(Math.min(height / enough[0], width / enough[1])) : 1;
    const size = { width: Math.ceil(width / times), height: Math.ceil(height / times) };
    if (size.width * size.height > MAX_PIXELS) throw tooLarge(who, width, height);
    const turned = open().autoOrient();
    const { data, info } = await (times > 1 ? turned.resize({ ...size, fit: "fill", kernel: "linear" }) : turned)
      .toColourspace("srgb")
      .raw()
      .toBuffer({ resolveWithObject: true });
    return { ...size, channels: info.channels, data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
  } catch (cause) {
    throw cause instanceof FormatError ? cause : damaged(who, cause);
  }
}

/** 1, 2, 4 or 8, which the format itself makes smaller by: so that at least twice of what is enough is left to be scaled with care. */
const halvings = (larger: number): number => [8, 4, 2].find((times) => larger >= 2 * times) ?? 1;

const tooLarge = (who: string, width: number, height: number): FormatError =>
  new FormatError(`${who}: an image of ${width} × ${height}`, {
    why: `at most ${MAX_PIXELS} pixels are read`,
    help: "make it smaller, or say a size that it is scaled to",
  });

async function loadSharp(who: string): Promise<typeof import("sharp")["default"]> {
  try {
    return (await import("sharp")).default;
  } catch (cause) {
    throw new DeviceError(`${who}: JPEG images are read by the package sharp, which is not installed here`, {
      why: "it brings compiled code that most programs do not need",
      help: "npm install sharp; or save the images as PNG, which needs nothing",
      cause,
    });
  }
}

async function byBrowser(bytes: Uint8Array, who: string): Promise<Picture> {
  try {
    const bitmap = await createImageBitmap(new Blob([bytes as Uint8Array<ArrayBuffer>], { type: "image/jpeg" }));
    const { width, height } = bitmap;
    const context = new OffscreenCanvas(width, height).getContext("2d")!;
    context.drawImage(bitmap, 0, 0);
    bitmap.close();
    return { width, height, channels: 4, data: new Uint8Array(context.getImageData(0, 0, width, height).data.buffer) };
  } catch (cause) {
    throw damaged(who, cause);
  }
}

/** The size in the frame's header (B.2.2), before anything is decoded. Markers without a frame are left to the decoder to refuse. */
function checkSize(bytes: Uint8Array, who: string, most: number): void {
  for (let at = 2; at + 9 < bytes.length && bytes[at] === 0xff; ) {
    const marker = bytes[at + 1]!;
    // Fill bytes, and markers that stand alone.
    if (marker === 0xff || marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8)) {
      at += marker === 0xff ? 1 : 2;
      continue;
    }
    const isFrame = marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
    if (isFrame) {
      const [height, width] = [bytes[at + 5]! * 256 + bytes[at + 6]!, bytes[at + 7]! * 256 + bytes[at + 8]!];
      if (width * height <= most) return;
      throw tooLarge(who, width, height);
    }
    at += 2 + bytes[at + 2]! * 256 + bytes[at + 3]!;
  }
}
