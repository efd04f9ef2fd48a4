/** A recipe is code of its owner; nothing else of the disk becomes code with it. */
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { build } from "../built.ts";

let built: string;
beforeAll(() => {
  built = build();
}, 120_000);
afterAll(() => rmSync(built, { recursive: true, force: true }));

test("a recipe in TypeScript is read without a cache that others could have filled", { timeout: 60_000 }, () => {
  const temporary = join(built, "temporary");
  mkdirSync(temporary);
  writeFileSync(join(built, "mine.ts"), 'const text: string = "the recipe ran";\nconsole.log(text);\nexport default {};\n');
  writeFileSync(join(built, "start.js"), 'import { main } from "./src/cli/main.js";\nawait main(process.argv.slice(2));\n');
  const { stdout, stderr } = spawnSync(process.execPath, ["start.js", "train", "./mine.ts"], {
    cwd: built,
    env: { ...process.env, TMPDIR: temporary, TSX_DISABLE_CACHE: "" },
    encoding: "utf8",
  });
  expect(stdout).toContain("the recipe ran");
  expect(stderr).toContain("its default export is no recipe");
  expect(readdirSync(temporary)).toEqual([]);
});
