import { mkdtemp, readdir, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { GradusError } from "../../src/core/errors.ts";
import { type FileCalls, nodeFiles, readBytes, writeAtomically } from "../../src/io/index.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gradus-files-"));
});

const CODES = ["ENOSPC", "EIO", "EDQUOT", "EROFS"];

/** The real calls, but the one named fails with a code; a failing write writes half first. */
async function broken(call: string, code: string): Promise<FileCalls> {
  const real = await nodeFiles();
  const fail = async (): Promise<never> => {
    throw Object.assign(new Error(code), { code });
  };
  const create: FileCalls["create"] = async (path) => {
    const file = await real.create(path);
    const write = async (bytes: Uint8Array): Promise<void> => {
      await file.write(bytes.subarray(0, bytes.length / 2));
      return fail();
    };
    return { ...file, ...(call === "write" ? { write } : {}), ...(call === "sync" ? { sync: fail } : {}) };
  };
  return { ...real, create: call === "create" ? fail : create, ...(call === "rename" ? { rename: fail } : {}) };
}

describe("atomic writes", () => {
  test("a write replaces the file and leaves nothing beside it", async () => {
    const path = join(folder, "a.txt");
    await writeAtomically(path, "old");
    await writeAtomically(path, "new");
    expect(await readFile(path, "utf8")).toBe("new");
    expect(await readdir(folder)).toEqual(["a.txt"]);
  });

  test.each(CODES.flatMap((code) => ["create", "write", "sync", "rename"].map((call) => [code, call] as const)))(
    "%s at %s leaves the old file and says so",
    async (code, call) => {
      const path = join(folder, "a.txt");
      await writeFile(path, "old");
      const error = await writeAtomically(path, "new", { calls: await broken(call, code) }).catch((e: unknown) => e);
      expect(error).toBeInstanceOf(GradusError);
      expect((error as GradusError).message).toContain(path);
      expect((error as GradusError).why).toContain("untouched");
      expect(await readFile(path, "utf8")).toBe("old");
      expect(await readdir(folder)).toEqual(["a.txt"]);
    },
  );

  test("a full disk is told in words", async () => {
    await expect(writeAtomically(join(folder, "a"), "x", { calls: await broken("write", "ENOSPC") })).rejects.toThrow(
      /disk is full[\s\S]*free some space/,
    );
  });

  test("twenty writes of one path at once end with one of them, whole", async () => {
    const path = join(folder, "a.txt");
    const texts = Array.from({ length: 20 }, (_, i) => String(i).repeat(10_000));
    await Promise.all(texts.map((text) => writeAtomically(path, text)));
    expect(texts).toContain(await readFile(path, "utf8"));
    expect(await readdir(folder)).toEqual(["a.txt"]);
  });

  test("a missing file is a typed error with its path", async () => {
    await expect(readBytes(join(folder, "none"))).rejects.toThrow(/none: there is no such file/);
  });
});
