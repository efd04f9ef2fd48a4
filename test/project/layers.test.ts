import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const src = join(root, "src");

/** Rows `| \`folder\` | what it is | \`a\`, \`b\` |` of the table under "Who may import whom". */
function layers(): Map<string, string[]> {
  const page = readFileSync(join(root, "ARCHITECTURE.md"), "utf8");
  const section = page.split("## Who may import whom")[1]?.split("\n## ")[0] ?? "";
  const rows = section.split("\n").filter((line) => line.startsWith("| `"));
  return new Map(
    rows.map((line) => {
      const cells = line.split("|").map((cell) => cell.trim());
      return [words(cells[1]!)[0]!, words(cells[3]!)];
    }),
  );
}

const words = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map((m) => m[1]!);

/** Files this one imports, by their path under src; types count too, for they are knowledge. */
function imports(file: string): string[] {
  const text = readFileSync(file, "utf8");
  const found = [...text.matchAll(/(?:\bfrom\s+|\bimport\s*\(?\s*)"(\.[^"]+)"/g)].map((m) => m[1]!);
  return found.map((path) => relative(src, join(dirname(file), path)));
}

/** The layer of a file: its folder, or `index` for the public face. */
const layerOf = (path: string): string => (path.includes("/") ? path.split("/")[0]! : path.replace(/\.ts$/, ""));

const files = readdirSync(src, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".ts"));
const table = layers();
const names = [...table.keys()];
const INNER = names.slice(0, names.indexOf("index") + 1);

/** Whether a layer may import this file: its folder is in the table, or this very file is. Users' folders are entered by their index only. */
function allowed(from: string, path: string): boolean {
  const to = layerOf(path);
  if (to === from || to.startsWith("..")) return true;
  const may = table.get(from) ?? [];
  if (may.includes(path.replace(/\.ts$/, ""))) return true;
  return may.includes(to) && (INNER.includes(to) || path === `${to}/index.ts`);
}

describe("layers", () => {
  test("every folder of src stands in the table of ARCHITECTURE.md, and nothing else does", () => {
    expect([...table.keys()].toSorted()).toEqual([...new Set(files.map(layerOf))].toSorted());
  });

  test("the table has no way back up: each row names only rows above it", () => {
    const names = [...table.keys()];
    for (const [name, may] of table)
      for (const other of may) expect(names.slice(0, names.indexOf(name)), `${name} → ${other}`).toContain(layerOf(other));
  });

  for (const layer of table.keys())
    test(`${layer} imports only what its row allows`, () => {
      const broken = files
        .filter((file) => layerOf(file) === layer)
        .flatMap((file) => imports(join(src, file)).flatMap((path) => (allowed(layer, path) ? [] : [`src/${file} → src/${path}`])));
      expect(broken).toEqual([]);
    });

  test("what the table allows is used: no permission outlives its reason", () => {
    const used = new Map<string, Set<string>>();
    for (const file of files)
      for (const path of imports(join(src, file))) {
        const of = used.get(layerOf(file)) ?? new Set();
        used.set(layerOf(file), of.add(layerOf(path)).add(path.replace(/\.ts$/, "")));
      }
    const idle = [...table].flatMap(([from, may]) => may.filter((to) => !used.get(from)?.has(to)).map((to) => `${from} → ${to}`));
    expect(idle).toEqual([]);
  });

  test("no file leads back to itself, but for the circles that have a reason", () => {
    const circles = circlesOf(new Map(files.map((file) => [file, imports(join(src, file))])));
    const allowed = CIRCLES.map(({ files }) => files.toSorted());
    expect(circles).toEqual(allowed);
  });
});

test("every file that ARCHITECTURE.md names is there", () => {
  const page = readFileSync(join(root, "ARCHITECTURE.md"), "utf8");
  const named = [...page.matchAll(/`((?:src|test|scripts|bench|docs)\/[\w./-]+)`/g)].map((m) => m[1]!);
  expect(named.length).toBeGreaterThan(20);
  expect(named.filter((path) => !existsSync(join(root, path)))).toEqual([]);
});

/** Files that import each other, and why they may. Types count: who knows the other's type knows the other. */
const CIRCLES: readonly { readonly files: readonly string[]; readonly why: string }[] = [
  {
    files: ["batch", "custom", "elementwise", "leaf", "logic", "maths", "move", "place", "reduce"].map((name) => `ops/${name}.ts`),
    why: "the gradient of an op is made of ops: that of a sum is a broadcast, that of a broadcast a sum",
  },
  {
    files: ["tensor/tensor-types.ts", "tensor/tensor.ts"],
    why: "types alone: the methods of Tensor say in their types which Tensor they give",
  },
];

/** Sets of files that all lead to each other (Tarjan 1972). */
function circlesOf(edges: ReadonlyMap<string, readonly string[]>): string[][] {
  const [number, low, stack, found] = [new Map<string, number>(), new Map<string, number>(), [] as string[], [] as string[][]];
  const visit = (file: string): void => {
    number.set(file, number.size);
    low.set(file, number.get(file)!);
    stack.push(file);
    for (const next of edges.get(file) ?? []) {
      if (!number.has(next)) visit(next);
      if (stack.includes(next)) low.set(file, Math.min(low.get(file)!, low.get(next)!));
    }
    if (low.get(file) !== number.get(file)) return;
    const circle = stack.splice(stack.indexOf(file));
    if (circle.length > 1) found.push(circle.toSorted());
  };
  for (const file of edges.keys()) if (!number.has(file)) visit(file);
  return found.toSorted((a, b) => (a[0]! < b[0]! ? -1 : 1));
}
