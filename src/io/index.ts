/** Files: safetensors, idx, CSV, checkpoints, and writes that are whole or do not happen. */
export { type Checkpoint, CheckpointFolder, type Damaged, newestCheckpoint } from "./checkpoints.ts";
export { sha256 } from "./checksum.ts";
export { type CsvOptions, type CsvTable, csvNumber, decodeCsv } from "./csv.ts";
export { type FileCalls, nodeFiles, type OpenFile, readBytes, writeAtomically } from "./files.ts";
export { decodeIdx, gunzip } from "./idx.ts";
export { decodeSafetensors, encodeSafetensors, type StoredTensor, type TensorFile } from "./safetensors.ts";
