import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Result, Watched } from "./page.ts";
import { type Serving, serve } from "./server.ts";
import type { Tasks } from "./tasks.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const CHROMIUM = process.env.GRADUS_CHROMIUM ?? "/usr/bin/chromium";
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const DIGITS = { images: 800, epochs: 12 };

/** Modules with an import of something else than a file of the library, reached from these without asking for it at run time. */
function outsideImports(entries: readonly string[]): string[] {
  const seen = new Set<string>();
  const found: string[] = [];
  const files = entries.map((entry) => join(root, entry));
  for (let file = files.pop(); file; file = files.pop()) {
    if (seen.has(file)) continue;
    seen.add(file);
    const text = readFileSync(file, "utf8").replace(/\/\*[\s\S]*?\*\//g, "");
    for (const [, isType, name] of text.matchAll(/^(?:import|export)\s+(type\s+)?(?:[^;"]*?from\s*)?"([^"]+)"/gm)) {
      if (isType) continue;
      if (name!.startsWith(".")) files.push(join(dirname(file), name!));
      else found.push(`${relative(root, file)} imports ${name}`);
    }
  }
  return found.toSorted();
}

describe("what a browser loads", () => {
  test("the core, layers and optimisers import nothing from outside", () => {
    expect(outsideImports(["src/index.ts", "src/nn/index.ts", "src/optim/index.ts"])).toEqual([]);
  });

  test("nothing else imports a module of Node before it is needed", () => {
    const entries = ["src/data/index.ts", "src/train/index.ts", "src/io/index.ts"];
    expect(outsideImports(entries).filter((line) => line.includes("node:"))).toEqual([]);
  });
});

const why = existsSync(CHROMIUM) ? "" : ` (skipped: there is no ${CHROMIUM}; GRADUS_CHROMIUM may name another)`;

describe.skipIf(why)(`Chromium${why}`, () => {
  const folder = mkdtempSync(join(tmpdir(), "gradus-browser-"));
  let browser: Browser;
  /** What threads learnt, which one thread must learn too. */
  let learnt: Result<"digits"> | undefined;
  const servers: Serving[] = [];

  beforeAll(async () => {
    const compiler = join(root, "node_modules/typescript/bin/tsc");
    execFileSync(process.execPath, [compiler, "-p", join(root, "test/browser/tsconfig.json"), "--outDir", folder], { stdio: "inherit" });
    browser = await chromium.launch({ executablePath: CHROMIUM, headless: true, args: FLAGS });
  }, 60_000);

  afterAll(async () => {
    await browser?.close();
    for (const server of servers) await server.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** A page that can run tasks; `isolated` is what gives it shared memory. */
  async function open(isolated: boolean, policy?: string): Promise<Page> {
    const server = await serve({
      isolated,
      policy,
      folders: [
        ["/node_modules/", join(root, "node_modules")],
        ["/", folder],
      ],
      packages: { vitest: "/test/browser/collector.js", zod: "/node_modules/zod/index.js" },
    });
    servers.push(server);
    const page = await browser.newPage();
    page.on("pageerror", (error) => console.error("page:", error.message));
    page.on("console", (message) => message.type() === "error" && console.error("console:", message.text(), message.location().url));
    await page.goto(server.url);
    return page;
  }

  async function run<T extends keyof Tasks>(
    page: Page,
    where: "inPage" | "inWorker",
    name: T,
    options: object = {},
  ): Promise<Watched<Result<T>>> {
    // As text: vitest rewrites an import that it sees.
    return page.evaluate(`import("/test/browser/page.js").then((page) => page.${where}("${name}", ${JSON.stringify(options)}))`);
  }

  describe("a page with COOP and COEP headers", () => {
    let page: Page;
    beforeAll(async () => {
      page = await open(true);
    });

    test("shares memory with threads in a worker, has relaxed SIMD, and explains that there is no native code", async () => {
      const { result } = await run(page, "inWorker", "environment");
      expect(result).toMatchObject({ isolated: true, shared: true, relaxed: true });
      expect(result.threads).toBeGreaterThan(1);
      expect(result.native).toMatch(/^DeviceError: the native device is not available here[\s\S]*only Node can load machine code/);
    });

    test("uses one thread in the page itself, which must not block", async () => {
      const { result } = await run(page, "inPage", "environment");
      expect(result).toMatchObject({ shared: true, threads: 1 });
    });

    test("gives the interpreter's numbers and gradients for every op on two threads", { timeout: 120_000 }, async () => {
      const { result } = await run(page, "inWorker", "conformance", { threads: 2, relaxed: true, slow: false });
      expect(result.failures).toEqual([]);
      expect(result.passed).toBeGreaterThan(500);
      expect(result.threads).toBe(2);
      expect(result.runs).toBeGreaterThan(500);
      expect(result.together).toBe(result.runs);
    });

    test("runs programs as every device must", async () => {
      const { result } = await run(page, "inWorker", "devices");
      expect(result.failures).toEqual([]);
      expect(result.passed).toBeGreaterThan(45);
    });

    test("learns XOR in the page itself", async () => {
      const { result } = await run(page, "inPage", "xor");
      expect(result.loss).toBeLessThan(0.01);
    });

    test("learns digits in a worker while the page stays responsive", async () => {
      const { result, longest, turns, whole } = await run(page, "inWorker", "digits", DIGITS);
      learnt = result;
      expect(result.losses.at(-1)).toBeLessThan(result.losses[0]! / 2);
      expect(result.accuracy).toBeGreaterThan(0.9);
      expect(turns).toBeGreaterThan(10);
      // Were it to stand still for the work, that would be nearly all of the time.
      expect(longest).toBeLessThan(whole / 2);
    });
  });

  describe("a page without them", () => {
    let page: Page;
    beforeAll(async () => {
      page = await open(false);
    });

    test("has one thread and no shared memory", async () => {
      const { result } = await run(page, "inWorker", "environment");
      expect(result).toMatchObject({ isolated: false, shared: false, relaxed: true, threads: 1 });
    });

    test("gives the interpreter's numbers for every op", { timeout: 120_000 }, async () => {
      const { result } = await run(page, "inWorker", "conformance", { threads: 1, relaxed: false, slow: true });
      expect(result.failures).toEqual([]);
      expect(result.passed).toBeGreaterThan(500);
      expect(result.threads).toBe(1);
    });

    test("learns digits in the page itself, to the same bits as threads do in a worker, and timers get their turns", async () => {
      const { result, turns } = await run(page, "inPage", "digits", DIGITS);
      expect(result.accuracy).toBeGreaterThan(0.9);
      expect(turns).toBeGreaterThan(0);
      expect(learnt).toBeDefined();
      expect(result).toEqual(learnt);
    });
  });

  describe("a page with a strict Content-Security-Policy", () => {
    const policy = (scripts: string): string => `default-src 'self'; img-src data:; script-src ${scripts}`;

    test("is told that WebAssembly needs 'wasm-unsafe-eval'", async () => {
      const page = await open(false, policy("'self'"));
      await expect(run(page, "inPage", "xor")).rejects.toThrow(/may not compile WebAssembly[\s\S]*script-src 'self' 'wasm-unsafe-eval'/);
    });

    test("computes with that, where it may not evaluate strings", async () => {
      const page = await open(false, policy("'self' 'wasm-unsafe-eval'"));
      const { result } = await run(page, "inPage", "xor");
      expect(result.loss).toBeLessThan(0.01);
    });

    test("that lets no worker start from a Blob runs on one thread, and says so when it is asked", async () => {
      const page = await open(true, policy("'self' 'wasm-unsafe-eval'"));
      const { result } = await run(page, "inWorker", "host");
      expect(result.running).toEqual([{ name: "wasm", threads: 1, note: expect.stringContaining("worker-src blob:") }]);
    });
  });
});
