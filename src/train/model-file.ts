/** Models as safetensors files, under PyTorch's names: written and read from code, by gradus or by others. */
import { arrayOf, type DType, isFloat } from "../core/dtype.ts";
import { isElement, notAnElement } from "../core/elements.ts";
import { DTypeError } from "../core/errors.ts";
import { checkOptions } from "../core/options.ts";
import { type Tensor, tensor } from "../index.ts";
import { decodeSafetensors, encodeSafetensors, readBytes, type StoredTensor, writeAtomically } from "../io/index.ts";
import type { LoadOptions, LoadReport, Module } from "../nn/index.ts";
import { naming } from "./naming.ts";

/**
 * Writes a model's parameters and buffers to a file, atomically: a reader sees the old file or the new one, never half of one.
 *
 * @example
 * await saveModel(model, "digits.safetensors");
 */
export async function saveModel(
  model: Module,
  path: string,
  options: { readonly metadata?: Readonly<Record<string, string>> } = {},
): Promise<void> {
  checkOptions("saveModel", options, ["metadata"]);
  const stored = new Map<string, StoredTensor>();
  for (const [name, value] of Object.entries(model.stateDict()))
    stored.set(name, { dtype: value.dtype, shape: [...value.shape], data: await value.data() });
  await writeAtomically(path, await encodeSafetensors(stored, options.metadata));
}

/** What stands in a model's file beside its numbers. */
export interface ModelFile {
  /** The notes that `saveModel` was given: names of classes, columns of a table, a date. */
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * The notes of a model's file, for a program that has to know them before it can build the model.
 *
 * @throws FormatError for a file that is none or is damaged
 */
export async function readModelFile(path: string): Promise<ModelFile> {
  const { metadata } = await decodeSafetensors(await readBytes(path), { name: path });
  return { metadata: noteRecord(metadata) };
}

/** Without a prototype, so that no note can reach one. */
const noteRecord = (metadata: ReadonlyMap<string, string>): Readonly<Record<string, string>> =>
  Object.assign(Object.create(null) as Record<string, string>, Object.fromEntries(metadata));

/** A model's file, and what of it and of the model was left out: nothing unless `strict` is false. */
export interface LoadedModel extends ModelFile, LoadReport {}

/**
 * Reads a model's parameters and buffers from a safetensors file, all or nothing, and answers the file's notes. Floats are rounded to the model's kind,
 * as PyTorch does; a number that the model cannot hold is an error.
 *
 * @throws FormatError for a file that is none or is damaged, and for names that are missing, left over or of another shape, all of them listed; with
 *   strict: false only for shapes, or if no name fits
 * @example
 * const model = new Sequential(new Linear(784, 100), relu, new Linear(100, 10));
 * const { metadata } = await loadModel(model, "digits.safetensors");
 */
export async function loadModel(model: Module, path: string, options: LoadOptions = {}): Promise<LoadedModel> {
  checkOptions("loadModel", options, ["strict"]);
  const { tensors, metadata } = await decodeSafetensors(await readBytes(path), { name: path });
  const cells = model.namedVariables();
  const state: Record<string, Tensor> = Object.create(null) as Record<string, Tensor>;
  for (const [name, stored] of tensors) {
    const { data, shape, dtype } = converted(`${path}: ${name}`, stored, cells.get(name)?.dtype ?? stored.dtype);
    state[name] = tensor(data, [...shape], { dtype });
  }
  const left = naming(path, () => model.loadStateDict(state, options));
  return { metadata: noteRecord(metadata), ...left };
}

/** The same numbers as another type, all of which it must hold: floats rounded, whole numbers as they are. */
function converted(who: string, stored: StoredTensor, dtype: DType): StoredTensor {
  const { data, shape } = stored;
  if (dtype === stored.dtype) return stored;
  const rounds = isFloat(stored.dtype) && isFloat(dtype);
  const out = arrayOf(dtype, data.length);
  for (let i = 0; i < data.length; i++) {
    const x = data[i]!;
    if (!isElement(x, dtype)) throw notAnElement(x, dtype, who, ` (element ${i})`);
    out[i] = x;
    if (!rounds && out[i] !== x)
      throw new DTypeError(`${who}: ${x} (element ${i}) does not fit into ${dtype}`, { why: "a whole number would be rounded" });
  }
  return { data: out, shape, dtype };
}
