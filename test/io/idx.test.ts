import { spawnSync } from "node:child_process";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FormatError } from "../../src/core/errors.ts";
import { decodeIdx, gunzip } from "../../src/io/index.ts";

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
    await expect(gunzip(bomb, "x")).rejects.toThrow(/more than 268435456 bytes/);
    await expect(gunzip(bomb, "x", { limit: 1000 })).rejects.toThrow(/more than 1000 bytes/);
  });

  test("a gzip bomb without a good beginning is refused by its beginning, one with it after as many bytes as that tells", async () => {
    const packed = (file: Uint8Array): Uint8Array => new Uint8Array(gzipSync(file, { level: 1 }));
    const zeros = new Uint8Array(20_000_000);
    await expect(decodeIdx(packed(zeros))).rejects.toThrow(/does not begin/);
    await expect(decodeIdx(packed(idx(8, [10, 28, 28], zeros)))).rejects.toThrow(/more than the 7856 bytes that its beginning tells/);
    await expect(decodeIdx(packed(idx(8, [2 ** 28, 28], zeros)))).rejects.toThrow(/needs 7516192768 bytes[\s\S]*at most/);
    await expect(decodeIdx(packed(idx(9, [2 ** 27], zeros)))).rejects.toThrow(/at most/);
    let asked = 0;
    const expectImages = (): void => {
      if (asked++ === 0) throw new FormatError("x: no images");
    };
    await expect(decodeIdx(packed(idx(8, [20_000_000], zeros)), "x", { expect: expectImages })).rejects.toThrow(/no images/);
    expect(asked).toBe(1);
  });

  test("gzip in several members, and one whose length lies, are unpacked whole", async () => {
    const members = Buffer.concat([gzipSync(SMALL.subarray(0, 1)), gzipSync(SMALL.subarray(1, 9)), gzipSync(SMALL.subarray(9))]);
    expect((await decodeIdx(new Uint8Array(members))).shape).toEqual([2, 3]);
    expect(await gunzip(new Uint8Array(members), "x")).toEqual(SMALL);
    const content = Uint8Array.from({ length: 1_000_000 }, (_, i) => i * 7);
    expect(await gunzip(new Uint8Array(Buffer.concat([gzipSync(content), gzipSync(SMALL)])), "x")).toHaveLength(
      content.length + SMALL.length,
    );
  });

  // The machine's own count of the process's memory; a process of its own, so that nothing else is counted.
  test.skipIf(process.platform !== "linux")("a bomb of 200 MB in 0.2 MB costs at most its own size, refused or read", async () => {
    const folder = await mkdtemp(join(tmpdir(), "gradus-bomb-"));
    await writeFile(
      join(folder, "t10k-images-idx3-ubyte.gz"),
      gzipSync(idx(8, [255_000, 28, 28], new Uint8Array(255_000 * 784)), { level: 9 }),
    );
    await writeFile(join(folder, "t10k-labels-idx1-ubyte.gz"), gzipSync(idx(8, [3], new Uint8Array(3))));
    const program = `
      import { mnist } from "gradus/data";
      const peak = () => process.resourceUsage().maxRSS / 1024;
      const before = peak();
      const said = await mnist({ dir: ${JSON.stringify(folder)}, train: false }).catch((error) => error.message);
      console.log(JSON.stringify({ said, megabytes: peak() - before }));`;
    const project = fileURLToPath(new URL("../..", import.meta.url));
    const environment = { ...process.env, TSX_TSCONFIG_PATH: join(project, "tsconfig.json") };
    const child = spawnSync(process.execPath, ["--import", "tsx", "--input-type=module", "-e", program], {
      cwd: project,
      env: environment,
    });
    const { said, megabytes } = JSON.parse(child.stdout.toString()) as { said: string; megabytes: number };
    expect(said).toMatch(/3 labels for 255000 images/);
    expect(megabytes).toBeLessThan(256);
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
