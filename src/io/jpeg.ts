/** JPEG (ISO/IEC 10918), read by sharp in Node, by the browser in a page. */
import { DeviceError, FormatError } from "../core/errors.ts";
import { MAX_PIXELS, type Picture } from "./picture.ts";

/** True for what begins as a JPEG does. */
export const isJpeg = (bytes: Uint8Array): boolean => bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff;

/**
 * A JPEG, turned as its camera says, in RGB or grey.
 *
 * @throws DeviceError where sharp is not installed; FormatError for what is damaged or cut off, or has more than 2²⁴ pixels
 */
export async function decodeJpeg(bytes: Uint8Array, who = "jpeg"): Promise<Picture> {
  if (!isJpeg(bytes)) throw new FormatError(`${who}: not a JPEG image`, { help: "save it as JPEG" });
  checkSize(bytes, who);
  return typeof createImageBitmap === "function" && typeof OffscreenCanvas === "function" ? byBrowser(bytes, who) : bySharp(bytes, who);
}

const damaged = (who: string, cause: unknown): FormatError =>
  new FormatError(`${who}: damaged JPEG`, {
    why: cause instanceof Error ? cause.message.trim().split("\n")[0] : String(cause),
    help: "copy or download the file again",
    cause,
  });

async function bySharp(bytes: Uint8Array, who: string): Promise<Picture> {
  const sharp = await loadSharp(who);
  try {
    const { data, info } = await sharp(bytes, { limitInputPixels: MAX_PIXELS, failOn: "warning" })
      .autoOrient()
      .toColourspace("srgb")
      .raw()
      .toBuffer({ resolveWithObject: true });
    const { width, height, channels } = info;
    return { width, height, channels, data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
  } catch (cause) {
    throw damaged(who, cause);
  }
}

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
function checkSize(bytes: Uint8Array, who: string): void {
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
      if (width * height <= MAX_PIXELS) return;
      throw new FormatError(`${who}: an image of ${width} × ${height}`, {
        why: `at most ${MAX_PIXELS} pixels are read`,
        help: "make it smaller",
      });
    }
    at += 2 + bytes[at + 2]! * 256 + bytes[at + 3]!;
  }
}
