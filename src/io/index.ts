/** Files: safetensors, idx, CSV, images, checkpoints, logs; reads that are bounded, and writes that are whole or do not happen. */
export { type Checkpoint, CheckpointFolder, checkpointSteps, type Damaged, newestCheckpoint } from "./checkpoints.ts";
export { sha256 } from "./checksum.ts";
export { type CsvOptions, type CsvTable, csvNumber, decodeCsv, hasComma, isCsvNumber, isMissing } from "./csv.ts";
export { cannot, reason, toConsole } from "./failures.ts";
export { type FileCalls, nodeFiles, type OpenFile, overwrite, type WriteOptions, writeAtomically } from "./files.ts";
export { gunzip, MAX_UNPACKED, type Unpacking } from "./gunzip.ts";
export { decodeIdx, type IdxHeader, type IdxOptions, idxSize } from "./idx.ts";
export { decodeImage } from "./image.ts";
export { type ImageSource, nameOf, readPlanes } from "./image-planes.ts";
export { ImageReader } from "./image-reader.ts";
export { decodeJpeg } from "./jpeg.ts";
export { LogFile } from "./log.ts";
export { checkpointName, isLockName, isTemporary } from "./names.ts";
export { type CheckedPlanes, checkPlanes, type Picture, PLANES_OPTIONS, type Planes, planesOf } from "./picture.ts";
export { decodePng, decodePngNow, encodePng } from "./png.ts";
export { isRealFolder, readBytes } from "./read.ts";
export { decodeSafetensors, encodeSafetensors, NewerFormatError, type StoredTensor, type TensorFile } from "./safetensors.ts";
export { filesOfTar } from "./tar.ts";
