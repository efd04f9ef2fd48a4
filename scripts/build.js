/**
 * `npm run build [-- FOLDER [FLAGS of tsc]]`: TypeScript → dist/, then the modules of each entry merged into a few files, in the places of the entries. Node takes half a
 * millisecond for every file it loads, more than for what is in them. Types stay as they were written, one file for each module.
 */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = resolve(process.argv[2] ?? join(root, "dist"));

/** What is loaded by its own name: by users, by bin/gradus.js, by bundlers in another's place, by a worker, or late. */
const ENTRIES = /^(recipes\/.*|src\/(index|(nn|optim|data|train|io)\/index|cli\/main|cli\/bench\/index|runtime\/(no-)?native|io\/image-worker))\.js$/;

/** These stay files of their own, since package.json's field `browser` puts one in the other's place. Parts lie as deep as what imports it. */
const native = {
  name: "native",
  /** @param {import("esbuild").PluginBuild} build */
  setup({ onResolve }) {
    onResolve({ filter: /\/native\.js$/ }, ({ kind }) => (kind === "entry-point" ? undefined : { path: "../runtime/native.js", external: true }));
  },
};

/**
 * Merged, modules can no longer be left out whole, as the field `sideEffects` allows: so what each computes at load is marked as left out where unused.
 * What a rule says of itself is a comment that tests can read. It is left out as comments are, its line stays for the source maps.
 */
const pure = {
  name: "pure",
  /** @param {import("esbuild").PluginBuild} build */
  setup({ onLoad }) {
    onLoad({ filter: /\/dist\/src\/.*\.js$/ }, async ({ path }) => {
      const text = await readFile(path, "utf8");
      const marked = text.replace(/^((?:export )?const [\w$]+ = )(?=(?:new )?[\w$.]+\()/gm, "$1/* @__PURE__ */ ");
      return { contents: /\/passes\/\w+\.js$/.test(path) ? marked.replace(/^ +doc: ".*",$/gm, "") : marked, loader: "js" };
    });
  },
};

const files = () => readdirSync(dist, { recursive: true, encoding: "utf8" }).map((name) => name.replaceAll("\\", "/"));

rmSync(dist, { recursive: true, force: true });
const compiler = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin/tsc");
execFileSync(process.execPath, [compiler, "-p", join(root, "tsconfig.build.json"), "--outDir", dist, ...process.argv.slice(3)], { stdio: "inherit" });

const written = files().filter((name) => name.endsWith(".js"));
const result = await build({
  absWorkingDir: root,
  entryPoints: written.filter((name) => ENTRIES.test(name)).map((name) => join(dist, name)),
  outdir: dist,
  outbase: dist,
  allowOverwrite: true,
  bundle: true,
  splitting: true,
  chunkNames: "src/parts/[hash]",
  format: "esm",
  platform: "node",
  target: "es2023",
  packages: "external",
  tsconfigRaw: {},
  sourcemap: true,
  sourcesContent: false,
  plugins: [native, pure],
  metafile: true,
});
const kept = new Set(Object.keys(result.metafile.outputs).map((name) => relative(dist, join(root, name)).replaceAll("\\", "/")));
for (const name of files()) if (/\.js(\.map)?$/.test(name) && !kept.has(name)) rmSync(join(dist, name));

// Parts are imported by name wherever they are needed. Bundlers would warn of each import that is only for loading.
for (const name of kept) {
  if (!name.endsWith(".js")) continue;
  const file = join(dist, name);
  writeFileSync(file, readFileSync(file, "utf8").replace(/^import "\.[^"]+";$/gm, ""));
}
