import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { explainPage } from "../../src/cli/explain-page.ts";
import { main } from "../../src/cli/main.ts";
import { compile, type ExplainedNode, explain, type Tensor, tensor, variable } from "../../src/index.ts";
import { sgd } from "../../src/optim/index.ts";

const folder = mkdtempSync(join(tmpdir(), "gradus-explain-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** What a command line prints to standard output. */
async function printed(...words: string[]): Promise<string> {
  const spies = [process.stdout, process.stderr].map((stream) => vi.spyOn(stream, "write").mockImplementation(() => true));
  try {
    await main(words);
    expect(spies[1]!.mock.calls.map(([text]) => String(text)).join("")).toBe("");
    return spies[0]!.mock.calls.map(([text]) => String(text)).join("");
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

/** What a command line that is used wrongly prints to standard error, and nothing else. */
async function refused(...words: string[]): Promise<string> {
  const [out, errors] = [process.stdout, process.stderr].map((stream) => vi.spyOn(stream, "write").mockImplementation(() => true));
  try {
    await main(words);
    expect(process.exitCode).toBe(2);
    expect(out!.mock.calls).toEqual([]);
    return errors!.mock.calls.map(([text]) => String(text)).join("");
  } finally {
    process.exitCode = undefined;
    for (const spy of [out, errors]) spy!.mockRestore();
  }
}

describe("gradus explain", () => {
  test("prints layers with the functions between them, and operations forward and backward apart", async () => {
    const out = await printed("explain", "xor", "--device", "wasm");
    expect(out).toMatch(/0 \(Linear\) {2}\[4, 8\] +24 +160 +128\n {2}1 \(tanh\) {4}\[4, 8\] +32 +128\n/);
    expect(out).toMatch(
      /on a batch of 4, \[4, 2\]\n.*operations {2}planned memory\n *forward +\d+ +[\d,]+ bytes\n *backward +\d+\n *update +\d+\n *in all +[\d,]+ +/,
    );
  });

  test("says which kernel each contraction became, and why some are no tiled products", async () => {
    const out = await printed("explain", "xor", "--device", "wasm");
    expect(out.replaceAll(/\s+/g, " ")).toContain(
      "matmul [4, 2] · [8, 2]ᵀ: plain loops (sums of 2 terms are too short to pack operands for)",
    );
    const { contractions } = JSON.parse((await printed("explain", "xor", "--device", "wasm", "--json")).split("\n")[0]!);
    expect(contractions.map((c: { kernel: string }) => c.kernel)).toEqual(Array(4).fill("plain loops"));
  });

  test("--kernels prints graph, program, memory, and each kernel as loops and as the target has it", async () => {
    const out = await printed("explain", "xor", "--device", "wasm", "--kernels");
    for (const part of [
      "── forward",
      "── backward",
      "── update",
      "\ncontractions\n",
      "\nkernels\n0 tanh: rows i0<4 i1<8",
      "\nprogram\n",
      "\nmemory\n",
      "\nkernel 0\n",
      "\nkernel 0, source\n(func $0",
    ])
      expect(out).toContain(part);
  });

  test("every picture that is asked for is made; what cannot share standard output is refused", async () => {
    const [svg, html] = [join(folder, "both.svg"), join(folder, "both.html")];
    const out = await printed("explain", "xor", "--device", "wasm", "--svg", svg, "--html", html, "--kernels");
    expect(readFileSync(svg, "utf8")).toMatch(/^<svg/);
    expect(readFileSync(html, "utf8")).toMatch(/^<!doctype html>/i);
    expect(out).toContain("kernel 0, source");
    for (const flags of [
      ["--dot", "--svg", "-"],
      ["--svg", "-", "--html", "-"],
      ["--dot", "--kernels"],
    ])
      expect(await refused("explain", "xor", ...flags)).toMatch(/cannot both go to\s+standard output/);
  });

  test("--dot, --svg and --html draw the same nodes, with names and nothing called tensor", async () => {
    const dot = await printed("explain", "xor", "--device", "wasm", "--dot");
    const svg = await printed("explain", "xor", "--device", "wasm", "--svg", "-");
    expect(await printed("explain", "xor", "--device", "wasm", "--html", join(folder, "xor.html"))).toContain("xor.html");
    const html = readFileSync(join(folder, "xor.html"), "utf8");
    const count = dot.match(/^ {2}n\d+ \[/gm)!.length;
    expect(svg.match(/class="node"/g)).toHaveLength(count);
    expect(html.match(/class="node" tabindex="0"/g)).toHaveLength(count);
    for (const name of ["x", "y", "loss", "0.weight", "∂loss/∂0.weight", "∂loss/∂2.bias"]) {
      expect(svg).toContain(`>${name}</text>`);
      expect(html).toContain(`"name":"${name}"`);
    }
    expect(dot).not.toMatch(/label="(tensor|gradients)/);
  });

  test("options of the recipe are flags", async () => {
    expect(await printed("explain", "xor", "--device", "wasm", "--hidden", "3")).toContain("0 (Linear)  [4, 3]           9");
  });

  test("--batch is the batch of the summary and of the graph", async () => {
    const out = await printed("explain", "xor", "--device", "wasm", "--batch", "3", "--kernels");
    expect(out).toContain("Sequential    [3, 1]");
    expect(out).toContain("argument 0 : float32 [3, 2]   x");
  });
});

const HOSTILE = '</script><script>window.hit = 1</script><img src=x onerror="window.hit = 1">';
const node = (more: Partial<ExplainedNode>): ExplainedNode => ({
  name: undefined,
  operation: "relu",
  shape: [2, 3],
  dtype: "float32",
  site: "",
  part: "forward",
  inputs: [],
  kernels: [],
  gradient: undefined,
  ...more,
});
const NODES = [
  node({ name: HOSTILE, operation: "argument", gradient: 2 }),
  node({ name: "loss", inputs: [0], kernels: [0], site: `train.ts:3${HOSTILE}` }),
  node({ name: "∂loss/∂x", inputs: [1], part: "backward" }),
];
const drawing = (i: number): string =>
  `<g id="node${i + 1}" class="node">\n<title>n${i}</title>\n<ellipse cx="${60 + 90 * i}" cy="40" rx="35" ry="20" fill="none" stroke="black"/></g>`;
const SVG = `<svg xmlns="http://www.w3.org/2000/svg" width="300pt" height="80pt">${NODES.map((_, i) => drawing(i)).join("")}
<g id="edge1" class="edge">\n<title>n0&#45;&gt;n1</title>\n<path d="M95 40h10" stroke="black"/></g></svg>`;
const page = explainPage(`net ${HOSTILE}`, SVG, { nodes: NODES, kernels: [`loops ${HOSTILE}`], sources: [`source ${HOSTILE}`] });

/** A page as the command makes it, for a network that somebody has given such names. */
async function pageOfHostileNetwork(): Promise<string> {
  const w = variable([1, 2], { name: HOSTILE });
  const optimizer = sgd([w], { lr: 0.1 });
  const step = compile(
    (x: Tensor) => {
      const loss = x.mul(w).square().sum() as Tensor<[]>;
      optimizer.minimize(loss);
      return loss;
    },
    { device: "wasm" },
  );
  const told = await explain(step, tensor([3, 4]));
  const { instance } = await import("@viz-js/viz");
  return explainPage(HOSTILE, (await instance()).renderString(told.dot, { format: "svg" }), told);
}

describe("the page", () => {
  test("has no markup of its own from the names of a network", async () => {
    const made = await pageOfHostileNetwork();
    expect(made).not.toContain(HOSTILE);
    expect(made).not.toMatch(/<img|<script>window/);
    expect(made.match(/<script/g)).toHaveLength(2);
    expect(made.match(/tabindex="0"/g)!.length).toBeGreaterThan(4);
  });

  test("lets only its own script and style through, by what they are", () => {
    const hash = (tag: string): string =>
      createHash("sha256")
        .update(new RegExp(`<${tag}>([\\s\\S]*?)</${tag}>`).exec(page)![1]!)
        .digest("base64");
    const policy = /Content-Security-Policy" content="([^"]*)"/.exec(page)![1]!;
    expect(policy).toBe(
      `default-src 'none'; style-src 'sha256-${hash("style")}'; script-src 'sha256-${hash("script")}'; base-uri 'none'; form-action 'none'`,
    );
    expect(page).not.toContain(HOSTILE);
    expect(page.match(/<script/g)).toHaveLength(2);
    expect(page).not.toMatch(/(?:src|href)="?http|url\(/);
  });
});

const CHROMIUM = process.env.GRADUS_CHROMIUM ?? "/usr/bin/chromium";
const why = existsSync(CHROMIUM) ? "" : ` (skipped: there is no ${CHROMIUM}; GRADUS_CHROMIUM may name another)`;

describe.skipIf(why)(`the page in Chromium${why}`, () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: CHROMIUM, headless: true, args: ["--no-sandbox", "--disable-gpu"] });
  }, 60_000);
  afterAll(() => browser?.close());

  /** The page without a network, and what it complains of. */
  async function open(html: string): Promise<{ tab: Page; complaints: string[] }> {
    const file = join(folder, "page.html");
    writeFileSync(file, html);
    const tab = await browser.newPage();
    const complaints: string[] = [];
    tab.on("console", (message) => complaints.push(message.text()));
    tab.on("pageerror", (error) => complaints.push(error.message));
    tab.on("request", (request) => request.url().startsWith("file:") || complaints.push(request.url()));
    await tab.goto(pathToFileURL(file).href);
    return { tab, complaints };
  }

  test("a click on a node tells its shape, line, kernel and gradient; names are texts, whatever is in them", async () => {
    const { tab, complaints } = await open(page);
    const heading = () => tab.textContent("#details h2");
    expect(await heading()).toBe("loss");
    expect(await tab.textContent("#details dl")).toContain(`train.ts:3${HOSTILE}`);
    expect(await tab.locator("#details pre").allTextContents()).toEqual([`loops ${HOSTILE}`, `source ${HOSTILE}`]);
    await tab.click("#n0");
    expect(await heading()).toBe(HOSTILE);
    expect(await tab.textContent("#details dl")).toContain("[2, 3]");
    expect(await tab.textContent("#details dl")).toContain("it is given, not computed");
    await tab.click('#details button:has-text("∂loss/∂x")');
    expect(await heading()).toBe("∂loss/∂x");
    expect(await tab.getAttribute("#n2", "aria-pressed")).toBe("true");
    expect(await tab.evaluate("window.hit")).toBeUndefined();
    expect(complaints).toEqual([]);
    await tab.close();
  }, 60_000);

  test("the keyboard reaches all that the mouse does", async () => {
    const { tab } = await open(page);
    const heading = () => tab.textContent("#details h2");
    await tab.focus("#n2");
    await tab.keyboard.press("Enter");
    expect(await heading()).toBe("∂loss/∂x");
    await tab.keyboard.press("ArrowDown");
    expect(await heading()).toBe("loss");
    await tab.keyboard.press("ArrowDown");
    expect(await heading()).toBe(HOSTILE);
    await tab.keyboard.press("ArrowUp");
    expect(await heading()).toBe("loss");
    expect(await tab.evaluate("document.activeElement.id")).toBe("n1");
    await tab.close();
  }, 60_000);
});
