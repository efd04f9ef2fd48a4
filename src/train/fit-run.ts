/** A recipe's training by a `Trainer` in its run folder: begun or gone on with, logged and saved on its way, scored at its end. */
import { sizeOf } from "../core/shape.ts";
import type { Dataset, Labelled } from "../data/index.ts";
import { drawGraph } from "./graph.ts";
import { type CheckedOn, checkedOnOf, type HeldOut, holdOut, tooFew } from "./held-out.ts";
import type { Options } from "./options.ts";
import { drawPictures } from "./pictures/index.ts";
import { placeOf, prepare, trainerOf } from "./prepare.ts";
import { Recorder } from "./recorder.ts";
import { runCurves } from "./run-curves.ts";
import { isUnbegun, type RunFolder } from "./run-folder.ts";
import type { Result, TrainEvents, TrainPlan, TrainSettings } from "./run-types.ts";
import { score } from "./score.ts";
import type { Trainer } from "./trainer.ts";

/** Trains a recipe from where its run folder is; `elapsed` says how many seconds the run has taken. */
export async function runFit(folder: RunFolder, settings: TrainSettings, events: TrainEvents, elapsed: () => number): Promise<Result> {
  const { recipe, signal, threads, checkpointSeconds = 60 } = settings;
  const prepared = prepare(recipe, folder.info.options, folder.info.seed);
  const parts = await partsOf(folder, prepared.options, settings, events);
  const { epochs, batchSize, patience, nonFinite = "stop", device } = folder.info;
  const place = { device, threads, signal };
  const trainer = await trainerOf(prepared, parts, {
    ...{ epochs, batchSize, nonFinite, ...place },
    earlyStopping: patience === null ? undefined : { patience },
    onStep: (progress) => recorder.onStep(progress),
    onEpoch: (progress) => recorder.onEpoch(progress),
  });
  const recorder = new Recorder(folder, trainer, events, { checkedOn: parts.checkedOn, checkpointSeconds, elapsed });
  const { model, loss } = prepared;
  if (settings.resume === undefined || (await isUnbegun(folder.path))) {
    // Before the first checkpoint: what goes on from one has its graph.
    await folder.draw("graph.dot", () => drawGraph(model, loss, parts.train));
    await recorder.begin();
  } else await recorder.goBack();
  // What a run is to go on with is written when it is known that it can.
  if (settings.resume !== undefined) await folder.update({});
  events.plan?.(planOf(folder, trainer, parts));
  const records = await trainer.run();
  const { ended } = trainer;
  if (ended === "aborted") await recorder.save();
  const stopping = patience !== null;
  await folder.draw("curves.svg", () => runCurves(folder, records, { checkedOn: parts.checkedOn, stopping }));
  if (ended === "aborted") return { status: "interrupted", records, scores: records.at(-1)?.validation ?? {} };
  const scores = await score(model, parts.test, { loss, metrics: recipe.metrics, ...place });
  const status = ended === "stopped early" ? ended : "done";
  const pictures = await drawPictures(folder, { ...prepared, test: parts.test }, place);
  return { status, records, scores, pictures, bestEpoch: stopping ? records.at(-1)?.bestEpoch : undefined };
}

interface Parts extends HeldOut {
  readonly checkedOn: CheckedOn;
  readonly test: Dataset<Labelled>;
}

/** The recipe's data; what is held out is written into the run's information. */
async function partsOf(
  folder: RunFolder,
  options: Options,
  { recipe, signal, validation }: TrainSettings,
  events: TrainEvents,
): Promise<Parts> {
  const { info } = folder;
  events.data?.();
  const parts = await recipe.data(options, placeOf(info.seed, { dir: info.data, signal, onProgress: events.download }));
  // A few examples cannot spare any, unless it was asked for.
  const whole = validation === undefined && info.checkedOn === "validation" && tooFew(parts.train.size, info.validation);
  if (whole && info.patience === null) folder.info = { ...info, validation: 0, checkedOn: "nothing" };
  return { ...holdOut(parts, folder.info, info.seed), checkedOn: checkedOnOf(folder.info), test: parts.test };
}

const planOf = ({ info, path }: RunFolder, trainer: Trainer, { train, checks, checkedOn, test }: Parts): TrainPlan => ({
  path,
  name: info.recipe,
  parameters: trainer.model.parameters().reduce((n, p) => n + sizeOf(p.shape), 0),
  trainExamples: train.size,
  validationExamples: checkedOn === "validation" ? checks!.size : 0,
  testExamples: test.size,
  epochs: info.epochs,
  batchesPerEpoch: trainer.batchesPerEpoch,
  batchSize: info.batchSize,
  startStep: trainer.step,
  checkedOn,
});
