/** Layers that change pictures in training, each picture by itself, and do nothing in use. */
export { RandomAffine, type RandomAffineOptions, RandomRotation, rotate, translate } from "./affine.ts";
export { ColorJitter, type ColorJitterOptions, PcaColorShift } from "./colour.ts";
export { RandomCrop, type RandomCropOptions, RandomHorizontalFlip, RandomVerticalFlip } from "./crop.ts";
export { ElasticTransform, type ElasticTransformOptions } from "./elastic.ts";
export { type Outside, type SampleOptions, sampleBilinear } from "./sample.ts";
