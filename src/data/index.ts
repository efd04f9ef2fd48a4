/** Data sets and batches: `gradus/data`. */
export type { Column, Moments } from "./column.ts";
export { ArrayDataset, type BatchOptions, type Dataset, type Labelled } from "./dataset.ts";
export { type DigitImages, drawDigits } from "./digits.ts";
export { DownloadError, type DownloadProgress, type SourceOptions } from "./download.ts";
export { type DigitsOptions, digits, FASHION_CLASSES, fashionMnist, type ImagesOptions, mnist } from "./images.ts";
export { HostRandom } from "./random.ts";
export { IRIS_CLASSES, type IrisOptions, iris, type Table, type TableOptions, tableFrom } from "./tabular.ts";
