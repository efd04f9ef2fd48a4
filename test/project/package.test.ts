import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { createContext, runInContext } from "node:vm";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { pageSize } from "../../bench/page.ts";
import { built } from "../built.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "gradus-package-"));
const { version, exports, dependencies, peerDependencies, scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  version: string;
  exports: Record<string, string | { types: string; default: string }>;
  dependencies: Record<string, string>;
  peerDependencies: Record<string, string>;
  scripts: Record<string, string>;
};
const entries = Object.values(exports).flatMap((target) => (typeof target === "string" ? [] : [target]));

/** What is packed, by its path. */
let packed: string[];

beforeAll(() => {
  for (const name of [
    "package.json",
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "ARCHITECTURE.md",
    "LICENSE",
    "bin",
    "docs",
    "examples",
    "recipes",
    "src",
  ])
    if (existsSync(join(root, name))) cpSync(join(root, name), join(folder, name), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  cpSync(join(built(), "dist"), join(folder, "dist"), { recursive: true });
  const list = execFileSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], { cwd: folder, encoding: "utf8" });
  packed = (JSON.parse(list) as { files: { path: string }[] }[])[0]!.files.map(({ path }) => path);
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const read = (file: string): string => readFileSync(join(folder, file), "utf8");

/** Files that a module loads at once, and what it imports from outside. */
function loads(entry: string): { files: Set<string>; outside: Set<string> } {
  const [files, outside, open] = [new Set<string>(), new Set<string>(), [entry]];
  for (let file = open.pop(); file; file = open.pop()) {
    if (files.has(file)) continue;
    files.add(file);
    for (const [, name] of read(file).matchAll(/^(?:import|export)\b(?:[^;"]*?\bfrom)?\s*"([^"]+)";/gm)) {
      if (name!.startsWith(".")) open.push(join(dirname(file), name!));
      else outside.add(name!);
    }
  }
  return { files, outside };
}

describe("what is packed", () => {
  test("every entry, its types, and the command are there", () => {
    for (const path of ["bin/gradus.js", ...entries.flatMap(({ types, default: file }) => [types, file].map((name) => name.slice(2)))])
      expect(packed).toContain(path);
  });

  test("links of its pages lead to files that are there", () => {
    const broken = packed
      .filter((path) => path.endsWith(".md"))
      .flatMap((page) =>
        [...read(page).matchAll(/\]\(([^)#:\s]+)(?:#[^)]*)?\)/g)]
          .map(([, link]) => join(dirname(page), link!))
          .filter((target) => !packed.includes(target))
          .map((target) => `${page} → ${target}`),
      );
    expect(broken).toEqual([]);
  });

  test("source maps lead to sources that are there", () => {
    const maps = packed.filter((path) => path.endsWith(".map"));
    expect(maps.length).toBeGreaterThan(10);
    for (const map of maps) {
      const { sources } = JSON.parse(read(map)) as { sources: string[] };
      for (const source of sources) expect(packed, map).toContain(relative(root, resolve(built(), dirname(map), source)));
    }
  });

  test("modules name only files that are there", () => {
    const missing = packed
      .filter((path) => path.endsWith(".js"))
      .flatMap((path) =>
        [...read(path).matchAll(/\b(?:from|import)\s*\(?\s*"(\.[^"]+)"/g)]
          .map(([, name]) => join(dirname(path), name!))
          .filter((target) => !packed.includes(target))
          .map((target) => `${path} → ${target}`),
      );
    expect(missing).toEqual([]);
  });

  test("an installation runs no script of ours, and none of what it brings", () => {
    expect(Object.keys(scripts).filter((name) => /^(pre|post)?install$|^(pre|post)?prepare$/.test(name))).toEqual([]);
    const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
      packages: Record<string, { hasInstallScript?: boolean; dev?: boolean; optional?: boolean; devOptional?: boolean }>;
    };
    const installed = Object.entries(lock.packages).filter(([name, at]) => name !== "" && !at.dev && !at.optional && !at.devOptional);
    expect(installed.length).toBeGreaterThanOrEqual(Object.keys(dependencies).length);
    expect(installed.filter(([, { hasInstallScript }]) => hasInstallScript).map(([name]) => name)).toEqual([]);
  });
});

describe("what an entry loads", () => {
  test("gradus, its layers and optimisers load nothing from outside, in a few files", () => {
    for (const name of ["index", "nn/index", "optim/index"]) {
      const { files, outside } = loads(`dist/src/${name}.js`);
      expect([...outside], name).toEqual([]);
      expect(files.size, name).toBeLessThan(15);
    }
  });

  test("data, files and training load the reader of CSV, and nothing else from outside", () => {
    for (const name of ["data/index", "io/index", "train/index"]) {
      const { files, outside } = loads(`dist/src/${name}.js`);
      expect([...outside], name).toEqual(["papaparse"]);
      expect(files.size, name).toBeLessThan(25);
    }
  });

  test("the command line loads neither schemas nor images nor TypeScript before they are used", () => {
    const { outside } = loads("dist/src/cli/main.js");
    for (const name of ["zod", "fast-png", "tsx/esm/api", "@viz-js/viz"]) expect([...outside]).not.toContain(name);
  });

  test("every package that is imported is a dependency, and every dependency is imported", () => {
    const names = packed
      .filter((path) => path.startsWith("dist/") && path.endsWith(".js"))
      .flatMap((path) =>
        [...read(path).matchAll(/(?:^(?:import|\}) .*?from |^import |\bimport\()"([@\w][@\w./:-]*)"/gm)].map(([, name]) => name!),
      )
      .filter((name) => !name.startsWith("node:") && !/^gradus\b/.test(name))
      .map((name) => /^(@[^/]+\/)?[^/]+/.exec(name)![0]);
    expect([...new Set(names)].toSorted()).toEqual([...Object.keys(dependencies), ...Object.keys(peerDependencies)].toSorted());
  });

  test("classes keep their names through the merging", async () => {
    const nn = (await import(join(built(), "dist/src/nn/index.js"))) as Record<string, unknown>;
    const classes = Object.entries(nn).filter(([, value]) => typeof value === "function" && /^class\b/.test(String(value)));
    expect(classes.length).toBeGreaterThan(5);
    for (const [name, value] of classes) expect((value as { name: string }).name).toBe(name);
  });

  test("the command answers from the packed files", () => {
    const { stdout, stderr } = spawnSync(process.execPath, [join(folder, "bin/gradus.js"), "--version"], { encoding: "utf8" });
    expect([stdout.trim(), stderr]).toEqual([version, ""]);
  });
});

describe("a page's bundle", () => {
  test("of the packed files computes in a realm that has the language alone", async () => {
    const { outputFiles } = await build({
      stdin: {
        contents: `import { compile, tensor } from "./dist/src/index.js";
          import { Linear, init } from "./dist/src/nn/index.js";
          const layer = init(new Linear(3, 1), 0);
          globalThis.answered = compile((x) => layer.forward(x).mul(0).add(12).sum())(tensor([[1, 2, 3]])).item();`,
        resolveDir: folder,
      },
      bundle: true,
      write: false,
      minify: true,
      platform: "browser",
      format: "iife",
    });
    const realm = createContext({});
    runInContext(outputFiles[0]!.text, realm);
    expect(await runInContext("answered", realm)).toBe(12);
  });

  test("of a training loop holds no C compiler, no schemas and no module of Node, and stays small", async () => {
    const { zipped, text, warnings } = await pageSize(folder);
    expect(warnings).toEqual([]);
    expect(text).not.toMatch(/-ffp-contract|napi_|__attribute__|ZodError/);
    expect(text).not.toMatch(/(?:from|import)\s*\(?\s*"node:/);
    // Losses and linear algebra that it does not use, and the names of instructions, which only printing needs.
    expect(text).not.toMatch(/smoothL1|klDivergence|relaxed_madd|choleskySolve|triangularSolve/);
    expect(zipped).toBeLessThan(139_500);
  });
});

test("no part of an earlier build stays", () => {
  expect(readdirSync(join(folder, "dist/src")).filter((name) => name.endsWith(".js"))).toEqual(["index.js"]);
});
