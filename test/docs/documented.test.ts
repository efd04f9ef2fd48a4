/** What users call, and what graphs are built with, says what it is. */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Exported functions, and constants that are functions of this type, without a comment right above them. */
function undocumented(file: string, constants: RegExp): string[] {
  const lines = readFileSync(root + file, "utf8").split("\n");
  return lines.flatMap((line, i) => {
    const name = (/^export (?:async )?function (\w+)/.exec(line) ?? constants.exec(line))?.[1];
    // A further signature of the same function needs none.
    const before = lines[i - 1] ?? "";
    return name && !before.endsWith("*/") && !before.startsWith(`export function ${name}`) ? [`${file}: ${name}`] : [];
  });
}

describe("has a comment:", () => {
  const ops = readdirSync(`${root}src/ops`).map((name) => `src/ops/${name}`);
  test.each([...ops, "src/tensor/mathematics.ts", "src/nn/activations.ts"])("every function of %s.", (file) => {
    expect(undocumented(file, /^export const (\w+): (?:Unary|Binary|Activation)\b/)).toEqual([]);
  });
  test("every function that kernels expand, where its name does not say it.", () => {
    const known = ["exp", "log", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "pow"];
    const missing = undocumented("src/kernel/math/functions.ts", /^export const (\w+) = /).filter(
      (each) => !known.includes(each.split(": ")[1]!),
    );
    expect(missing.filter((each) => !each.includes("threefry"))).toEqual([]);
  });
});
