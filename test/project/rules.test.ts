/** Each rule that users may rely on has tests that bear its number. */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** The numbers of the list below "The rules". */
function promised(): number[] {
  const [, text] = readFileSync(`${root}ARCHITECTURE.md`, "utf8").split("## The rules\n");
  return [...text!.split("\n## ")[0]!.matchAll(/^(\d+)\. /gm)].map(([, number]) => Number(number));
}

/** The numbers that titles of tests begin with, as in `test("R13 …")`. */
function tested(): Set<number> {
  const files = readdirSync(`${root}test`, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".test.ts"));
  const title = /\btest(?:\.\w+(?:\([^()]*(?:\([^()]*\))*[^()]*\))?)*\(\s*["'`]R(\d+) /g;
  return new Set(files.flatMap((file) => [...readFileSync(`${root}test/${file}`, "utf8").matchAll(title)].map(([, n]) => Number(n))));
}

describe("The rules of ARCHITECTURE.md", () => {
  const rules = promised();
  const found = tested();

  test("are counted from 1 on", () => {
    expect(rules.length).toBeGreaterThan(20);
    expect(rules).toEqual(rules.map((_, i) => i + 1));
  });

  test.each(rules)("rule %i has a test of its number", (rule) => {
    expect([...found]).toContain(rule);
  });

  test("are what the numbers in titles speak of", () => {
    expect([...found].filter((n) => !rules.includes(n))).toEqual([]);
  });
});
