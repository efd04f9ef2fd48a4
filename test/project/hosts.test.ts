import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createContext, runInContext } from "node:vm";
import { build, type Format } from "esbuild";
import { afterAll, describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "gradus-hosts-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A program that computes 2 + 4 + 6, eagerly and compiled, and keeps the answer where everybody finds it. */
const PROGRAM = `import { compile, configure, describe, tensor } from "./src/index.ts";
import { Linear, Sequential } from "./src/nn/index.ts";
globalThis.gradus = { describe, tensor, layers: [Linear.name, Sequential.name] };
const say = globalThis.say ?? console.log;
async function answer() {
  if (globalThis.wanted) configure({ device: globalThis.wanted });
  const x = tensor([1, 2, 3]);
  return [await x.mul(2).sum().item(), await compile((y) => y.mul(2).sum())(x).item()];
}
globalThis.answered = answer().then((values) => say(["answer", ...values].join(" ")), (error) => say(error.name + " " + error.message));`;

/** Prints without Node's console, which reads the environment itself. */
const SAY = 'globalThis.say = (line) => void require("node:fs").writeSync(1, line + "\\n");';

async function bundle(format: Format, minify = false): Promise<string> {
  const { outputFiles, warnings } = await build({
    stdin: { contents: PROGRAM, resolveDir: root },
    bundle: true,
    write: false,
    format,
    minify,
    platform: "node",
    packages: "external",
    tsconfigRaw: { compilerOptions: { target: "es2022" } },
    logLevel: "silent",
  });
  expect(warnings).toEqual([]);
  return outputFiles[0]!.text;
}

/** What a program prints that runs in a process of its own. */
function run(name: string, text: string, flags: readonly string[] = []): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  const { stdout, stderr } = spawnSync(process.execPath, [...flags, file], { encoding: "utf8", timeout: 30_000 });
  return stdout.trim() + stderr.replace(/.*(ExperimentalWarning|--trace-warnings).*\n/g, "");
}

describe("a bundle", () => {
  test.each([
    ["esm", "mjs"],
    ["cjs", "cjs"],
    ["iife", "cjs"],
  ] as const)("as %s computes, without a warning of the bundler", async (format, ending) => {
    expect(run(`${format}.${ending}`, await bundle(format))).toBe("answer 12 12");
  });

  test("from a data: URL, as from a Blob's, computes", async () => {
    const url = `data:text/javascript;base64,${Buffer.from(await bundle("esm")).toString("base64")}`;
    expect(run("data.mjs", `await import(${JSON.stringify(url)});`)).toBe("answer 12 12");
  });

  test("that is minified calls errors and tensors by their names", async () => {
    const mistake =
      "const { tensor } = gradus; try { tensor([1, 2]).matmul(tensor([3])); } catch (error) { console.log(error.name, String(tensor([1]))); }";
    expect(run("minified.cjs", `${await bundle("iife", true)}\n${mistake}`)).toBe("ShapeError Tensor(float32 [1])\nanswer 12 12");
  });
});

describe("a host that has little", () => {
  /** Runs the bundle in a realm of the language alone; `before` takes more away. */
  async function inRealm(before: string, wanted = "wasm"): Promise<unknown> {
    const lines: string[] = [];
    const realm = createContext({ say: (line: string) => lines.push(line), wanted });
    runInContext(before, realm);
    runInContext(await bundle("iife"), realm);
    await runInContext("answered", realm);
    return lines.join("\n");
  }

  test("the language alone is enough: no process, no performance, no timers, no workers", async () => {
    expect(await inRealm("")).toBe("answer 12 12");
  });

  test.each(["SharedArrayBuffer", "Atomics"])("it does without %s", async (name) => {
    expect(await inRealm(`delete globalThis.${name};`)).toBe("answer 12 12");
  });

  test("globals may be frozen", async () => {
    const freeze =
      "Object.getOwnPropertyNames(globalThis).forEach((name) => { const x = globalThis[name]; if (typeof x === 'function') { Object.freeze(x); Object.freeze(x.prototype); } });";
    expect(await inRealm(freeze)).toBe("answer 12 12");
  });

  test("parts that throw when they are touched are as if they were not there", async () => {
    const traps = ["process", "navigator", "performance", "Deno"]
      .map((name) => `Object.defineProperty(globalThis, "${name}", { get() { throw new Error("NotCapable: ${name}"); } });`)
      .join("\n");
    expect(await inRealm(traps)).toBe("answer 12 12");
  });

  test("without WebAssembly the error names the device that needs none, and that one computes", async () => {
    expect(await inRealm("delete globalThis.WebAssembly;")).toMatch(/^DeviceError there is no WebAssembly here\n.*"interpreter"/);
    expect(await inRealm("delete globalThis.WebAssembly;", "interpreter")).toBe("answer 12 12");
  });

  test("where code may not be compiled the error names what a page's policy must allow", async () => {
    const refuse = "WebAssembly.Module = class { constructor() { throw new WebAssembly.CompileError('blocked by the policy'); } };";
    expect(await inRealm(refuse)).toMatch(
      /^DeviceError this page may not compile WebAssembly\n {2}why: blocked by the policy\n.*'wasm-unsafe-eval'/,
    );
  });
});

