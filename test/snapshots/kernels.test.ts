import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { kernelsOf, STEPS } from "./steps.ts";

const folder = fileURLToPath(new URL("./kernels/", import.meta.url));

describe("The kernels of typical steps", () => {
  test.each(Object.entries(STEPS))("of %s are what they were; UPDATE=1 writes them anew", (name, step) => {
    const file = `${folder}${name}.txt`;
    const now = kernelsOf(step);
    if (process.env.UPDATE) writeFileSync(file, now);
    else expect(now, "npm run pages writes it anew").toBe(existsSync(file) ? readFileSync(file, "utf8") : "");
  });

  test("are all there is in the folder", () => {
    expect(readdirSync(folder).toSorted()).toEqual(
      Object.keys(STEPS)
        .map((name) => `${name}.txt`)
        .toSorted(),
    );
  });
});
