/** The sources as JavaScript: Node 20 runs no TypeScript, and a loader takes half a second and hides what it does itself. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, realpathSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/** A new folder with `src/` as it is built now, where packages are found. Throws what the compiler said. */
export function build(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "gradus-test-")));
  const compiler = join(root, "node_modules/typescript/bin/tsc");
  const { stdout, stderr } = spawnSync(process.execPath, [compiler, "-p", join(root, "tsconfig.build.json"), "--outDir", folder], {
    encoding: "utf8",
  });
  if (stdout + stderr) throw new Error(stdout + stderr);
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  return folder;
}
