#!/usr/bin/env node
import { existsSync } from "node:fs";

const built = new URL("../dist/src/cli/main.js", import.meta.url);
if (existsSync(built)) {
  const { main } = await import(built.href);
  await main(process.argv.slice(2));
} else {
  process.stderr.write(
    "error: gradus is not built\n  why: dist/ is made by npm install\n  help: run npm install (or npm run build) in the folder of gradus\n",
  );
  process.exitCode = 1;
}
