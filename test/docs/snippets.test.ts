import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { difference, moduleOf, outputsOf, type Program, programsOf, type Snippet, withOutputs } from "./snippets.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const pages = ["README.md", ...findPages("docs")].filter((page) => existsSync(join(root, page)));
const folder = mkdtempSync(join(tmpdir(), "gradus-docs-"));
afterAll(() => rmSync(folder, { recursive: true }));
writeFileSync(join(folder, "package.json"), '{ "type": "module" }');

/** `UPDATE_DOCS=1 npx vitest run test/docs` writes what the snippets print into the pages, where it differs. */
const update = process.env.UPDATE_DOCS === "1";

const programs = pages.flatMap((page) =>
  programsOf(readFileSync(join(root, page), "utf8")).map((program) => ({
    page,
    program,
    line: program[0]!.line,
    file: fileOf(page, program),
  })),
);
for (const { program, file } of programs) writeFileSync(file, moduleOf(program));

function fileOf(page: string, program: Program): string {
  return join(folder, `${page.replace(/\W+/g, "-")}-line-${program[0]!.line}.ts`);
}

describe("The code of the pages", () => {
  test("compiles.", () => {
    const compilerOptions = { typeRoots: [join(root, "node_modules/@types")] };
    writeFileSync(
      join(folder, "tsconfig.json"),
      JSON.stringify({ extends: join(root, "tsconfig.json"), compilerOptions, include: ["*.ts"] }),
    );
    const { stdout } = spawnSync(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", folder], {
      encoding: "utf8",
      cwd: folder,
    });
    expect(stdout.split("\n").filter((line) => /^[\w-]+-line-\d+\.ts/.test(line))).toEqual([]);
  }, 60_000);

  const outputs = new Map<string, Map<Snippet, string>>(pages.map((page) => [page, new Map()]));

  test.each(programs)(
    "prints what $page says from line $line on.",
    async ({ page, program, file }) => {
      const printed = await outputsOf(program, () => import(/* @vite-ignore */ pathToFileURL(file).href));
      program.forEach((snippet, i) => {
        outputs.get(page)!.set(snippet, printed[i]!);
        if (!update) expect(difference(snippet.shown ?? "", printed[i]!), `${page}, line ${snippet.line}`).toBeUndefined();
      });
    },
    120_000,
  );

  if (update)
    test("is written into the pages.", () => {
      for (const [page, found] of outputs) {
        const text = readFileSync(join(root, page), "utf8");
        const next = withOutputs(text, found);
        if (next !== text) writeFileSync(join(root, page), next);
      }
    });
});

describe("The pages", () => {
  test.each(pages)("%s shows pictures and links to files that exist.", (page) => {
    const text = readFileSync(join(root, page), "utf8").replace(/```[\s\S]*?```/g, "");
    const targets = [...text.matchAll(/\]\(([^)#\s]+)[^)]*\)/g)].map(([, to]) => to!).filter((to) => !/^\w+:/.test(to));
    expect(targets.filter((to) => !existsSync(join(root, page, "..", to)))).toEqual([]);
  });
});

function findPages(from: string): string[] {
  return (readdirSync(join(root, from), { recursive: true }) as string[])
    .filter((name) => name.endsWith(".md"))
    .map((name) => `${from}/${name}`)
    .sort();
}
