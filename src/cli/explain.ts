import { existsSync } from "node:fs";
import type { Command } from "commander";
import { type Compiled, compile, type Device, type Explanation, explain, Generator, type Tensor } from "../index.ts";
import { writeAtomically } from "../io/index.ts";
import { callLayer } from "../nn/call.ts";
import { summary, training } from "../nn/index.ts";
import { completeOptions, exampleBatch, type Options, prepare, type Recipe, readInfo } from "../train/index.ts";
import { dataOption, deviceOption, givenOptions, jsonOption, recipeIn, recipeOption, recipeOptions, whole } from "./arguments.ts";
import { explainPage } from "./explain-page.ts";
import { labelled, table, wrap } from "./layout.ts";
import { type Output, standardOutput, thousands } from "./output.ts";
import { builtIn, findRecipe, isName } from "./recipes.ts";

interface Flags {
  dot?: boolean;
  svg?: string;
  html?: string;
  kernels?: boolean;
  data?: string;
  recipe?: string;
  device?: Device;
  batch?: number;
  json?: boolean;
}

/** `gradus explain RECIPE|RUN`: layers, costs, graphs, kernels of one training step. A recipe's options are flags; a run has its own. */
export async function addExplain(program: Command, words: readonly string[]): Promise<void> {
  const named = words[0] === "explain" ? recipeIn(words.slice(1)) : undefined;
  const own = named !== undefined && isName(named) && !isRun(named) ? recipeOptions(await findRecipe(named)) : [];
  const command = program
    .command("explain")
    .description("layers, cost, graph, gradient graph and program of a training step")
    .argument("<recipe-or-run>", "a recipe, or a run's folder")
    .option("--html <file>", "the graph of the loss and its gradients as a page: click a node for its shape, line, gradient and kernel")
    .option("--svg <file>", "the same graph as a picture (- for standard output)")
    .option("--dot", "the same graph in DOT, Graphviz's language")
    .option("--kernels", "graph, program and memory plan, and each kernel as loops and as C or WebAssembly")
    .option("--batch <n>", "examples in the batch", whole(1))
    .addOption(dataOption())
    .addOption(recipeOption())
    .addOption(deviceOption())
    .addOption(jsonOption())
    .action(async (name: string, flags: Flags & Record<string, unknown>) => {
      const output = standardOutput(flags.json === true);
      checkOneOutput(command, flags);
      const { step, x, y, model, name: shown } = await stepOf(name, flags, givenOptions(own, flags));
      const told = await explain(step, x, y);
      if (flags.dot || flags.svg !== undefined || flags.html !== undefined) {
        if (flags.dot) process.stdout.write(told.dot);
        const svg = flags.svg === undefined && flags.html === undefined ? "" : await drawn(told, output);
        if (flags.svg !== undefined) await write(flags.svg, svg, output);
        if (flags.html !== undefined) await write(flags.html, explainPage(shown, svg, told), output);
        if (!flags.kernels) return;
      }
      const { flops, bytes, parts, unread, contractions } = told;
      output.event("explain", { recipe: shown, flops, bytes, parts, unread, contractions });
      saySummary(output, summary(model, x.shape as number[], { costs: true }));
      sayCosts(output, told, x.shape as number[]);
      sayContractions(output, told);
      if (unread.length > 0) output.line(wrap(`read but never updated: ${unread.join(", ")}`, output.columns, "  "));
      if (flags.kernels) output.line(`\n${[told.text, ...kernelTexts(told)].join("\n\n")}`);
      else output.line(output.colour.dim(wrap("--html FILE draws the graph, --kernels prints the program", output.columns)));
    });
  for (const { option } of own) command.addOption(option);
}

/** Pictures go to files, as many as are asked for; standard output holds one thing. */
function checkOneOutput(command: Command, { dot, svg, html, kernels }: Flags): void {
  const asked = { "--dot": dot, "--svg -": svg === "-", "--html -": html === "-", "--kernels": kernels };
  const printed = Object.entries(asked).flatMap(([name, is]) => (is ? [name] : []));
  if (printed.length > 1)
    command.error(`error: ${printed.join(" and ")} cannot both go to standard output; --svg and --html take files`, { exitCode: 2 });
}

interface Step {
  readonly step: Compiled<[x: Tensor, y: Tensor], Tensor>;
  readonly x: Tensor;
  readonly y: Tensor;
  readonly model: Parameters<typeof summary>[0];
  readonly name: string;
}

const isRun = (name: string): boolean => existsSync(`${name}/run.json`);

