import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FormatError, GradusError } from "../../src/core/errors.ts";
import { decodeSafetensors, encodeSafetensors, type StoredTensor } from "../../src/io/index.ts";

const f32 = (shape: number[], ...values: number[]): StoredTensor => ({ dtype: "float32", shape, data: Float32Array.from(values) });

const SAMPLE: Record<string, StoredTensor> = {
  "z.mask": { dtype: "bool", shape: [3], data: Uint8Array.of(1, 0, 1) },
  "0.weight": f32([2, 2], 1, -2, 3.5, Number.NaN),
  "a.double": { dtype: "float64", shape: [1], data: Float64Array.of(Math.PI) },
  step: { dtype: "int32", shape: [], data: Int32Array.of(-7) },
  seed: { dtype: "uint32", shape: [2], data: Uint32Array.of(0xffffffff, 1) },
  "größe ☃": { dtype: "uint8", shape: [0, 4], data: new Uint8Array(0) },
};

/** A file from a header as text (or bytes) and data of a length. */
function craft(header: string, data: number | Uint8Array = 0, length = BigInt(new TextEncoder().encode(header).length)): Uint8Array {
  const text = new TextEncoder().encode(header);
  const body = typeof data === "number" ? new Uint8Array(data) : data;
  const file = new Uint8Array(8 + text.length + body.length);
  new DataView(file.buffer).setBigUint64(0, length, true);
  file.set(text, 8);
  file.set(body, 8 + text.length);
  return file;
}

const entry = (from: number, to: number, shape: number[], dtype = "F32"): string =>
  JSON.stringify({ dtype, shape, data_offsets: [from, to] });

async function refused(file: Uint8Array): Promise<string> {
  const error = await decodeSafetensors(file, { name: "x.safetensors" }).then(
    () => undefined,
    (e: unknown) => e,
  );
  expect(error).toBeInstanceOf(FormatError);
  expect((error as FormatError).what).toContain("x.safetensors");
  return (error as FormatError).message;
}

describe("writing and reading", () => {
  test("every dtype comes back bit for bit, with its metadata", async () => {
    const file = await encodeSafetensors(SAMPLE, { note: "hello" });
    const { tensors, metadata } = await decodeSafetensors(file, { checksum: "required" });
    expect([...metadata]).toEqual([["note", "hello"]]);
    expect(new Set(tensors.keys())).toEqual(new Set(Object.keys(SAMPLE)));
    for (const [name, stored] of Object.entries(SAMPLE)) expect(tensors.get(name)).toEqual(stored);
  });

  test("the bytes do not depend on the order of the tensors", async () => {
    const turned = Object.fromEntries(Object.entries(SAMPLE).reverse());
    expect(await encodeSafetensors(turned, { b: "2", a: "1" })).toEqual(await encodeSafetensors(SAMPLE, { a: "1", b: "2" }));
  });

  test("names are sorted and every tensor starts at a multiple of its element size, the data at a multiple of 8", async () => {
    const file = await encodeSafetensors(SAMPLE);
    const length = Number(new DataView(file.buffer).getBigUint64(0, true));
    expect(length % 8).toBe(0);
    const header = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + length))) as Record<string, { data_offsets: number[] }>;
    const names = Object.keys(header).filter((name) => name !== "__metadata__");
    expect(names).toEqual(Object.keys(SAMPLE).sort());
    for (const name of names) expect(header[name]!.data_offsets[0]! % SAMPLE[name]!.data.BYTES_PER_ELEMENT).toBe(0);
  });

  test("a file written by the Python library is read, half types and 64-bit integers included", async () => {
    const { tensors, metadata } = await decodeSafetensors(readFileSync(new URL("../fixtures/io/python.safetensors", import.meta.url)));
    expect([...metadata]).toEqual([["format", "pt"]]);
    expect(tensors.get("weight")).toEqual(f32([2, 2], 1, 2, 3, 4));
    expect(tensors.get("half")).toEqual(f32([3], 1.5, -2, 65504));
    expect(tensors.get("brain")).toEqual(f32([2], 1, -3.140625));
    expect(tensors.get("count")).toEqual({ dtype: "int32", shape: [], data: Int32Array.of(-123456) });
  });

  test("the oldest released format is still read", async () => {
    const { tensors } = await decodeSafetensors(readFileSync(new URL("../fixtures/io/format-1.safetensors", import.meta.url)), {
      checksum: "required",
    });
    expect(tensors.get("0.weight")).toEqual(f32([2, 2], 1, -2, 3.5, 0.25));
  });

  test("names that cannot come back are refused when written", async () => {
    for (const name of ["__metadata__", "half \ud800 pair"])
      await expect(encodeSafetensors({ [name]: f32([1], 1) })).rejects.toThrow(GradusError);
  });

  test.each<[string, StoredTensor, RegExp]>([
    [
      "integers called float32",
      { dtype: "float32", shape: [1], data: Int32Array.of(1) },
      /Int32Array of 1 elements for \[1\] float32[\s\S]*Float32Array/,
    ],
    ["bytes called float32", { dtype: "float32", shape: [4], data: Uint8Array.of(1, 2, 3, 4) }, /Uint8Array/],
    ["2 called a truth value", { dtype: "bool", shape: [2], data: Uint8Array.of(1, 2) }, /element 1 is 2/],
  ])("%s are refused when written: their bytes would come back as other numbers", async (_, stored, message) => {
    await expect(encodeSafetensors({ x: stored })).rejects.toThrow(message);
  });

  test("a misspelt option is refused", async () => {
    await expect(decodeSafetensors(await encodeSafetensors({}), { checksums: "required" } as never)).rejects.toThrow(
      /did you mean checksum/,
    );
  });

  test("a tensor named __proto__ stays a name", async () => {
    const file = await encodeSafetensors(new Map([["__proto__", f32([1], 5)]]));
    expect((await decodeSafetensors(file)).tensors.get("__proto__")).toEqual(f32([1], 5));
    expect(({} as { dtype?: string }).dtype).toBeUndefined();
  });
});

