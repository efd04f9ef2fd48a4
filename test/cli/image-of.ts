/** The bytes of a PNG as a network of grey images gets them. */
import { decode } from "fast-png";
import { inkOf, type ReadImage } from "../../src/cli/image.ts";
import { decodePngNow } from "../../src/io/index.ts";

export const imageOf = (bytes: Uint8Array, name: string, side: number, options: { exact?: boolean } = {}): ReadImage =>
  inkOf(decodePngNow(decode, bytes, name), name, side, options);
