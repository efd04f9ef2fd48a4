import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tensor } from "gradus";
import { encodeSafetensors, writeAtomically } from "gradus/io";
import { init, Linear, Module, relu, Sequential } from "gradus/nn";
import { loadModel, readModelFile, saveModel } from "gradus/train";
import { afterAll, beforeAll, expect, test } from "vitest";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gradus-model-"));
});
afterAll(() => rm(folder, { recursive: true }));

const network = (hidden = 4): Sequential<any> => new Sequential(new Linear(3, hidden), relu, new Linear(hidden, 2));
const x = tensor([[1, -2, 3]]);

test("a saved model loads into a fresh one and answers the same, to the bit", async () => {
  const model = init(network(), 1);
  const path = join(folder, "model.safetensors");
  await saveModel(model, path);
  const fresh = network();
  await loadModel(fresh, path);
  expect(await fresh.forward(x).data()).toEqual(await model.forward(x).data());
});

test("the file holds PyTorch's names", async () => {
  const path = join(folder, "names.safetensors");
  await saveModel(init(network(), 2), path, { metadata: { made: "by a test" } });
  const bytes = await readFile(path);
  const header = JSON.parse(bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE(0))).toString());
  expect(Object.keys(header).filter((name) => name !== "__metadata__")).toEqual(["0.bias", "0.weight", "2.bias", "2.weight"]);
  expect(header.__metadata__.made).toBe("by a test");
});

test("the notes come back with the model, and before it", async () => {
  const path = join(folder, "notes.safetensors");
  const metadata = { classes: '["cat","dog"]', __proto__note: "x" };
  await saveModel(init(network(), 2), path, { metadata });
  expect({ ...(await loadModel(network(), path)).metadata }).toEqual(metadata);
  expect({ ...(await readModelFile(path)).metadata }).toEqual(metadata);
});

test("a model of another shape is refused as it was, and a damaged file by name", async () => {
  const path = join(folder, "other.safetensors");
  await saveModel(init(network(5), 3), path);
  const model = init(network(4), 4);
  const before = await model.forward(x).data();
  await expect(loadModel(model, path)).rejects.toThrow(/0\.weight/);
  expect(await model.forward(x).data()).toEqual(before);
  await writeFile(path, (await readFile(path)).subarray(0, 60));
  await expect(loadModel(model, path)).rejects.toThrow(/other\.safetensors/);
});

test("weights of other types are taken where the model can hold them, and what it cannot hold is named", async () => {
  const write = async (dtype: "float64" | "int32", weight: number[]): Promise<string> => {
    const path = join(folder, "types.safetensors");
    const data = dtype === "float64" ? Float64Array.from(weight) : Int32Array.from(weight);
    const bias = { dtype: "float64", shape: [1], data: Float64Array.of(1) } as const;
    await writeAtomically(path, await encodeSafetensors({ "0.weight": { dtype, shape: [1, 2], data }, "0.bias": bias })); // biome-ignore format: one line
    return path;
  };
  const weights = async (path: string) => {
    const model = new Sequential(new Linear(2, 1));
    expect(await loadModel(model, path)).toMatchObject({ missing: [], unexpected: [] });
    return model.stateDict()["0.weight"]!.array();
  };
  expect(await weights(await write("float64", [0.1, -0.25]))).toEqual([[Math.fround(0.1), -0.25]]);
  expect(await weights(await write("int32", [3, -4]))).toEqual([[3, -4]]);
  await expect(write("float64", [0.5, 1e300]).then(weights)).rejects.toThrow(/0\.weight: 1e\+300 \(element 1\) does not fit into float32/);
  await expect(write("int32", [2 ** 24 + 1, 0]).then(weights)).rejects.toThrow(/16777217 \(element 0\) does not fit/);
});

test("strict: false answers what was left out, and is an error where nothing fits", async () => {
  const path = join(folder, "loose.safetensors");
  await saveModel(init(new Sequential(new Linear(3, 4)), 5), path);
  const model = init(network(), 6);
  expect(await loadModel(model, path, { strict: false })).toMatchObject({ missing: ["2.weight", "2.bias"], unexpected: [] });
  class Other extends Module {
    readonly fc = new Linear(3, 4);
  }
  await expect(loadModel(new Other(), path, { strict: false })).rejects.toThrow(/not one name fits/);
  await expect(loadModel(model, path, { stric: true } as never)).rejects.toThrow(/did you mean strict/);
  await expect(saveModel(model, path, { metdata: {} } as never)).rejects.toThrow(/did you mean metadata/);
});

test("notes that would not come back as they were are refused when they are written, and nothing is", async () => {
  const path = join(folder, "refused-notes.safetensors");
  const model = init(network(), 5);
  for (const [notes, message] of [
    [{ epochs: 3 }, /the note "epochs" is 3[\s\S]*text/],
    [{ made: undefined }, /the note "made" is undefined/],
    [{ half: "\ud800" }, /half a surrogate pair/],
    [{ "half \udc00": "x" }, /half a surrogate pair/],
    [{ "gradus.sha256": "0" }, /keeps this name/],
    // The checksum would be written over this note's value.
    [{ 'a"gradus.sha256': "x".repeat(64) }, /keeps this name/],
  ] as const) {
    await expect(saveModel(model, path, { metadata: notes as never })).rejects.toThrow(message);
    await expect(readFile(path)).rejects.toThrow(/ENOENT/);
  }
  await saveModel(model, path, { metadata: { "größe ☃": 'a "quoted" {note}\n' } });
  expect({ ...(await loadModel(network(), path)).metadata }).toEqual({ "größe ☃": 'a "quoted" {note}\n' });
});
