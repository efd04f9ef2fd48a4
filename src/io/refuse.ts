import { FormatError } from "../core/errors.ts";

const starts = (bytes: Uint8Array, ...head: number[]): boolean => head.every((byte, i) => bytes[i] === byte);
const ascii = (bytes: Uint8Array, text: string): boolean => [...text].every((c, i) => bytes[i] === c.charCodeAt(0));

/** Formats that can run code when they are read, or that are something else; told by their first bytes, never by their name. */
const FOREIGN: readonly { what: string; is(bytes: Uint8Array): boolean; help: string }[] = [
  {
    what: "a Python pickle",
    is: (bytes) => bytes[0] === 0x80 && bytes[1]! >= 2 && bytes[1]! <= 5 && !isHeaderLength(bytes),
    help: 'a pickle can run any program when it is read; convert it in Python: safetensors.torch.save_file(state_dict, "model.safetensors")',
  },
  {
    what: "a zip archive, as torch.save writes (.pt, .pth, .npz)",
    is: (bytes) => starts(bytes, 0x50, 0x4b, 3, 4) || starts(bytes, 0x50, 0x4b, 5, 6),
    help: 'it holds a pickle, which can run any program; convert it in Python: safetensors.torch.save_file(torch.load(path, weights_only=True), "model.safetensors")',
  },
  {
    what: "a NumPy file (.npy)",
    is: (bytes) => bytes[0] === 0x93 && ascii(bytes.subarray(1), "NUMPY"),
    help: 'object arrays in it are pickles; convert it in Python: safetensors.numpy.save_file({"x": numpy.load(path)}, "x.safetensors")',
  },
  {
    what: "an HDF5 file (Keras)",
    is: (bytes) => starts(bytes, 0x89, 0x48, 0x44, 0x46),
    help: "convert it in Python with safetensors.numpy.save_file",
  },
  { what: "gzip-compressed", is: (bytes) => starts(bytes, 0x1f, 0x8b, 8) && !isHeaderLength(bytes), help: "unpack it first" },
];

/** A real safetensors file may begin with any byte: its length's lowest. Then the JSON's "{" follows. */
const isHeaderLength = (bytes: Uint8Array): boolean => bytes[8] === 0x7b && bytes[6] === 0 && bytes[7] === 0;

/** Rejects what is not safetensors and is known to be something else, with advice. */
export function refuseForeign(bytes: Uint8Array, who: string): void {
  for (const { what, is, help } of FOREIGN)
    if (is(bytes)) throw new FormatError(`${who}: this is ${what}, not safetensors`, { why: "told by its first bytes", help });
}
