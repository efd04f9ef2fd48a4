/** A recipe is code of its owner; nothing else of the disk becomes code with it. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { COMMAND } from "./start.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "gradus-trust-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("a recipe in TypeScript is read without a cache that others could have filled", { timeout: 60_000 }, () => {
  const temporary = join(folder, "temporary");
  mkdirSync(temporary);
  writeFileSync(join(folder, "mine.ts"), 'const text: string = "the recipe ran";\nconsole.log(text);\nexport default {};\n');
  const { stdout, stderr } = spawnSync(COMMAND[0], [...COMMAND.slice(1), "train", "./mine.ts"], {
    cwd: folder,
    env: { ...process.env, TMPDIR: temporary, TSX_DISABLE_CACHE: "" },
    encoding: "utf8",
  });
  expect(stdout).toContain("the recipe ran");
  expect(stderr).toContain("its default export is no recipe");
  expect(readdirSync(temporary)).toEqual([]);
});
