import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";

const folder = fileURLToPath(new URL(".", import.meta.url));
const root = fileURLToPath(new URL("../..", import.meta.url));

/** What the compiler says about a project's own files. Errors elsewhere in the checkout are not this test's. */
function compile(project: string, own: RegExp): string[] {
  const { stdout, stderr } = spawnSync(process.execPath, [`${root}node_modules/typescript/bin/tsc`, "-p", project], {
    encoding: "utf8",
    cwd: root,
  });
  expect(stderr).toBe("");
  return stdout.split("\n").filter((line) => own.test(line));
}

/** Mistakes are compiled in a folder of their own, because the checkout has to compile. */
const mistakes = mkdtempSync(join(tmpdir(), "gradus-types-"));
afterAll(() => rmSync(mistakes, { recursive: true }));

const PROGRAM = `
import { concat, type Tensor, tensor, zeros } from "gradus";
declare const batch: Tensor<[number, 784]>;
const m = zeros([2, 2]);
m.matmul(zeros([1, 3]));
batch.matmul(zeros([10, 784]));
m.add(zeros([3]));
m.add([1, 2, 3]);
zeros([2, 3]).sum(4);
zeros([2, 3]).transpose(0, 5);
m.reshape([-1, -1]);
concat([m, zeros([3, 3])], 0);
tensor([[1, 2], [3]]);
`;

const EXPECTED = [
  "matmul: inner sizes differ: [2, 2] × [1, 3] (2 is not 1)",
  "matmul: inner sizes differ: [?, 784] × [10, 784] (784 is not 10)",
  "cannot broadcast [2, 2] with [3]: 2 is not 3, nor is either 1",
  "cannot broadcast [2, 2] with [3]: 2 is not 3, nor is either 1",
  "sum: [2, 3] has no axis 4",
  "transpose: [2, 3] has no axis 5",
  "reshape: only one size may be -1",
  "concat: [2, 2] and [3, 3] differ outside the joined axis",
  "tensor: the rows have different lengths",
];

describe("shapes in the types", () => {
  test("right programs compile, and each wrong line is refused", () => {
    expect(compile(join(folder, "tsconfig.json"), /^test\/types\//)).toEqual([]);
  }, 60_000);

  test("a wrong shape is explained by one sentence in the editor", () => {
    writeFileSync(join(mistakes, "package.json"), '{ "type": "module" }');
    writeFileSync(join(mistakes, "mistakes.ts"), PROGRAM);
    const compilerOptions = { typeRoots: [join(root, "node_modules/@types")] };
    writeFileSync(
      join(mistakes, "tsconfig.json"),
      JSON.stringify({ extends: join(root, "tsconfig.json"), compilerOptions, include: ["*.ts"] }),
    );
    const lines = compile(join(mistakes, "tsconfig.json"), /mistakes\.ts\(/);
    expect(lines).toHaveLength(EXPECTED.length);
    EXPECTED.forEach((sentence, i) => {
      expect(lines[i]).toContain(sentence);
    });
  }, 60_000);
});
