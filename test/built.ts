/**
 * The sources as they are packed: Node 20 runs no TypeScript, and a loader takes a second of each process and hides what it does itself.
 * A state of the sources is built once, by whoever asks first, and kept in node_modules/.cache for the next run.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const cache = join(root, "node_modules/.cache/gradus-tests");
/** What is built and what builds it. Recipes of tests are copied, so that what they import is the built library. */
const SOURCES = ["src", "recipes", "bin", "scripts/build.js", "tsconfig.json", "tsconfig.build.json", "package.json", "package-lock.json"];
const RECIPES = "test/cli";

const filesIn = (path: string): string[] =>
  statSync(join(root, path)).isDirectory()
    ? readdirSync(join(root, path), { recursive: true, encoding: "utf8" })
        .map((name) => `${path}/${name}`)
        .filter((name) => statSync(join(root, name)).isFile())
        .sort()
    : [path];

function keyOf(files: readonly string[]): string {
  const hash = createHash("sha256").update(process.version);
  for (const file of files) hash.update(`${file}\n`).update(readFileSync(join(root, file)));
  return hash.digest("hex").slice(0, 24);
}

const recipes = (): string[] => filesIn(RECIPES).filter((name) => /\/recipe-[\w-]+\.ts$/.test(name) && !name.endsWith(".test.ts"));

/** The folder of the built package: `bin/gradus.js`, `dist/`, and the recipes of `test/cli`. Throws what the compiler said. */
export function built(): string {
  const folder = join(cache, keyOf([...SOURCES.flatMap(filesIn), ...recipes()]));
  if (existsSync(folder)) return folder;
  mkdirSync(cache, { recursive: true });
  const lock = `${folder}.lock`;
  if (!take(lock)) return waitFor(lock);
  try {
    if (!existsSync(folder)) build(folder);
  } finally {
    rmSync(lock, { recursive: true, force: true });
  }
  return folder;
}

function build(folder: string): void {
  const work = `${folder}.new`;
  rmSync(work, { recursive: true, force: true });
  // Types are looked at by others.
  execFileSync(process.execPath, [join(root, "scripts/build.js"), join(work, "dist"), "--noCheck"], { stdio: "inherit" });
  for (const path of ["package.json", "bin", ...recipes()]) cpSync(join(root, path), join(work, path), { recursive: true });
  renameSync(work, folder);
  const day = 86_400_000;
  for (const name of readdirSync(cache))
    if (Date.now() - statSync(join(cache, name)).mtimeMs > day) rmSync(join(cache, name), { recursive: true, force: true });
}

function take(lock: string): boolean {
  try {
    mkdirSync(lock);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    return false;
  }
}

/** Waits until another process has built, or begins anew where it was killed. */
function waitFor(lock: string): string {
  const nobody = new Int32Array(new SharedArrayBuffer(4));
  for (let left = 2400; existsSync(lock); left--) {
    Atomics.wait(nobody, 0, 0, 50);
    if (left === 0) rmSync(lock, { recursive: true, force: true });
  }
  return built();
}
