import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const src = (path: string): string => fileURLToPath(new URL(`./src/${path}`, import.meta.url));

export default defineConfig({
  resolve: {
    alias: [
      { find: /^gradus$/, replacement: src("index.ts") },
      { find: /^gradus\/(\w+)$/, replacement: src("$1/index.ts") },
    ],
  },
  test: { include: ["test/**/*.test.ts"], testTimeout: 60_000, setupFiles: ["test/verify-kernels.ts"], pool: "forks", maxWorkers: 2 },
});
