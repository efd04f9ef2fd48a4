import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const folder = fileURLToPath(new URL("../../src/schedule/", import.meta.url));

test("How stored values lie in memory is known to one file of the scheduler: no other takes strides from shapes.", () => {
  const lines = (name: string): string[] => readFileSync(folder + name, "utf8").split(";\n");
  const knowing = (what: RegExp): string[] => readdirSync(folder).filter((name) => lines(name).some((line) => what.test(line)));
  expect(knowing(/\bstridesOf\b.*from "\.\.\/core\/shape\.ts"/s)).toEqual([]);
  expect(knowing(/export (function|const) stridesIn\b/)).toEqual(["layout.ts"]);
  // The scheduler answers for each value, and who chooses orders compares them.
  expect(knowing(/\bstridesIn\b.*from "\.\/layout\.ts"/s)).toEqual(["index.ts", "orders.ts"]);
});
