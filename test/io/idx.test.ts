import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FormatError } from "../../src/core/errors.ts";
import { decodeIdx } from "../../src/io/index.ts";

function idx(type: number, sizes: readonly number[], data: Uint8Array): Uint8Array {
  const file = new Uint8Array(4 + 4 * sizes.length + data.length);
  file.set([0, 0, type, sizes.length]);
  for (const [i, size] of sizes.entries()) new DataView(file.buffer).setUint32(4 + 4 * i, size);
  file.set(data, 4 + 4 * sizes.length);
  return file;
}
const SMALL = idx(8, [2, 3], Uint8Array.of(1, 2, 3, 4, 5, 255));

describe("idx files", () => {
  test("bytes come with their shape, gzipped or not", async () => {
    const expected = { dtype: "uint8", shape: [2, 3], data: Uint8Array.of(1, 2, 3, 4, 5, 255) };
    expect(await decodeIdx(SMALL)).toEqual(expected);
    expect(await decodeIdx(new Uint8Array(gzipSync(SMALL)))).toEqual(expected);
  });

  test("wider types are big-endian", async () => {
    expect((await decodeIdx(idx(0x0b, [1], Uint8Array.of(0xff, 0xfe)))).data).toEqual(Int32Array.of(-2));
    expect((await decodeIdx(idx(0x0d, [1], Uint8Array.of(0x40, 0x49, 0x0f, 0xdb)))).data).toEqual(Float32Array.of(Math.PI));
    expect((await decodeIdx(idx(0x0e, [1], Uint8Array.of(0x3f, 0xf8, 0, 0, 0, 0, 0, 0)))).data).toEqual(Float64Array.of(1.5));
  });

  const crc = new Uint8Array(gzipSync(SMALL));
  crc[crc.length - 6]! ^= 1;
  test.each<[string, Uint8Array, string]>([
    ["a wrong magic number", SMALL.with(0, 1), "does not begin"],
    ["an unknown element type", SMALL.with(2, 7), "does not begin"],
    ["rank 0", SMALL.with(3, 0), "0 axes"],
    ["rank 255", SMALL.with(3, 255), "255 axes"],
    ["2^96 elements", idx(8, [0xffffffff, 0xffffffff, 0xffffffff], new Uint8Array(4)), "needs 79228162458924105385300197375 bytes"],
    ["one byte too few", SMALL.subarray(0, SMALL.length - 1), "cut off"],
    ["one byte too many", new Uint8Array([...SMALL, 0]), "after the last"],
    ["sizes that are cut off", SMALL.subarray(0, 9), "cut off within its sizes"],
    ["an empty file", new Uint8Array(0), "too few"],
    ["gzip with a wrong checksum", crc, "damaged gzip"],
    ["gzip that is cut off", new Uint8Array(gzipSync(SMALL)).subarray(0, 20), "damaged gzip"],
  ])("%s is refused, with the file's name", async (_, file, message) => {
    const error = await decodeIdx(file, "x.idx").catch((e: unknown) => e);
    expect(error).toBeInstanceOf(FormatError);
    expect((error as Error).message).toContain("x.idx");
    expect((error as Error).message).toContain(message);
  });

  test("a gzip bomb stops at the limit", async () => {
    const bomb = new Uint8Array(gzipSync(new Uint8Array(300_000_000), { level: 1 }));
    await expect(decodeIdx(bomb)).rejects.toThrow(/more than 268435456 bytes/);
  });

  test("random bytes give a typed error or an array, never anything else", async () => {
    const edits = fc.array(fc.tuple(fc.nat(SMALL.length - 1), fc.nat(255)), { maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(edits, fc.nat(SMALL.length), async (changes, length) => {
        const bad = SMALL.slice();
        for (const [at, byte] of changes) bad[at] = byte;
        const outcome = await decodeIdx(bad.subarray(0, length)).catch((e: unknown) => e);
        if (outcome instanceof Error) expect(outcome).toBeInstanceOf(FormatError);
      }),
      { numRuns: Number(process.env.GRADUS_MUTATIONS ?? 3000) },
    );
  });
});
