import { existsSync } from "node:fs";
import type { Command } from "commander";
import { visible } from "../core/visible.ts";
import { compile, type Device, explain, Generator, gradients, type Tensor, toDot } from "../index.ts";
import { summary, training } from "../nn/index.ts";
import { exampleBatch, prepare, type Recipe, readInfo } from "../train/index.ts";
import { dataOption, deviceOption, jsonOption, recipeOption, whole } from "./arguments.ts";
import { standardOutput, thousands } from "./output.ts";
import { builtIn, findRecipe } from "./recipes.ts";

interface Flags {
  dot?: boolean;
  kernels?: boolean;
  data?: string;
  recipe?: string;
  device?: Device;
  batch?: number;
  json?: boolean;
}

/** `gradus explain RECIPE|RUN`: layers, costs, graphs, kernels of one training step. */
export function addExplain(program: Command): void {
  program
    .command("explain")
    .description("layers, cost, graph, gradient graph and program of a training step")
    .argument("<recipe-or-run>", "a recipe, or a run's folder")
    .option("--dot", "the graph of the loss and its gradients, in DOT")
    .option("--kernels", "the program: kernels, memory plan, source")
    .option("--batch <n>", "examples in the batch", whole(1))
    .addOption(dataOption())
    .addOption(recipeOption())
    .addOption(deviceOption())
    .addOption(jsonOption())
    .action(async (name: string, flags: Flags) => {
      const output = standardOutput(flags.json === true);
      const isRun = existsSync(`${name}/run.json`);
      const info = isRun ? await readInfo(name) : undefined;
      const recipe = isRun ? await (flags.recipe ? findRecipe(flags.recipe) : builtIn(info!.recipe)) : await findRecipe(name);
      const { model, loss, options } = prepare(recipe, info?.options ?? {}, info?.seed ?? 0);
      const dir = flags.data ?? info?.data ?? undefined;
      const { train } = await recipe.data(options, { seed: info?.seed ?? 0, ...(dir ? { dir } : {}) });
      const { x, y } = exampleBatch(train, flags.dot ? 2 : (flags.batch ?? info?.batchSize ?? recipe.batchSize ?? 32));
      const rng = new Generator(0);
      if (flags.dot) {
        const value = loss(model.forward(x, training(rng)), y);
        const slopes = gradients(value, model.parameters());
        process.stdout.write(visible(toDot({ loss: value, gradients: slopes }, { highlight: slopes })));
        return;
      }
      const optimizer = (recipe as Recipe).optimizer(model, options, 1000);
      const step = compile(
        (a: Tensor, b: Tensor) => {
          const value = loss(model.forward(a, training(rng)), b);
          optimizer.minimize(value);
          return value;
        },
        flags.device ? { device: flags.device } : {},
      );
      const told = await explain(step, x, y);
      output.event("explain", { recipe: info?.recipe ?? name, flops: told.flops, bytes: told.bytes, unread: told.unread });
      output.line(summary(model, x.shape as number[]));
      output.line();
      output.line(
        `one training step on [${(x.shape as number[]).join(", ")}]: ${told.flops < 1e6 ? thousands(told.flops) : `${(told.flops / 1e6).toPrecision(4)} million`} operations, ${(told.bytes / 1024).toFixed(0)} KiB of planned memory`,
      );
      if (told.unread.length > 0) output.line(`read but never updated: ${told.unread.join(", ")}`);
      output.line(flags.kernels ? `\n${told.text}` : output.colour.dim("--kernels prints graph and program, --dot draws the graph"));
    });
}
