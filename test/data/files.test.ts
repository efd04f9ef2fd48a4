import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, writeFile } from "node:fs/promises";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { FormatError } from "../../src/core/errors.ts";
import { dataFile, type RemoteFile } from "../../src/data/download.ts";
import { DownloadError, type DownloadProgress, fashionMnist, iris, mnist, pendulum, WINE_INPUTS, wine } from "../../src/data/index.ts";
import { sha256 } from "../../src/io/index.ts";

const DATA = process.env.GRADUS_DATA ?? new URL("../../../shared/data", import.meta.url).pathname;
const hasData = existsSync(`${DATA}/mnist`) && existsSync(`${DATA}/tabular/iris.csv`);

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gradus-data-"));
  vi.stubEnv("GRADUS_DATA", "");
});
afterEach(() => vi.unstubAllEnvs());

function idx(sizes: readonly number[], data: Uint8Array): Uint8Array {
  const file = new Uint8Array(4 + 4 * sizes.length + data.length);
  file.set([0, 0, 8, sizes.length]);
  for (const [i, size] of sizes.entries()) new DataView(file.buffer).setUint32(4 + 4 * i, size);
  file.set(data, 4 + 4 * sizes.length);
  return file;
}

async function writeMnist(labels: Uint8Array, images = idx([3, 28, 28], new Uint8Array(3 * 784).fill(51))): Promise<void> {
  await writeFile(`${folder}/train-images-idx3-ubyte.gz`, gzipSync(images));
  await writeFile(`${folder}/train-labels-idx1-ubyte`, labels);
}

describe("image sets from a folder", () => {
  test("plain and gzipped files are read, bytes become numbers from 0 to 1", async () => {
    await writeMnist(idx([3], Uint8Array.of(1, 2, 9)));
    const [batch] = (await mnist({ dir: folder })).batches(3);
    expect(Array.from(await batch!.y.data())).toEqual([1, 2, 9]);
    expect((await batch!.x.data())[0]).toBeCloseTo(0.2, 6);
  });

  test("a folder of folders works, and so does GRADUS_DATA", async () => {
    await mkdir(`${folder}/mnist`);
    const inner = folder;
    folder = `${inner}/mnist`;
    await writeMnist(idx([3], Uint8Array.of(1, 2, 9)));
    expect((await mnist({ dir: inner })).size).toBe(3);
    vi.stubEnv("GRADUS_DATA", inner);
    expect((await mnist()).size).toBe(3);
  });

  test.each<[string, Uint8Array, Uint8Array | undefined, string]>([
    ["counts that differ", idx([2], Uint8Array.of(1, 2)), undefined, "2 labels for 3 images"],
    ["labels above 9", idx([3], Uint8Array.of(1, 10, 2)), undefined, "label 10 at index 1"],
    ["images of another size", idx([3], Uint8Array.of(1, 2, 3)), idx([3, 20, 20], new Uint8Array(1200)), "[3, 20, 20]"],
  ])("%s are refused", async (_, labels, images, message) => {
    await writeMnist(labels, images);
    await expect(mnist({ dir: folder })).rejects.toThrow(FormatError);
    await expect(mnist({ dir: folder })).rejects.toThrow(message);
  });

  test("a missing file in a given folder is an error that says where to get it, not a download", async () => {
    await expect(mnist({ dir: folder })).rejects.toThrow(/train-images-idx3-ubyte\.gz in[\s\S]*https:/);
  });

  test.skipIf(!hasData)("the real sets have their sizes and first labels", async () => {
    const train = await mnist({ dir: `${DATA}/mnist` });
    expect([train.size, (await mnist({ dir: DATA, train: false })).size]).toEqual([60_000, 10_000]);
    expect([...train.y.data.subarray(0, 5)]).toEqual([5, 0, 4, 1, 9]);
    const fashion = await fashionMnist({ dir: DATA, train: false });
    expect([fashion.size, ...fashion.y.data.subarray(0, 3)]).toEqual([10_000, 9, 2, 1]);
  });
});

