import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const src = (path: string): string => fileURLToPath(new URL(`./src/${path}`, import.meta.url));

/** The folders of the compiler, and the rules that users rely on: what `npm run quick` runs, but for what is tagged slow. */
const COMPILER = "test/{graph,kernel,lower,ops,passes,render,rules,schedule,targets,transform}/**/*.test.ts";
/** What starts processes, replaces modules or changes its own environment: a process for each file. */
const PROCESSES = ["test/{browser,cli,docs,project,runtime,torture}/**/*.test.ts", "test/**/*.alone.test.ts"];
/** What is run once more in worker threads, which end while others go on: devices and programs, not compilers and caches. */
const THREADS = ["test/runtime/{heap,link,native,wasm-device}.test.ts", "test/tensor/compile.test.ts"];

export default defineConfig({
  resolve: {
    alias: [
      { find: /^gradus$/, replacement: src("index.ts") },
      { find: /^gradus\/(\w+)$/, replacement: src("$1/index.ts") },
    ],
  },
  test: {
    // Against what hangs; no test is decided by time.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    setupFiles: ["test/verify-kernels.ts"],
    pool: "forks",
    maxWorkers: 2,
    tags: [{ name: "slow", description: "Takes seconds, or repeats on another target what one has shown: not in `npm run quick`." }],
    // Without isolation the files that a process runs share what they import, which is half a second of each.
    projects: [
      { extends: true, test: { name: "compiler", include: [COMPILER], exclude: PROCESSES, isolate: false } },
      { extends: true, test: { name: "library", include: ["test/**/*.test.ts"], exclude: [COMPILER, ...PROCESSES], isolate: false } },
      { extends: true, test: { name: "processes", include: PROCESSES, isolate: true } },
      { extends: true, test: { name: "threads", include: THREADS, isolate: true, pool: "threads" } },
    ],
  },
});