describe("hostile files", () => {
  const w = `{"w":${entry(0, 4, [1])}}`;
  test.each<[string, Uint8Array, string]>([
    ["a header beyond 100 MB", craft(w, 4, 100_000_001n), "header"],
    ["a header length beyond 2^53", craft(w, 4, 2n ** 60n), "header"],
    ["a header longer than the file", craft(w, 4, 1000n), "cut off"],
    ["two tensors that overlap", craft(`{"a":${entry(0, 8, [2])},"b":${entry(4, 12, [2])}}`, 12), "overlap"],
    ["a hole between tensors", craft(`{"a":${entry(0, 4, [1])},"b":${entry(8, 12, [1])}}`, 12), "belong to no tensor"],
    ["bytes after the last tensor", craft(w, 5), "after the last"],
    ["a shape whose product wraps around", craft(`{"w":${entry(0, 4, [2 ** 32, 2 ** 32])}}`, 4), "needs"],
    ["a zero-size tensor beyond the end", craft(`{"w":${entry(9, 9, [0])}}`, 0), "starts at byte 9"],
    ["offsets that run backwards", craft(`{"w":${entry(4, 0, [1])}}`, 4), "start and an end"],
    ["sizes that are no whole numbers", craft(`{"w":{"dtype":"F32","shape":[1.5],"data_offsets":[0,6]}}`, 6), "whole numbers"],
    ["a size beyond 2^53", craft(`{"w":{"dtype":"F32","shape":[9007199254740993],"data_offsets":[0,4]}}`, 4), "whole numbers"],
    ["an unknown element type", craft(`{"w":${entry(0, 4, [1], "OBJ")}}`, 4), "element type"],
    ["an unknown entry", craft(`{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"code":"x"}}`, 4), "unknown entry"],
    ["a key that stands twice", craft(`{"w":${entry(0, 4, [1])},"w":${entry(0, 4, [1])}}`, 4), "stands twice"],
    ["a dtype that stands twice", craft(`{"w":{"dtype":"F32","dtype":"F64","shape":[1],"data_offsets":[0,4]}}`, 4), "stands twice"],
    ["a key that stands twice under an escape", craft(`{"w":${entry(0, 4, [1])},"\\u0077":${entry(0, 4, [1])}}`, 4), "stands twice"],
    ["JSON 100,000 levels deep", craft("[".repeat(100_000)), "nested deeper"],
    ["text after the JSON", craft(`${w}x`, 4), "after the end"],
    ["a header that is a list", craft("[]"), "not an object"],
    ["a note that is not text", craft(`{"__metadata__":{"a":1}}`), "not text"],
    ["a truth value of 7", craft(`{"w":${entry(0, 1, [1], "BOOL")}}`, Uint8Array.of(7)), "truth"],
    ["a 64-bit integer that does not fit", craft(`{"w":${entry(0, 8, [1], "I64")}}`, Uint8Array.of(0, 0, 0, 0, 1, 0, 0, 0)), "4294967296"],
    ["a newer format", craft(`{"__metadata__":{"gradus.format":"2"}}`), "newer gradus"],
    ["no bytes at all", new Uint8Array(0), "too few"],
  ])("%s is refused", async (_, file, message) => {
    expect(await refused(file)).toContain(message);
  });

  test.each([2n ** 53n + 1n, -(2n ** 53n) - 1n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 31n])(
    "the 64-bit integer %s is refused with the tensor's name and the exact value, never rounded",
    async (value) => {
      const data = new BigInt64Array([7n, value]);
      const message = await refused(craft(`{"step":${entry(0, 16, [2], "I64")}}`, new Uint8Array(data.buffer)));
      expect(message).toContain(`tensor "step": element 1 is ${value}\n`);
      // Advice that would round is none.
      expect(message.includes("as F64")).toBe(BigInt(Number(value)) === value);
    },
  );

  test("unsigned 64-bit integers are read to the last that fits, and refused beyond", async () => {
    const file = (value: bigint): Uint8Array =>
      craft(`{"n":${entry(0, 8, [1], "U64")}}`, new Uint8Array(new BigUint64Array([value]).buffer));
    expect((await decodeSafetensors(file(2n ** 32n - 1n))).tensors.get("n")!.data).toEqual(Uint32Array.of(2 ** 32 - 1));
    for (const value of [2n ** 32n, 2n ** 53n + 1n, 2n ** 64n - 1n]) expect(await refused(file(value))).toContain(`element 0 is ${value}`);
  });

  test("a newer format says so only where the checksum holds: a flipped bit is not a newer gradus", async () => {
    const file = await encodeSafetensors(SAMPLE);
    const text = new TextDecoder("latin1").decode(file);
    const at = text.indexOf('"gradus.format":"1"') + '"gradus.format":"'.length;
    expect(await refused(file.with(at, 0x39))).toContain("checksum does not hold");
  });

  test("200 names for one range are refused", async () => {
    const aliases = Array.from({ length: 200 }, (_, i) => `"t${i}":${entry(0, 400, [100])}`);
    expect(await refused(craft(`{${aliases.join(",")}}`, 400))).toContain("overlap");
  });

  test.each<[string, Uint8Array, string]>([
    ["a pickle", Uint8Array.of(0x80, 2, 0x7d, 0x71, 0, 0x2e, 0, 0, 0), "pickle"],
    ["a PyTorch archive", Uint8Array.of(0x50, 0x4b, 3, 4, 0, 0, 8, 8, 0, 0), "torch.save"],
    ["a NumPy file", new TextEncoder().encode("?NUMPY\x01\x00v\x00").with(0, 0x93), "NumPy"],
  ])("%s is refused by its content, with advice", async (_, file, name) => {
    const message = await refused(file);
    expect(message).toContain(name);
    expect(message).toContain("safetensors.");
  });

  test("every truncation of a small file is an error", async () => {
    const file = await encodeSafetensors(SAMPLE);
    for (let length = 0; length < file.length; length++) await refused(file.subarray(0, length));
  });

  test("every flipped bit of a small file is found", async () => {
    const file = await encodeSafetensors(SAMPLE, { note: "hello" });
    for (let bit = 0; bit < file.length * 8; bit++) {
      const bad = file.slice();
      bad[bit >> 3]! ^= 1 << (bit & 7);
      await refused(bad);
    }
  });

  test("1,000 random flips in a larger file are found", async () => {
    const file = await encodeSafetensors({
      w: { dtype: "float32", shape: [20_000], data: Float32Array.from({ length: 20_000 }, (_, i) => i) },
    });
    await fc.assert(
      fc.asyncProperty(fc.nat(file.length - 1), fc.integer({ min: 1, max: 255 }), async (at, mask) => {
        const bad = file.slice();
        bad[at]! ^= mask;
        await expect(decodeSafetensors(bad)).rejects.toThrow(FormatError);
      }),
      { numRuns: 1000 },
    );
  });

  test("random mutations give a typed error or a file, never anything else", async () => {
    const file = craft(`{"__metadata__":{"a":"b"},"w":${entry(0, 4, [1])},"v":${entry(4, 12, [1, 1], "F64")}}`, 12);
    const edit = fc.record({ at: fc.nat(file.length - 1), byte: fc.nat(255), cut: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 4 }), async (edits) => {
        let bad = file.slice();
        for (const { at, byte, cut } of edits) {
          if (cut) bad = new Uint8Array([...bad.subarray(0, at), ...bad.subarray(at + 1)]);
          else if (at < bad.length) bad[at] = byte;
        }
        const outcome = await decodeSafetensors(bad).catch((error: unknown) => error);
        if (outcome instanceof Error) expect(outcome).toBeInstanceOf(FormatError);
      }),
      { numRuns: Number(process.env.GRADUS_MUTATIONS ?? 3000) },
    );
  });
});
