/** Models as safetensors files, under PyTorch's names: written and read from code, by gradus or by others. */
import { type Tensor, tensor } from "../index.ts";
import { decodeSafetensors, encodeSafetensors, readBytes, type StoredTensor, writeAtomically } from "../io/index.ts";
import type { Module } from "../nn/index.ts";

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

/**
 * Reads a model's parameters and buffers from a safetensors file, all or nothing.
 *
 * @throws FormatError for a file that is none or is damaged; ShapeError or GraphError that lists all names that are missing, left over or of another shape
 * @example
 * const model = new Sequential(new Linear(784, 100), relu, new Linear(100, 10));
 * await loadModel(model, "digits.safetensors");
 */
export async function loadModel(model: Module, path: string, options: { readonly strict?: boolean } = {}): Promise<void> {
  const { tensors } = await decodeSafetensors(await readBytes(path), { name: path });
  const state: Record<string, Tensor> = {};
  for (const [name, { data, shape, dtype }] of tensors) state[name] = tensor(data, [...shape], { dtype });
  model.loadStateDict(state, options);
}
