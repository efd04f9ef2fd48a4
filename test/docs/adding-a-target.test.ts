import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const read = (path: string): string => readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), "utf8");

test("The code of docs/adding-a-target.md is that of the target which the suites run.", () => {
  const source = read("test/targets/kernel-target.ts") + read("test/targets/kernels.test.ts");
  const fragments = [...read("docs/adding-a-target.md").matchAll(/```ts fragment\n([\s\S]*?)```/g)].map(([, code]) => code!);
  expect(fragments).toHaveLength(4);
  for (const code of fragments) expect(source).toContain(code);
});
