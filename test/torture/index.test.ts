/** Every kind of bad input that is promised an answer, and the tests that hold the promise. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

/** A file under test/, and part of the title of a test in it. */
type Where = readonly [file: string, title: string];

interface Promised {
  readonly what: string;
  readonly where: readonly Where[];
  /** Why a part of it has no test. */
  readonly missing?: string;
}

const TORTURE: Readonly<Record<number, Promised>> = {
  1: { what: "more elements than can exist", where: [["torture/tensors", "torture 1: %s is refused when the graph is built"], ["tensor/create", "more elements than can exist are refused"]] },
  2: { what: "sizes that are none", where: [["torture/tensors", "torture 2: %s names the axis"], ["torture/tensors", "torture 2: whatever is passed"]] },
  3: { what: "tensors without elements", where: [["torture/devices", "torture 3: sums are 0"], ["torture/devices", "torture 3: extremes of nothing"], ["ops/edges", "softmax keeps the shape"]] },
  4: { what: "ranks", where: [["torture/tensors", "torture 4: a scalar has a %s"], ["torture/tensors", "torture 4: more axes than the limit"], ["torture/devices", "are the same on every device and without optimisation"]] },
  5: { what: "shapes that do not fit", where: [["torture/tensors", "torture 5: %s says both shapes"], ["ops/errors", "A shape that does not fit is explained"]] },
  6: { what: "indices out of range", where: [["torture/devices", "says index and bound, the same text on every device"], ["torture/devices", "torture 6: the first bad index"], ["nn/losses", "a class that does not exist is an error"]] },
  7: { what: "windows that make no sense", where: [["ops/errors", "a stride of 0"], ["ops/errors", "a window of 0"], ["nn/pools", "refuses windows that are none, where it is made"], ["nn/pools", "refuses inputs of another rank"], ["nn/pools", "refuses sizes that are none, where it is made"], ["nn/convolution", "A convolution refuses, naming the layer"]] },
  8: { what: "axes out of range or twice", where: [["torture/tensors", "torture 8: %s refuses axes"], ["torture/tensors", "torture 8: an axis that is named twice"]] },
  9: { what: "integer division by 0", where: [["torture/tensors", "torture 9: "], ["ops/edges", "divide toward −∞, and by 0 to 0"]] },
  10: { what: "mixed element types", where: [["torture/tensors", "torture 10: "], ["tensor/operators", "dtypes promote to the wider"]] },
  11: { what: "NaN and infinities", where: [["torture/devices", "torture 11: max, argmax and comparisons"], ["torture/devices", "torture 11: convolutions and pools keep"], ["torture/devices", "torture 11: what is put around"], ["ops/edges", "survive sign, relu, maximum"]] },
  12: { what: "softmax at the ends", where: [["torture/devices", "torture 12: ±1000"], ["torture/devices", "torture 12: binary cross-entropy"], ["nn/losses", "is finite at ±1000, in float32 too"]] },
  13: { what: "denormal numbers", where: [["torture/devices", "torture 13: denormal numbers"]] },
  14: { what: "values that somebody writes to", where: [["torture/values", "torture 14: arrays that were passed in"], ["torture/values", "torture 14: shapes and axes"], ["torture/values", "torture 14: a content that a program writes over"]] },
  15: { what: "memory after 100,000 operations", where: [["torture/values", "torture 15: after 100,000 operations"], ["torture/values", "torture 15: variables and compiled functions"]] },
  16: { what: "long sums", where: [["torture/devices", "torture 16: ten million ones"]] },
  17: { what: "gradients of every op", where: [["ops/registry", "The gradient in float64"], ["ops/registry", "Every op of the registry has samples"]] },
  18: { what: "gradients of what is not there", where: [["torture/autodiff", "torture 18: a variable that the loss does not use"], ["torture/autodiff", "torture 18: a loss that is no scalar"]] },
  19: { what: "deep graphs", where: [["torture/autodiff", "torture 19: 50,000 chained nodes"], ["torture/autodiff", "links runs forward and backward"]] },
  20: { what: "where and NaN", where: [["torture/autodiff", "torture 20: "]] },
  21: { what: "assignments between loss and gradient", where: [["torture/autodiff", "torture 21: outside and inside a program"]] },
  22: { what: "losses that are not finite", where: [["torture/training", "torture 22: training stops with step"], ["torture/training", "torture 22: leaving steps out"], ["torture/command-line", "torture 22: gradus train --lr 1e30"]] },
  23: { what: "rates, epochs and batches", where: [["torture/training", "torture 23: a rate of 0"], ["torture/training", "torture 23: epochs 0"], ["torture/command-line", "torture 23: a rate that no float32 holds"], ["nn/norms", "refuses a batch of one number per channel in training"]] },
  24: { what: "empty data, one class", where: [["torture/training", "torture 24: "], ["train/fit", "one class only is learnt"]] },
  25: { what: "dropout", where: [["torture/training", "torture 25: "], ["nn/layers", "refuses p outside [0, 1], and a missing mode"]] },
  26: { what: "all targets masked", where: [["torture/training", "torture 26: "], ["nn/losses", "examples marked by ignoreIndex"]] },
  27: { what: "the same seed, any threads", where: [["torture/training", "torture 27: "], ["tensor/compile", "R17 they depend on seed"]] },
  28: { what: "20 steps on all devices", where: [["torture/training", "torture 28: "]] },
  29: { what: "sequences of length 0", where: [], missing: "there are no layers for sequences yet" },
  30: { what: "killed while saving", where: [["io/checkpoints", "kills at random times: each start finds the newest complete checkpoint"], ["cli/kills", "kills at random times: every run goes on"]] },
  31: { what: "killed between two calls of a save", where: [["io/checkpoints", "a kill between any two file system calls"]] },
  32: { what: "full disks", where: [["io/files", "a full disk is told in words"], ["io/files", "atomic writes"], ["cli/full-disk", "a disk that becomes full in the middle"], ["cli/full-disk", "a log that may not grow"], ["io/failures", "a directory that cannot be made durable is a warning"]] },
  33: { what: "resumed is uninterrupted", where: [["train/resume", "interrupted at any step and resumed"], ["train/resume", "two interruptions, one of them across an epoch's end"], ["train/run-folder", "the first checkpoint is of step 0"], ["train/run-folder", "killed before its first checkpoint"]] },
  34: { what: "flipped bits", where: [["io/safetensors", "1,000 random flips"]] },
  35: { what: "truncated checkpoints", where: [["io/safetensors", "every truncation of a small file"]] },
  36: { what: "another architecture", where: [["train/resume", "a checkpoint of another architecture is refused with all differences"], ["train/model-file", "a model of another shape is refused as it was"]] },
  37: { what: "other format versions", where: [["io/safetensors", "the oldest released format is still read"], ["train/run-folder", "a file of a newer gradus says so"]] },
  38: { what: "saving changes nothing", where: [["train/resume", "taking the state changes nothing"]] },
  39: { what: "two writers", where: [["io/checkpoints", "a second writer is told who holds the folder"], ["io/checkpoints", "is taken over by exactly one"], ["io/failures", "temporary locks of processes that were killed go"]] },
  40: { what: "the only good checkpoint stays", where: [["io/checkpoints", "retention keeps the only good one"]] },
  41: { what: "hostile safetensors", where: [["io/safetensors", "hostile files"], ["io/safetensors", "200 names for one range"], ["train/run-folder", "a checkpoint with %s is refused by name"]] },
  42: { what: "our safetensors", where: [["io/safetensors", "the bytes do not depend on the order"], ["io/safetensors", "names that cannot come back are refused"], ["train/model-file", "notes that would not come back as they were"]] },
  45: { what: "hostile idx", where: [["io/idx", "a gzip bomb stops at the limit"], ["io/idx", "random bytes give a typed error"], ["io/idx", "a bomb of 200 MB in 0.2 MB costs at most its own size"], ["io/failures", "%s is refused at once"]] },
  46: { what: "hostile CSV", where: [["io/csv", "a ragged row is named by its line"], ["io/csv", "a cell of 5 MB"], ["io/csv", "numbers are decimal"]] },
  47: { what: "hostile images", where: [["io/images", "%s is an error with the file's name"], ["io/images", "every bit that is flipped is an error"], ["io/images", "every beginning of a PNG is an error"], ["io/images", "that is cut off is an error, wherever"]] },
  49: { what: "mutated files", where: [["io/images-fuzz", "of PNG files, with checksums that are wrong and that are right"], ["io/images-fuzz", "of JPEG files"], ["io/safetensors", "random mutations give a typed error or a file"], ["io/idx", "random bytes give a typed error"], ["train/run-folder", "random mutations of a run"]] },
  50: { what: "archives", where: [["io/idx", "gzip in several members"], ["data/cifar", "give the regular files that are asked for, whatever else they hold"], ["data/cifar", "a size that is a lie"]], missing: "none is ever unpacked into files: gzip holds one file, whose name is not read, and of a tar the files of known names are read in memory" },
  51: { what: "__proto__ in configurations", where: [["train/resume", "unknown options are refused with a suggestion, and reach no prototype"], ["tensor/looking", "a key called __proto__"]] },
  52: { what: "code in configurations", where: [["cli/cli", "a run made with somebody's module is not started"], ["train/resume", "a run.json that was tampered with"]] },
  53: { what: "absurd layers", where: [["torture/tensors", "torture 53: %s units are refused"], ["torture/command-line", "torture 53: 1e12 units"]] },
  54: { what: "the command line", where: [["cli/cli", "SIGINT saves and exits with 130"], ["cli/cli", "when who reads the output goes away"], ["cli/cli", "a folder that exists is not written over"], ["torture/command-line", "torture 54: an unknown flag"], ["cli/output", "training on a full disk saves"], ["cli/output", "a name that is not UTF-8 is refused"], ["cli/output", "what comes out of a pipe has no colours"]] },
  55: { what: "long runs", where: [["torture/values", "training steps leave memory flat"], ["torture/training", "torture 55: a run with many log lines"]], missing: "logs do not rotate: an epoch adds at most 51 lines, and reading a log back takes no more memory than a chunk of it" },
}; // biome-ignore format: a table

const textOf = (file: string): string => readFileSync(fileURLToPath(new URL(`../${file}.test.ts`, import.meta.url)), "utf8");

describe("what is promised for bad input is tested", () => {
  test("each item has a test, or says why not", () => {
    const promised = [...Array.from({ length: 42 }, (_, i) => i + 1), 45, 46, 47, 49, 50, 51, 52, 53, 54, 55];
    expect(Object.keys(TORTURE).map(Number)).toEqual(promised);
    for (const [item, { where, missing }] of Object.entries(TORTURE)) expect(where.length > 0 || missing !== undefined, item).toBe(true);
  });

  test.each(Object.entries(TORTURE))("item %s has its tests", (_, { where }) => {
    for (const [file, title] of where) expect(textOf(file), `test/${file}.test.ts has no test "${title}"`).toContain(title);
  });
});
