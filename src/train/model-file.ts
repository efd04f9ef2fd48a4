/** Models as safetensors files, under PyTorch's names: written and read from code, by gradus or by others. */
import { type Tensor, tensor } from "../index.ts";
import { decodeSafetensors, encodeSafetensors, readBytes, type StoredTensor, writeAtomically } from "../io/index.ts";
import type { Module } from "../nn/index.ts";
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

/**
 * Reads a model's parameters and buffers from a safetensors file, all or nothing, and answers the file's notes.
 *
 * @throws FormatError for a file that is none or is damaged; ShapeError or GraphError that lists all names that are missing, left over or of another shape
 * @example
 * const model = new Sequential(new Linear(784, 100), relu, new Linear(100, 10));
 * const { metadata } = await loadModel(model, "digits.safetensors");
 */
export async function loadModel(model: Module, path: string, options: { readonly strict?: boolean } = {}): Promise<ModelFile> {
  const { tensors, metadata } = await decodeSafetensors(await readBytes(path), { name: path });
  const state: Record<string, Tensor> = {};
  for (const [name, { data, shape, dtype }] of tensors) state[name] = tensor(data, [...shape], { dtype });
  naming(path, () => model.loadStateDict(state, options));
  return { metadata: noteRecord(metadata) };
}