/** One training step of a recipe, or of a run with its options, and a batch for it. */
async function stepOf(name: string, flags: Flags, given: Options): Promise<Step> {
  const info = isRun(name) ? await readInfo(name) : undefined;
  const recipe = info ? await (flags.recipe ? findRecipe(flags.recipe) : builtIn(info.recipe)) : await findRecipe(name);
  const dir = flags.data ?? info?.data ?? undefined;
  const seed = info?.seed ?? 0;
  const where = { seed, ...(dir ? { dir } : {}) };
  const { model, loss, options } = prepare(recipe, info?.options ?? (await completeOptions(recipe, given, where)), seed);
  const size = flags.batch ?? info?.batchSize ?? recipe.batchSize ?? 32;
  const batch = recipe.example?.(options, size) ?? exampleBatch((await recipe.data(options, where)).train, size);
  const rng = new Generator(0);
  const optimizer = (recipe as Recipe).optimizer(model, options, 1000);
  const step = compile(
    (x: Tensor, y: Tensor) => {
      const value = loss(callLayer(model, [x], training(rng)), y);
      optimizer.minimize(value);
      return value;
    },
    flags.device ? { device: flags.device } : {},
  );
  return { step, x: batch.x, y: batch.y, model, name: info?.recipe ?? name };
}

/** Beyond this, Graphviz is told to look less long for fewer crossings and shorter edges: 350 nodes would take it ten seconds and more. */
const MANY_NODES = 150;
const QUICK = { nslimit: 1, nslimit1: 1, mclimit: 0.2, searchsize: 10 };

/** Graphviz's layout as SVG. It takes a moment to load, so only who draws waits for it. */
async function drawn({ dot, nodes }: Explanation, output: Output): Promise<string> {
  output.redraw(`drawing ${nodes.length} nodes …`);
  const { instance } = await import("@viz-js/viz");
  const graphAttributes = nodes.length > MANY_NODES ? QUICK : {};
  const svg = (await instance()).renderString(dot, { format: "svg", graphAttributes });
  // In front stands a comment with Graphviz's version.
  return svg.slice(svg.indexOf("<svg"));
}

async function write(file: string, content: string, output: Output): Promise<void> {
  if (file === "-") return void process.stdout.write(content);
  await writeAtomically(file, content);
  output.event("written", { file });
  output.line(labelled("written:", file, output.columns));
}

/** The table as it is, the sentences below it in the terminal's width. */
function saySummary(output: Output, text: string): void {
  const [layers, totals] = text.split("\n\n");
  output.line(`${layers}\n`);
  for (const line of totals!.split("\n")) output.line(wrap(line, output.columns, "  "));
}

/** Operations of the passes and updates; planned memory of the forward pass alone and of the whole step. */
function sayCosts(output: Output, { flops, bytes, parts }: Explanation, shape: readonly number[]): void {
  const name = (text: string): string => text.padEnd("backward".length);
  const rows = [
    [name("forward"), operations(parts.forward.flops), memory(parts.forward.bytes)],
    [name("backward"), operations(parts.backward.flops), ""],
    [name("update"), operations(parts.update.flops), ""],
    [name("in all"), operations(flops), memory(bytes)],
  ];
  output.line();
  output.line(wrap(`one training step on a batch of ${thousands(shape[0]!)}, [${shape.join(", ")}]`, output.columns));
  const style = (line: string, at: readonly string[] | undefined): string => (at ? line : output.colour.dim(line));
  for (const line of table({ head: [name("pass"), "operations", "planned memory"], rows, style }, output.columns)) output.line(line);
}

/** Which kernel each contraction became; several of one kind share a line. */
function sayContractions(output: Output, { contractions }: Explanation): void {
  if (contractions.length === 0) return;
  const lines = contractions.map(({ what, kernel, why }) => `${what}: ${kernel}${why && ` (${why})`}`);
  output.line(wrap("\ncontractions, and the kernel that each became", output.columns));
  for (const line of new Set(lines)) {
    const count = lines.filter((other) => other === line).length;
    output.line(wrap(`${count > 1 ? `${count} times ` : ""}${line}`, output.columns, "    "));
  }
}

function operations(flops: number): string {
  if (flops < 1e6) return thousands(flops);
  return flops < 1e9 ? `${(flops / 1e6).toPrecision(4)} million` : `${Number((flops / 1e9).toPrecision(4))} billion`;
}

function memory(bytes: number): string {
  if (bytes < 10_240) return `${thousands(bytes)} bytes`;
  return bytes < 10_240 * 1024 ? `${thousands(bytes / 1024)} KiB` : `${thousands(bytes / 1024 ** 2)} MiB`;
}

const kernelTexts = ({ kernels, sources }: Explanation): string[] =>
  kernels.map((loops, i) => (sources[i] === undefined ? loops : `${loops}\n\nkernel ${i}, source\n${sources[i]}`));
