import { readFileSync } from "node:fs";

/** The version in gradus' package.json, above this file. */
export function packageVersion(): string {
  for (let depth = 1; depth <= 5; depth++) {
    try {
      const found = JSON.parse(readFileSync(new URL(`${"../".repeat(depth)}package.json`, import.meta.url), "utf8")) as {
        name: string;
        version: string;
      };
      if (found.name === "gradus") return found.version;
    } catch {
      // Not here: the next folder up.
    }
  }
  return "unknown";
}
