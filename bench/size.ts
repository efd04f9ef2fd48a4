/** Lines of each folder of src, bytes of each entry with all it imports, and of a training loop in a page: `npm run size`. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { pageSize } from "./page.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

function typescriptIn(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
}

/** Lines that are neither blank nor comment, and all lines. */
function linesOf(file: string): { code: number; all: number } {
  const lines = readFileSync(file, "utf8").trimEnd().split("\n");
  const code = lines.filter((line) => !/^\s*($|\/\/|\/?\*)/.test(line)).length;
  return { code, all: lines.length };
}

/** What an entry loads at once, as built. */
function bytesOf(entry: string): { files: number; bytes: number; zipped: number } {
  const seen = new Set<string>();
  const open = [join(root, entry)];
  let text = "";
  while (open.length > 0) {
    const file = open.pop()!;
    if (seen.has(file) || !existsSync(file)) continue;
    seen.add(file);
    const source = readFileSync(file, "utf8");
    text += source;
    for (const [, path] of source.matchAll(/^(?:import|export)[^"']*["'](\.[^"']+)["']/gm)) open.push(join(dirname(file), path!));
  }
  return { files: seen.size, bytes: text.length, zipped: gzipSync(text).length };
}

const pad = (values: readonly (string | number)[]): string =>
  values.map((v, i) => (i === 0 ? String(v).padEnd(18) : v.toLocaleString("en").padStart(10))).join("");

console.log(pad(["folder", "files", "code", "lines"]));
const totals = [0, 0, 0];
const folders = readdirSync(join(root, "src"), { withFileTypes: true }).filter((entry) => entry.isDirectory());
for (const { name } of folders) {
  const files = typescriptIn(`src/${name}`);
  const counts = files.map((file) => linesOf(join(root, "src", name, file)));
  const row = [files.length, counts.reduce((n, c) => n + c.code, 0), counts.reduce((n, c) => n + c.all, 0)];
  row.forEach((value, i) => {
    totals[i]! += value;
  });
  console.log(pad([`src/${name}`, ...row]));
}
console.log(pad(["src", ...totals]));
for (const folder of ["recipes", "test"]) {
  const counts = typescriptIn(folder).map((file) => linesOf(join(root, folder, file)));
  console.log(pad([folder, counts.length, counts.reduce((n, c) => n + c.code, 0), counts.reduce((n, c) => n + c.all, 0)]));
}

const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  exports: Record<string, string | { default: string }>;
};
console.log(`\n${pad(["entry", "files", "bytes", "gzipped"])}`);
for (const [name, target] of Object.entries(exports)) {
  if (typeof target === "string") continue;
  const { files, bytes, zipped } = bytesOf(target.default);
  console.log(
    files === 0 ? `${name}: not built (npm run build)` : pad([name === "." ? "gradus" : `gradus${name.slice(1)}`, files, bytes, zipped]),
  );
}

if (existsSync(join(root, "dist/src/index.js"))) {
  const page = await pageSize(root);
  console.log(`\n${pad(["training in a page", "", "minified", "gzipped"])}`);
  console.log(pad(["all", "", page.bytes, page.zipped]));
  for (const [folder, bytes] of page.folders) console.log(pad([folder, "", bytes]));
}
