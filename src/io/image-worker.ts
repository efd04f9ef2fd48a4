/** The program of a worker that reads images: a file of its own in dist, loaded by its path. */
import { GradusError } from "../core/errors.ts";
import { type ImageTask, readTask } from "./image-planes.ts";

/** What a worker is asked, and what it answers. */
export interface ImageQuestion {
  readonly id: number;
  readonly task: ImageTask;
}

export type ImageAnswer = { readonly id: number } & ({ readonly data: Float32Array } | { readonly error: StoredError });

/** An error as a message can carry it. */
export interface StoredError {
  readonly name: string;
  readonly what: string;
  readonly why: string | undefined;
  readonly help: string | undefined;
}

const { parentPort } = process.getBuiltinModule("node:worker_threads");
// One image after the other: several at once are several workers.
let turn: Promise<void> = Promise.resolve();
parentPort?.on("message", (question: ImageQuestion) => {
  turn = turn.then(() => answer(question));
});

async function answer({ id, task }: ImageQuestion): Promise<void> {
  try {
    const data = await readTask(task);
    parentPort!.postMessage({ id, data } satisfies ImageAnswer, [data.buffer as ArrayBuffer]);
  } catch (error) {
    parentPort!.postMessage({ id, error: toStored(error) } satisfies ImageAnswer);
  }
}

function toStored(error: unknown): StoredError {
  if (error instanceof GradusError) return { name: error.name, what: error.what, why: error.why, help: error.help };
  return { name: "Error", what: error instanceof Error ? error.message : String(error), why: undefined, help: undefined };
}
