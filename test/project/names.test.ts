/** Code asks for an op's kind, or for a fact that the op declares, never for its name; nor for the words of an error. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const src = fileURLToPath(new URL("../../src", import.meta.url));
const files = readdirSync(src, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".ts"));

interface Pattern {
  readonly what: string;
  readonly finds: RegExp;
  /** Lines that must be found, and lines that must not. */
  readonly examples: { readonly bad: readonly string[]; readonly good: readonly string[] };
  /** "file: how the line begins" of what may stay, and why. */
  readonly allowed: Readonly<Record<string, string>>;
}

const PATTERNS: readonly Pattern[] = [
  {
    what: "the name of an op",
    finds:
      /\bop(?:\?|!)?\.name\s*(?:[=!]==?|\.(?:startsWith|endsWith|includes|match|slice)\b)|[=!]==?\s*[\w.?!]*\bop\.name\b|(?:switch\s*\(|\.(?:has|get|includes|indexOf)\(|(?<=[\w\])])\[)[\w.?!]*\bop\.name\b/,
    examples: {
      bad: [
        'v.op.name === "mul"',
        '"iota" !== x.op.name',
        "switch (v.op.name) {",
        'op.name.startsWith("arg")',
        "COSTLY.has(v.op.name)",
        "TABLE[v.op.name]",
      ],
      good: ["text(v.op.name)", "checkShape(v.shape, v.op.name)", 'v.op.kind === "move"'],
    },
    allowed: {},
  },
  {
    what: "how a reduction's combination is called, rather than what it says of itself",
    finds: /\bcombine(?:\?|!)?\.(?:startsWith|endsWith|includes|slice)\(/,
    examples: { bad: ['r.combine.startsWith("arg")'], good: ['combine === "sum"', "COMBINES[r.combine].gives"] },
    allowed: {},
  },
  {
    what: "the words of an error",
    finds:
      /\b(?:error|cause|reason|failure)\w*(?:\?|!)?\.(?:what|why|message)(?:\?|!)?\.(?:startsWith|endsWith|includes|indexOf|match|search)\(|\.exec\(\w*\.(?:what|message)\)/,
    examples: {
      bad: ["error.what.startsWith(label)", 'error.message.includes("index")', "/^layer/.exec(error.what)"],
      good: ["throw new Same(path + error.what)", 'error.message.split("\\n")[0]'],
    },
    allowed: {
      "nn/sequential.ts: const [, inner, rest] = ": "words are joined, nothing is decided: layer 1 of layer 0 becomes layer 0.1",
      "nn/sequential.ts: const said = error.what.startsWith(": "words are joined, nothing is decided: the layer's name is not said twice",
      "train/naming.ts: if (!(error instanceof GradusError) || error.what.includes(path)) throw error;":
        "words are joined, nothing is decided: the file's name is not said twice",
    },
  },
];

describe.each(PATTERNS)("No code asks for $what", ({ finds, examples, allowed }) => {
  const found = files.flatMap((file) =>
    readFileSync(join(src, file), "utf8")
      .split("\n")
      .filter((line) => finds.test(line) && !/^\s*(?:\/?\*|\/\/)/.test(line))
      .map((line) => `${file}: ${line.trim()}`),
  );

  test("but where there is a reason", () => {
    expect(found.filter((line) => !Object.keys(allowed).some((begin) => line.startsWith(begin)))).toEqual([]);
  });

  test("and no reason outlives its line", () => {
    expect(Object.keys(allowed).filter((begin) => !found.some((line) => line.startsWith(begin)))).toEqual([]);
  });

  test("which lines that ask and lines that do not ask show", () => {
    expect(examples.bad.filter((line) => !finds.test(line))).toEqual([]);
    expect(examples.good.filter((line) => finds.test(line))).toEqual([]);
  });
});
