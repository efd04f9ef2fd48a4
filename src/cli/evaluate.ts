import type { Command } from "commander";
import { type Tensor, tensor } from "../index.ts";
import { inference } from "../nn/index.ts";
import { exampleBatch, meanAbsoluteError, predict, type RecipeValue, type Run, rootMeanSquaredError, rSquared } from "../train/index.ts";
import { dataOption, deviceOption, jsonOption, recipeOption, threadsOption } from "./arguments.ts";
import { wrap } from "./layout.ts";
import { answersFor, type OpenFlags, open, quantity } from "./opened.ts";
import { showScores, standardOutput } from "./output.ts";

interface Flags extends OpenFlags {
  readonly threads?: number;
}

/** `gradus evaluate RUN`. */
export function addEvaluate(program: Command): void {
  program
    .command("evaluate")
    .description("loss and metrics of a run on the test set")
    .argument("<run>", "the run's folder")
    .addOption(dataOption())
    .addOption(recipeOption())
    .addOption(deviceOption())
    .addOption(threadsOption())
    .addOption(jsonOption())
    .action(async (path: string, flags: Flags) => {
      const output = standardOutput(flags.json === true);
      const run = await open(path, flags, output);
      const scores = await run.evaluate({ dir: flags.data, device: flags.device, threads: flags.threads });
      const columns = await valueScores(run, flags);
      const values = Object.fromEntries(columns.map(({ name, ...rest }) => [name, rest]));
      output.event("scores", {
        run: path,
        recipe: run.info.recipe,
        step: run.checkpoint.step,
        ...scores,
        ...(columns.length > 0 ? { values } : {}),
      });
      output.line(`${output.colour.bold(run.info.recipe)} after ${run.checkpoint.step} steps`);
      output.line(wrap(`test: ${showScores(scores)}`, output.columns, "  "));
      for (const column of columns) output.line(wrap(inWords(column), output.columns, "  "));
    });
}

interface ValueScores extends RecipeValue {
  readonly meanAbsoluteError: number;
  readonly rootMeanSquaredError: number;
  readonly rSquared: number;
}

const inWords = (value: ValueScores): string =>
  `${value.name}: off by ${quantity(value.meanAbsoluteError, value)} on average, root mean square ${quantity(value.rootMeanSquaredError, value)}, R² ${value.rSquared.toFixed(3)}`;

/** Scores of each number that is predicted, in its own unit; nothing for classes. */
async function valueScores(run: Run, { data, device, threads }: Flags): Promise<ValueScores[]> {
  const test = await run.test({ dir: data });
  const answers = answersFor(run, run.model.forward(exampleBatch(test).x, inference));
  if (answers.kind !== "values") return [];
  const { output, target } = await predict(run.model, test, { device, threads });
  if (output.shape.join() !== target.shape.join()) return [];
  const [given, wanted] = [await answers.read(output).data(), await target.data()];
  const width = answers.values.length;
  const column = (from: ArrayLike<number>, k: number): Tensor =>
    tensor(Float64Array.from({ length: from.length / width }, (_, i) => from[i * width + k]!));
  return Promise.all(
    answers.values.map(async (value, k) => {
      const [y, t] = [column(given, k), column(wanted, k)];
      const [mae, rmse, r2] = [meanAbsoluteError(y, t), rootMeanSquaredError(y, t), rSquared(y, t)];
      return { ...value, meanAbsoluteError: await mae.item(), rootMeanSquaredError: await rmse.item(), rSquared: await r2.item() };
    }),
  );
}
