/** Files: safetensors, idx, CSV, checkpoints, logs; reads that are bounded, and writes that are whole or do not happen. */
export { type Checkpoint, CheckpointFolder, checkpointSteps, type Damaged, newestCheckpoint } from "./checkpoints.ts";
export { sha256 } from "./checksum.ts";
export { type CsvOptions, type CsvTable, csvNumber, decodeCsv, hasComma, isCsvNumber, isMissing } from "./csv.ts";
export { cannot, reason, toConsole } from "./failures.ts";
export { type FileCalls, nodeFiles, type OpenFile, overwrite, type WriteOptions, writeAtomically } from "./files.ts";
export { gunzip, MAX_UNPACKED, type Unpacking } from "./gunzip.ts";
export { decodeIdx, type IdxHeader, type IdxOptions, idxSize } from "./idx.ts";
export { LogFile } from "./log.ts";
export { checkpointName, isLockName, isTemporary } from "./names.ts";
export { isRealFolder, readBytes } from "./read.ts";
export { decodeSafetensors, encodeSafetensors, NewerFormatError, type StoredTensor, type TensorFile } from "./safetensors.ts";
