import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { compile, gradcheck, gradgradcheck, gradients, type Tensor, tensor, type Variable, variable, zeros } from "../../src/index.ts";
import { functionalCall, init, Linear, type Module, mse, relu, Sequential, summary } from "../../src/nn/index.ts";
import { sgd } from "../../src/optim/index.ts";
import { type Case, expectClose, fixture, unpack } from "../nn/fixtures.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "gradus-layer-"));
afterAll(() => rmSync(folder, { recursive: true }));

const page = readFileSync(join(root, "docs/adding-a-layer.md"), "utf8");
const code = (step: number): string => new RegExp(`## ${step}\\.[\\s\\S]*?\`\`\`ts fragment\\n([\\s\\S]*?)\`\`\``).exec(page)![1]!;

type Layer = new (features: number, options?: { dtype?: "float64" }) => Module & { forward(x: Tensor): Tensor };

/** The layer that the page writes, as a file beside those of src/nn. */
async function layerOfThePage(): Promise<Layer> {
  const file = join(folder, "prelu.ts");
  writeFileSync(file, code(1).replaceAll('"../', `"${root}src/`).replaceAll('"./', `"${root}src/nn/`));
  return (await import(/* @vite-ignore */ pathToFileURL(file).href)).PReLU;
}

const PReLU = await layerOfThePage();

test("The layer of docs/adding-a-layer.md has PyTorch's values and gradients, by the line that the page adds to the fixtures.", async () => {
  const [c] = fixture("nn.json").page as [Case];
  const layer = new PReLU(c.options.features, { dtype: "float64" });
  const names = Object.keys(c.gradients);
  const inputs: Record<string, Tensor> = Object.fromEntries(names.map((name) => [name, variable(unpack(c.inputs[name]!))]));
  const { x, ...state } = inputs;
  const y = functionalCall(layer, state, () => layer.forward(x!));
  await expectClose(y, c.result);
  const slopes = gradients(
    y.mul(unpack(c.weights)).sum(),
    names.map((name) => inputs[name] as Variable),
  );
  for (const [i, name] of names.entries()) await expectClose(slopes[i]!, c.gradients[name]!);
});

// The tests that the page writes are tests here, too.
new Function(
  "describe",
  "test",
  "expect",
  "PReLU",
  "init",
  "gradients",
  "tensor",
  "gradcheck",
  "gradgradcheck",
  "zeros",
  code(4).replaceAll(" as object", ""),
)(describe, test, expect, PReLU, init, gradients, tensor, gradcheck, gradgradcheck, zeros);

test("The layer of docs/adding-a-layer.md trains in a chain, has its line in the summary and its names in the file, and adds no more than its row to the index.", async () => {
  const model = init(new Sequential(new Linear(3, 8), new PReLU(8), relu, new Linear(8, 1)), 0) as Sequential;
  expect(summary(model, [5, 3])).toMatch(/1 \(PReLU\) +\[5, 8\] +8/);
  expect(Object.keys(model.stateDict())).toContain("1.weight");
  const optimizer = sgd(model.parameters(), { lr: 0.1 });
  const step = compile((x: Tensor, y: Tensor) => {
    const loss = mse(model.forward(x), y);
    optimizer.minimize(loss);
    return loss;
  });
  const [x, y] = [tensor([[1, 2, 3], [0, -1, 1], [2, 0, 1]]), tensor([[1], [0], [-1]])]; // biome-ignore format: rows
  const first = await step(x, y).item();
  for (let i = 0; i < 50; i++) await step(x, y).item();
  expect(await step(x, y).item()).toBeLessThan(first / 10);
  expect(code(2).trim()).toBe('export { PReLU, type PReLUOptions } from "./prelu.ts";');
});
