import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { outputsOf } from "./snippets.ts";

const folder = new URL("../../examples/", import.meta.url);
const run = async (name: string): Promise<string> =>
  (
    await outputsOf(
      [{ line: 1, code: "", shown: undefined, shownLines: undefined }],
      () => import(/* @vite-ignore */ new URL(`${name}.ts`, folder).href),
    )
  )[0]!;

test("Every example has a test.", () => {
  expect(
    readdirSync(fileURLToPath(folder))
      .filter((name) => name.endsWith(".ts"))
      .sort(),
  ).toEqual(["influence.ts", "newton.ts", "xor.ts"]);
});

test("examples/xor.ts learns XOR with one program.", async () => {
  const answers = /answers: (.*) from 1 program$/
    .exec(await run("xor"))![1]!
    .split(", ")
    .map(Number);
  expect(answers).toEqual([0, 1, 1, 0].map((v) => expect.closeTo(v, 0)));
});

test("examples/newton.ts comes to the bottom of Rosenbrock's valley.", async () => {
  expect((await run("newton")).split("\n").at(-1)).toMatch(
    /f\(1\.0000, 1\.0000\) = \d\.\d+e-(2[1-9]|[3-9]\d)$|f\(1\.0000, 1\.0000\) = 0\.00e\+0$/,
  );
});

test("examples/influence.ts finds that errors have large gradients.", async () => {
  const [, first, rest] = /largest gradients: (\d+), among the other 180: (\d+)/.exec(await run("influence"))!;
  expect(Number(first)).toBeGreaterThan(Number(rest));
}, 60_000);
