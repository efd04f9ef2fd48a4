/** Images read by workers, as the packed files do it: the sources are TypeScript, which Node 20's workers do not run. */
import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { encodePng } from "../../src/io/index.ts";
import { built } from "../built.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gradus-workers-"));
  for (const [label, name] of ["cat", "dog"].entries()) {
    await mkdir(join(folder, name));
    for (let i = 0; i < 10; i++) {
      const data = Uint8Array.from({ length: 48 }, (_, k) => 100 * label + 10 * i + (k % 7));
      await writeFile(join(folder, name, `${i}.png`), await encodePng({ width: 4, height: 4, channels: 3, data }));
    }
  }
}, 120_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

/** What a program prints that has the packed library, the folder, and a list of the workers that were started. */
async function printed(program: string, ...flags: string[]): Promise<string> {
  const dist = join(built(), "dist/src");
  const source = `
    import threads from "node:worker_threads";
    import { imageFolder } from ${JSON.stringify(join(dist, "data/index.js"))};
    import { Generator } from ${JSON.stringify(join(dist, "index.js"))};
    const started = [];
    const { Worker } = threads;
    threads.Worker = class extends Worker {
      constructor(...given) {
        super(...given);
        started.push(this);
      }
    };
    const folder = ${JSON.stringify(folder)};
    async function numbers(data) {
      const all = [];
      for await (const { x, y } of data.batches(6, { rng: new Generator(1) })) all.push(...(await y.data()), ...(await x.data()));
      return all.join();
    }
    ${program}`;
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, "--input-type=module", "-e", source], { maxBuffer: 1e8 });
  return stdout.trim();
}

describe("workers", () => {
  test("read the images, as many as are asked for, with the same numbers; and the process ends by itself", async () => {
    const found = await printed(`
      const one = await imageFolder(folder, { workers: 1 });
      const three = await imageFolder(folder, { workers: 3, ahead: 0 });
      const same = (await numbers(one)) === (await numbers(three));
      console.log(same, started.length, (await numbers(one)).length > 1000);`);
    expect(found).toBe("true 4 true");
  });

  test("tell errors as their own kind, with the file, and go on", async () => {
    const found = await printed(`
      import { FormatError } from ${JSON.stringify(join(built(), "dist/src/index.js"))};
      import { writeFileSync, rmSync } from "node:fs";
      const data = await imageFolder(folder, { workers: 2 });
      const before = await numbers(data);
      const { renameSync } = await import("node:fs");
      renameSync(folder + "/dog/3.png", folder + "/dog/gone");
      const error = await numbers(data).catch((e) => e);
      renameSync(folder + "/dog/gone", folder + "/dog/3.png");
      console.log(error instanceof FormatError, error.message.includes("dog/3.png: there is no such file"), (await numbers(data)) === before, started.length);`);
    expect(found).toBe("true true true 2");
  });

  test("that are gone, while they read or before, are done without", async () => {
    const found = await printed(`
      const data = await imageFolder(folder, { workers: 2 });
      const wanted = await numbers(data);
      for (const worker of started) await worker.terminate();
      const after = await numbers(data);
      const reading = numbers(data);
      setTimeout(() => started.at(-1).terminate(), 1);
      console.log(after === wanted, (await reading) === wanted);
      data.close();
      console.log((await numbers(data)) === wanted);
      data.close();`);
    expect(found).toBe("true true\ntrue");
  });

  test("end when nobody asks them anything, and others are started when somebody does", async () => {
    const found = await printed(`
      const data = await imageFolder(folder, { workers: 1 });
      const wanted = await numbers(data);
      await new Promise((ended) => {
        started[0].ref();
        started[0].on("exit", ended);
      });
      for (let i = 0; i < 12; i++) started[0].threadId === -1 || console.log("it runs");
      console.log((await numbers(data)) === wanted, started.length);`);
    expect(found).toBe("true 2");
  });

  test("are not started where they are not allowed", async () => {
    const found = await printed(
      `
      const data = await imageFolder(folder, { workers: 2 });
      console.log((await numbers(data)).length > 1000, started.length);`,
      "--experimental-permission",
      "--allow-fs-read=*",
      "--no-warnings",
    );
    expect(found).toBe("true 0");
  });

  test("do not look at files before their batch is near: of a folder of many only names are read", async () => {
    const many = await mkdtemp(join(tmpdir(), "gradus-many-"));
    try {
      await mkdir(join(many, "a"));
      for (let i = 1; i < 3000; i++) await writeFile(join(many, "a", `${i}.png`), "");
      await writeFile(join(many, "a", "0.png"), await encodePng({ width: 1, height: 1, channels: 1, data: Uint8Array.of(3) }));
      const found = await printed(`
        const data = await imageFolder(${JSON.stringify(many)}, { workers: 1, ahead: 0 });
        let first;
        for await (const { x } of data.batches(1)) { first = x.shape.join(); break; }
        console.log(data.size, first);`);
      expect(found).toBe("3000 1,3,1,1");
    } finally {
      await rm(many, { recursive: true, force: true });
    }
  });
});

test("without sharp a JPEG is an error that says how to install it, and a PNG is read", async () => {
  const place = await mkdtemp(join(tmpdir(), "gradus-no-sharp-"));
  try {
    await cp(join(built(), "dist"), join(place, "dist"), { recursive: true });
    await writeFile(join(place, "package.json"), '{ "type": "module" }');
    await mkdir(join(place, "node_modules"));
    const modules = fileURLToPath(new URL("../../node_modules", import.meta.url));
    for (const name of ["fast-png", "papaparse", "fflate", "iobuffer"])
      await symlink(join(modules, name), join(place, "node_modules", name));
    const source = `
      import { decodeImage } from ${JSON.stringify(join(place, "dist/src/io/index.js"))};
      import { readFileSync } from "node:fs";
      console.log((await decodeImage(readFileSync(${JSON.stringify(join(folder, "cat/0.png"))}))).width);
      const error = await decodeImage(Uint8Array.of(255, 216, 255, 224, 0, 4, 0, 0), "cat.jpg").catch((e) => e);
      console.log(error.name, error.message);`;
    const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", source]);
    expect(stdout).toMatch(
      /^4\nDeviceError cat\.jpg: JPEG images are read by the package sharp, which is not installed here[\s\S]*npm install sharp/,
    );
  } finally {
    await rm(place, { recursive: true, force: true });
  }
});
