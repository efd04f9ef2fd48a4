/** Data sets and batches: `gradus/data`. */
export { type ChannelMoments, type ChannelMomentsOptions, channelMoments } from "./channel-moments.ts";
export { CIFAR10_CLASSES, cifar10, decodeCifar10 } from "./cifar.ts";
export type { Column, Moments } from "./column.ts";
export { ArrayDataset, type Dataset, type Labelled } from "./dataset.ts";
export { type DigitImages, drawDigits } from "./digits.ts";
export { DownloadError, type DownloadProgress, type SourceOptions } from "./download.ts";
export { ImageDataset, type ImageFilesOptions, imageFiles } from "./image-dataset.ts";
export { type ImageFolderOptions, imageFolder } from "./image-folder.ts";
export { type ImageTableOptions, imageTable } from "./image-table.ts";
export { type DigitsOptions, digits, FASHION_CLASSES, fashionMnist, type ImagesOptions, mnist } from "./images.ts";
export type { BatchOptions } from "./order.ts";
export { PENDULUM_INPUTS, type PendulumOptions, pendulum } from "./pendulum.ts";
export { HostRandom } from "./random.ts";
export { type ColumnRef, type Table, type TableOptions, tableFrom } from "./table.ts";
export { type InputColumn, type InputRow, inputNames, inputWidth, type TableSchema, tableInputs, tableSchema } from "./table-schema.ts";
export { IRIS_CLASSES, type IrisOptions, iris, WINE_INPUTS, type WineOptions, wine } from "./tabular.ts";
