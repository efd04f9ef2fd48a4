/**
 * The process that the crash tests kill: saves checkpoints for ever. Arguments: folder, first step, and optionally the number of the
 * file system call at which it kills itself, so that every gap between two calls is met.
 */
import { CheckpointFolder, type FileCalls, nodeFiles, type StoredTensor } from "../../src/io/index.ts";

const [folder, first, dieAt] = process.argv.slice(2);
let calls = 0;
const count = (): void => {
  if (++calls === Number(dieAt)) process.kill(process.pid, "SIGKILL");
};
/** The call itself, counted before it is made. */
const counted =
  <A extends unknown[]>(call: (...args: A) => Promise<void>) =>
  (...args: A): Promise<void> => {
    count();
    return call(...args);
  };

async function countedFiles(): Promise<FileCalls> {
  const real = await nodeFiles();
  return {
    create: async (path) => {
      count();
      const file = await real.create(path);
      return {
        write: async (bytes) => {
          await file.write(bytes.subarray(0, bytes.length / 2));
          count();
          await file.write(bytes.subarray(bytes.length / 2));
        },
        sync: counted(() => file.sync()),
        close: counted(() => file.close()),
      };
    },
    rename: counted(real.rename),
    remove: counted(real.remove),
    syncDirectory: counted(real.syncDirectory),
  };
}

const checkpoints = await CheckpointFolder.open(folder!, { keep: 2, calls: await countedFiles() });
for (let step = Number(first); ; step++) {
  const data = new Float32Array(5000).fill(step);
  const tensors = new Map<string, StoredTensor>([["w", { dtype: "float32", shape: [data.length], data }]]);
  await checkpoints.save(step, tensors, { step: String(step) });
  process.stdout.write(`${step}\n`);
}