describe("downloads", () => {
  let server: Server;
  let url: string;
  let answers: (path: string) => { status?: number; body?: Uint8Array; cut?: boolean };
  let requests: string[];
  const content = Uint8Array.from({ length: 300_000 }, (_, i) => i * 7);

  beforeEach(async () => {
    requests = [];
    server = createServer((request, response) => {
      requests.push(request.url!);
      const { status = 200, body = new Uint8Array(), cut } = answers(request.url!);
      response.writeHead(status, { "content-length": body.length });
      if (!cut) return void response.end(body);
      response.write(body.subarray(0, body.length / 2));
      setTimeout(() => response.destroy(), 20);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  const remote = async (): Promise<RemoteFile> => ({ name: "x.gz", url: `${url}/x.gz`, sha256: await sha256(content) });

  test("a file is fetched with progress, checked, kept, and not fetched again", async () => {
    answers = () => ({ body: new Uint8Array(gzipSync(content)) });
    const seen: DownloadProgress[] = [];
    const options = { cache: folder, onProgress: (p: DownloadProgress) => seen.push(p) };
    expect(await dataFile("set", await remote(), options)).toEqual(content);
    expect(seen.at(-1)!.received).toBe(seen.at(-1)!.total);
    expect(await dataFile("set", await remote(), options)).toEqual(content);
    expect(requests).toEqual(["/x.gz"]);
    expect(await readdir(`${folder}/set`)).toEqual(["x.gz"]);
  });

  test("a damaged file in the cache is fetched again", async () => {
    answers = () => ({ body: new Uint8Array(gzipSync(content)) });
    await mkdir(`${folder}/set`);
    await writeFile(`${folder}/set/x.gz`, "rubbish");
    expect(await dataFile("set", await remote(), { cache: folder })).toEqual(content);
    expect((await readFile(`${folder}/set/x.gz`)).length).toBeGreaterThan(100);
  });

  test.each<[string, () => ReturnType<typeof answers>, RegExp]>([
    ["other content", () => ({ body: new Uint8Array(gzipSync(new Uint8Array(10))) }), /SHA-256[\s\S]*--data/],
    ["an error page", () => ({ status: 404 }), /404/],
    ["a connection that breaks", () => ({ body: new Uint8Array(gzipSync(content)), cut: true }), /cannot download/],
  ])("%s is an error and leaves nothing in the cache", async (_, answer, message) => {
    answers = answer;
    const outcome = dataFile("set", await remote(), { cache: folder });
    await expect(outcome).rejects.toThrow(DownloadError);
    await expect(outcome).rejects.toThrow(message);
    expect(existsSync(`${folder}/set/x.gz`)).toBe(false);
  });

  test.each<[string, (response: ServerResponse) => void, RegExp]>([
    ["takes the connection and says nothing", () => undefined, /no answer within 0\.2 s[\s\S]*run it again[\s\S]*--data/],
    [
      "stops in the middle",
      (response) => {
        response.writeHead(200, { "content-length": 2_000_000 });
        response.write(new Uint8Array(1_000_000));
      },
      /after 1\.0 of 2\.0 MB nothing more came within 0\.3 s[\s\S]*run it again/,
    ],
  ])("a server that %s is waited for no longer than the limit", { timeout: 20_000 }, async (_, act, message) => {
    server.removeAllListeners("request");
    server.on("request", (__, response: ServerResponse) => act(response));
    const outcome = dataFile("set", await remote(), { cache: folder, timeouts: { connect: 0.2, stall: 0.3 } });
    await expect(outcome).rejects.toThrow(DownloadError);
    await expect(outcome).rejects.toThrow(message);
  });

  test("a cache that cannot be written is said, and the data are used", async () => {
    answers = () => ({ body: new Uint8Array(gzipSync(content)) });
    const said = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    await writeFile(`${folder}/file`, "");
    expect(await dataFile("set", await remote(), { cache: `${folder}/file` })).toEqual(content);
    expect(said.mock.calls.join()).toMatch(/cannot be kept, and will be downloaded again/);
    said.mockRestore();
  });

  test("a server that is not there is named", async () => {
    answers = () => ({});
    server.close();
    await expect(dataFile("set", { ...(await remote()), url: "http://127.0.0.1:9/x.gz" }, { cache: folder })).rejects.toThrow(
      /127\.0\.0\.1:9[\s\S]*by hand/,
    );
  });

  test.skipIf(!hasData)("MNIST comes whole through a mirror", async () => {
    const files = new Map((await readdir(`${DATA}/mnist`)).map((name) => [`/${name}`, name]));
    const bytes = new Map(
      await Promise.all([...files].map(async ([path, name]) => [path, new Uint8Array(await readFile(`${DATA}/mnist/${name}`))] as const)),
    );
    answers = (path) => ({ body: bytes.get(path)! });
    expect((await mnist({ url, cache: folder, train: false })).size).toBe(10_000);
    expect(requests.sort()).toEqual(["/t10k-images-idx3-ubyte.gz", "/t10k-labels-idx1-ubyte.gz"]);
  });
});

describe("sets of tables", () => {
  test.skipIf(!hasData)("iris has 105 flowers for training and 45 for testing, a third of each species", async () => {
    const dir = `${DATA}/tabular`;
    const [train, held] = [await iris({ dir }), await iris({ dir, train: false })];
    expect([train.size, held.size]).toEqual([105, 45]);
    for (const part of [train, held])
      for (const species of [0, 1, 2]) expect(part.rows.filter((row) => part.y.data[row] === species)).toHaveLength(part.size / 3);
    expect(new Set([...train.rows, ...held.rows]).size).toBe(150);
    expect((await iris({ dir, seed: 1 })).rows).not.toEqual(train.rows);
  });

  test.skipIf(!hasData)("wine has 1,599 red and 4,898 white ones, with names and a quality to predict", async () => {
    const dir = `${DATA}/tabular`;
    const red = await wine({ dir });
    expect([red.data.size, red.data.x.shape, red.data.y.shape, red.targets]).toEqual([1599, [11], [1], ["quality"]]);
    expect([...red.data.x.data.subarray(0, 3), red.data.y.data[0]]).toEqual([7.4, 0.7, 0, 5].map(Math.fround));
    expect(red.inputs).toEqual(WINE_INPUTS);
    expect((await wine({ dir, colour: "white" })).data.size).toBe(4898);
    await expect(wine({ dir, colour: "rosé" as never })).rejects.toThrow(/"red" or "white"/);
  });

  test("wine is read as the UCI repository has it too, with names and semicolons", async () => {
    const line = (cells: readonly (string | number)[]): string =>
      cells.map((cell) => (typeof cell === "string" ? `"${cell}"` : cell)).join(";");
    await writeFile(
      `${folder}/winequality-red.csv`,
      `${line([...WINE_INPUTS, "quality"])}\n${line([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 6])}\n`,
    );
    const { data, inputs } = await wine({ dir: folder });
    expect([data.size, data.y.data[0], inputs]).toEqual([1, 6, [...WINE_INPUTS]]);
  });
});

describe("the pendulum", () => {
  test("swings as the formula says: 2π√(l/g) at small amplitudes, 18 % slower at a right angle", async () => {
    const swings = pendulum({ count: 5000, noise: 0 });
    const { x, y } = swings;
    let seen = 0;
    for (let i = 0; i < swings.size; i++) {
      const [length, amplitude, gravity] = x.data.subarray(3 * i, 3 * i + 3) as Float32Array;
      const ratio = y.data[i]! / (2 * Math.PI * Math.sqrt(length! / gravity!));
      // T/T₀ = 1 + θ²/16 + 11 θ⁴/3072 + …
      const angle = (amplitude! * Math.PI) / 180;
      if (amplitude! < 30) expect(ratio).toBeCloseTo(1 + angle ** 2 / 16 + (11 * angle ** 4) / 3072, 4);
      if (Math.abs(amplitude! - 90) < 0.1) expect(ratio).toBeCloseTo(1.1803, 2);
      if (amplitude! < 30 || Math.abs(amplitude! - 90) < 0.1) seen++;
    }
    expect(seen).toBeGreaterThan(500);
  });

  test("has other swings for testing, the same for the same seed, and refuses what makes no sense", () => {
    expect(pendulum({ count: 5 }).x.data).toEqual(pendulum({ count: 5 }).x.data);
    expect(pendulum({ count: 5, train: false }).x.data).not.toEqual(pendulum({ count: 5 }).x.data);
    expect(() => pendulum({ count: 0 })).toThrow(/0 swings/);
    expect(() => pendulum({ noise: -1 })).toThrow(/a noise of -1/);
    expect(() => pendulum({ counts: 5 } as never)).toThrow(/did you mean count/);
  });
});
