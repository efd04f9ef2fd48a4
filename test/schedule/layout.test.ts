import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const folder = fileURLToPath(new URL("../../src/schedule/", import.meta.url));

test("How stored values lie in memory is known to one file of the scheduler.", () => {
  const knowing = readdirSync(folder).filter((name) =>
    /\bstridesOf\b[^;]*from "\.\.\/core\/shape\.ts"/.test(readFileSync(folder + name, "utf8")),
  );
  expect(knowing).toEqual(["layout.ts"]);
});
