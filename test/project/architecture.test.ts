import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { traceStages } from "./trace.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const page = `${root}ARCHITECTURE.md`;

/** A stage in the page: `<!-- stage: name -->` and the fenced block after it. */
const STAGE = /(<!-- stage: (\w+) -->\n```\w*\n)((?:(?!```).*\n)*)(```)/g;

describe("ARCHITECTURE.md", () => {
  test("shows what the compiler makes of its example today; UPDATE=1 writes it anew", () => {
    const stages = traceStages();
    const before = readFileSync(page, "utf8");
    const after = before.replaceAll(STAGE, (_, open, name, _text, close) => `${open}${stages[name]}\n${close}`);
    if (process.env.UPDATE) writeFileSync(page, after);
    else expect(before, "npm run pages writes it anew").toBe(after);
    expect([...after.matchAll(STAGE)].map((m) => m[2])).toEqual(Object.keys(stages));
  });
});

describe("links", () => {
  for (const name of ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"])
    test(`files that ${name} names exist`, () => {
      const text = readFileSync(`${root}${name}`, "utf8");
      const links = [...text.matchAll(/\]\((?!https?:|#)([^)#]+)[^)]*\)/g)].map((m) => m[1]!);
      const paths = [...text.matchAll(/`((?:src|test|docs|recipes|bench|examples)\/[\w./-]+)`/g)].map((m) => m[1]!);
      expect([...links, ...paths].filter((path) => !existsSync(`${root}${path}`))).toEqual([]);
    });
});
