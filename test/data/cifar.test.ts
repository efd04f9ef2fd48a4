import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { FormatError } from "../../src/core/errors.ts";
import { CIFAR10_CLASSES, cifar10, DownloadError, decodeCifar10 } from "../../src/data/index.ts";
import { filesOfTar } from "../../src/io/index.ts";

const DATA = process.env.GRADUS_DATA ?? new URL("../../../shared/data", import.meta.url).pathname;
const hasData = existsSync(`${DATA}/cifar10-jpeg-subset`);

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gradus-cifar-"));
  vi.stubEnv("GRADUS_DATA", "");
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true, force: true });
});

/** Records of these classes; the pixels of record i are i, 2i and 3i in the red, green and blue plane. */
const records = (...labels: number[]): Uint8Array =>
  new Uint8Array(
    labels.flatMap((label, i) => [label, ...[1, 2, 3].flatMap((plane) => new Array<number>(1024).fill((plane * (i + 1)) % 256))]),
  );

function tarEntry(name: string, data: Uint8Array, part: { type?: string; size?: number; sum?: number } = {}): Uint8Array {
  const block = new Uint8Array(512 + Math.ceil(data.length / 512) * 512);
  const put = (text: string, at: number): void => block.set(new TextEncoder().encode(text), at);
  put(name, 0);
  put((part.size ?? data.length).toString(8).padStart(11, "0"), 124);
  put(part.type ?? "0", 156);
  put("        ", 148);
  const sum = part.sum ?? block.subarray(0, 512).reduce((all, byte) => all + byte, 0);
  put(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  block.set(data, 512);
  return block;
}
const tar = (...entries: Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat([...entries, new Uint8Array(1024)]));

describe("CIFAR-10's binary format", () => {
  test("has a class and three planes for each picture, in the order of the files", async () => {
    const data = decodeCifar10([
      ["a.bin", records(3, 9)],
      ["b.bin", records(0)],
    ]);
    const [batch] = data.batches(3);
    expect(Array.from(await batch!.y.data())).toEqual([3, 9, 0]);
    expect(batch!.x.shape).toEqual([3, 3, 32, 32]);
    const x = await batch!.x.data();
    expect([0, 1024, 2048, 3072, 6143].map((at) => Math.round(255 * x[at]!))).toEqual([1, 2, 3, 2, 6]);
    expect(CIFAR10_CLASSES[9]).toBe("truck");
  });

  test.each<[string, Uint8Array, RegExp]>([
    ["half a record", records(1).subarray(0, 3072), /a\.bin: 3072 bytes/],
    ["no record", new Uint8Array(0), /a\.bin: 0 bytes/],
    ["a class above 9", records(1, 10), /a\.bin: class 10 in record 1/],
  ])("%s is refused", (_, bytes, message) => {
    expect(() => decodeCifar10([["a.bin", bytes]])).toThrow(FormatError);
    expect(() => decodeCifar10([["a.bin", bytes]])).toThrow(message);
  });

  test("its files are found plain and gzipped, in the folder itself, under the set's name, and in the archive's folder", async () => {
    for (const inner of [".", "cifar10", "cifar-10-batches-bin"]) {
      await mkdir(join(folder, inner), { recursive: true });
      for (let i = 1; i <= 5; i++) await writeFile(join(folder, inner, `data_batch_${i}.bin`), records(i));
      await writeFile(join(folder, inner, "test_batch.bin.gz"), gzipSync(records(7, 8)));
      expect([...(await cifar10({ dir: folder })).y.data]).toEqual([1, 2, 3, 4, 5]);
      expect([...(await cifar10({ dir: folder, train: false })).y.data]).toEqual([7, 8]);
      if (inner !== ".") await rm(join(folder, inner), { recursive: true });
      else for (const name of [1, 2, 3, 4, 5]) await rm(join(folder, `data_batch_${name}.bin`));
    }
  });

  test("a part of the training files is refused, a smaller set by its own name is not", async () => {
    await writeFile(join(folder, "data_batch_1.bin"), records(1));
    await expect(cifar10({ dir: folder })).rejects.toThrow(/no data_batch_2\.bin, [\s\S]*train_batch\.bin/);
    await rm(join(folder, "data_batch_1.bin"));
    await writeFile(join(folder, "train_batch.bin"), records(1, 2));
    expect((await cifar10({ dir: folder })).size).toBe(2);
  });

  test("the archive is read where it lies", async () => {
    const entries = [1, 2, 3, 4, 5].map((i) => tarEntry(`cifar-10-batches-bin/data_batch_${i}.bin`, records(i)));
    await writeFile(
      join(folder, "cifar-10-binary.tar.gz"),
      gzipSync(tar(tarEntry("cifar-10-batches-bin/", new Uint8Array(0), { type: "5" }), ...entries)),
    );
    expect([...(await cifar10({ dir: folder })).y.data]).toEqual([1, 2, 3, 4, 5]);
    await expect(cifar10({ dir: folder, train: false })).rejects.toThrow(/no cifar-10-batches-bin\/test_batch\.bin in the archive/);
  });

  test("a folder without it says where to get it, and a server that gives another file is refused", async () => {
    await expect(cifar10({ dir: folder })).rejects.toThrow(/no cifar-10-binary\.tar\.gz in[\s\S]*https:/);
    const server = createServer((_, response) => response.end(gzipSync(tar())));
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const error = await cifar10({ url, cache: folder }).catch((e: unknown) => e);
    server.close();
    expect(error).toBeInstanceOf(DownloadError);
    expect((error as Error).message).toMatch(/SHA-256 of it is/);
  });

  test.skipIf(!hasData)("a real part of it is read", async () => {
    const train = await cifar10({ dir: `${DATA}/cifar10-jpeg-subset` });
    expect([train.size, (await cifar10({ dir: `${DATA}/cifar10-jpeg-subset`, train: false })).size]).toEqual([10_000, 2_000]);
    const counts = new Array<number>(10).fill(0);
    for (const label of train.y.data) counts[label]!++;
    expect(counts).toEqual(new Array(10).fill(1000));
  });
});

describe("tar archives", () => {
  const file = Uint8Array.of(1, 2, 3);
  test("give the regular files that are asked for, whatever else they hold", () => {
    const bytes = tar(
      tarEntry("../../evil", file),
      tarEntry("/etc/passwd", file),
      tarEntry("a", file, { type: "2" }),
      tarEntry("a", Uint8Array.of(9)),
      tarEntry("b", file),
    );
    expect([...filesOfTar(bytes, ["a", "b"], "x.tar")]).toEqual([
      ["a", Uint8Array.of(9)],
      ["b", file],
    ]);
  });

  test.each<[string, Uint8Array, RegExp]>([
    ["a size that is a lie", tar(tarEntry("a", file, { size: 99_999 })), /cut off in a/],
    ["two files of one name", tar(tarEntry("a", file), tarEntry("a", file)), /two entries are called a/],
    ["a missing file", tar(tarEntry("b", file)), /there is no a/],
    ["a wrong checksum", tar(tarEntry("a", file, { sum: 1 })), /damaged tar/],
    ["no archive", new Uint8Array(2000).fill(65), /not a tar archive/],
    ["nothing", new Uint8Array(0), /there is no a/],
  ])("%s is an error", (_, bytes, message) => {
    expect(() => filesOfTar(bytes, ["a"], "x.tar")).toThrow(FormatError);
    expect(() => filesOfTar(bytes, ["a"], "x.tar")).toThrow(message);
  });
});