const behind = (code: string): Promise<string> => bundle("cjs").then((text) => `${SAY}\n${code}\n${text}`);

test("Bun is not asked for what it complains about, how busy a worker is; Node is", async () => {
  const asked = `const threads = require("node:worker_threads");
    threads.Worker = class extends threads.Worker {
      constructor(...all) {
        super(...all);
        Object.defineProperty(this, "performance", { get: () => void (globalThis.asked = true) });
      }
    };`;
  const program = async (before: string): Promise<string> =>
    `${await behind(`globalThis.wanted = "wasm";\n${asked}\n${before}`)}
    answered.then(() => setTimeout(async () => {
      await gradus.tensor(new Float32Array(1e6)).exp().sum().item(); // after so long the device looks whether its workers are still there
      say([gradus.describe().running[0].threads > 1, globalThis.asked ?? false].join(" "));
    }, 300));`;
  const threads = "process.env.GRADUS_THREADS = '2';";
  expect(run("node.cjs", await program(threads))).toBe("answer 12 12\ntrue true");
  const bun = 'Object.defineProperty(process, "versions", { value: { ...process.versions, bun: "1" } });';
  expect(run("bun.cjs", await program(threads + bun))).toBe("answer 12 12\ntrue false");
});

describe("permissions", () => {
  test("an environment that may not be read sets nothing", async () => {
    const denied = `process.env = new Proxy({ ...process.env }, { get: (env, name) => {
      if (/^(GRADUS_|XDG_)/.test(String(name))) throw new Error("NotCapable: " + String(name));
      return env[name];
    } });`;
    expect(run("variables.cjs", await behind(denied))).toBe("answer 12 12");
    const gone = 'Object.defineProperty(process, "env", { get() { throw new Error("NotCapable"); } });';
    expect(run("environment.cjs", await behind(gone))).toBe("answer 12 12");
  });

  test("Deno is not made to ask the person: what was not granted is not touched", async () => {
    const deno = `globalThis.Deno = { permissions: { querySync: () => ({ state: "prompt" }) } };
      process.env = new Proxy({}, { get: (_, name) => void say("asked for " + String(name)) });`;
    const text = `${await behind(deno)}\nanswered.then(() => say(JSON.stringify(gradus.describe().noNative)));`;
    expect(run("deno.cjs", text)).toMatch(/^answer 12 12\n"it needs Deno's permissions --allow-env/);
  });

  test("Node's own permissions need allow nothing but to read the program", async () => {
    const text = `${await behind("")}\nanswered.then(() => say(JSON.stringify(gradus.describe().running)));`;
    const flag = process.allowedNodeEnvironmentFlags.has("--permission") ? "--permission" : "--experimental-permission";
    const printed = run("permissions.cjs", text, [flag, `--allow-fs-read=${folder}`]);
    expect(printed).toMatch(/^answer 12 12\n/);
    expect(printed).toMatch(/"name":"wasm","threads":1/);
  });
});

test("what a host has is asked for in one place: no other module of the library names it", () => {
  const names = /\bimport\.meta\b|\bprocess\.env\b|\bnavigator\b|(?<!\.)\bperformance\b/;
  const files = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"));
  const found = files.filter((file) => {
    const code = readFileSync(join(root, "src", file), "utf8").replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, "");
    return names.test(code) && !/^(cli\/|runtime\/native)/.test(file);
  });
  expect(found).toEqual(["core/host.ts"]);
});
