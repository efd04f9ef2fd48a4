import { ArgumentError } from "gradus";
import { Conv2d, crossEntropy, Dropout, Flatten, type LayerLike, Linear, LocalResponseNorm, MaxPool2d, relu, Sequential } from "gradus/nn";
import { adamW, cosine, sgd } from "gradus/optim";
import { accuracy, recipe } from "gradus/train";
import { classesOf, firstImages, trainAndTestImages } from "./image-folder.ts";
import { adaptColours, COLOUR_DESCRIBE, colourInputs, exampleOf } from "./images.ts";
import { MOMENTUM, WEIGHT_DECAY } from "./layers.ts";

const VARIANTS = {
  /** Two halves that meet in the third layer and the dense ones: one for each graphics processor of the paper. */
  grouped: { maps: [96, 256, 384, 384, 256], groups: 2, normalised: true },
  ungrouped: { maps: [96, 256, 384, 384, 256], groups: 1, normalised: true },
  /** Krizhevsky 2014, "One weird trick for parallelizing convolutional neural networks". */
  "one-tower": { maps: [64, 192, 384, 256, 256], groups: 1, normalised: false },
} as const;
type Variant = keyof typeof VARIANTS;

/** Windows of 3 × 3 two pixels apart, which overlap (section 3.4). */
const overlapping = (): MaxPool2d => new MaxPool2d(3, { stride: 2 });

/** Section 3.3, aᵢ / (2 + 10⁻⁴ Σ aⱼ²)^¾ over five neighbouring maps; `alpha` is that of their mean. */
const responseNorm = (): LocalResponseNorm => new LocalResponseNorm(5, { alpha: 5e-4, beta: 0.75, k: 2 });

/** Small images are looked at more closely, or nothing would be left of them at the last pool. */
const strideFor = (side: number): number => (side >= 128 ? 4 : side >= 64 ? 2 : 1);

/** Pixels along a side of the last pool's maps: 224 → 55 → 27 → 13 → 6. */
export function lastSide(side: number): number {
  const first = Math.floor((side + 4 - 11) / strideFor(side)) + 1;
  const pooled = (n: number): number => Math.floor((n - 3) / 2) + 1;
  return pooled(pooled(pooled(first)));
}

export interface AlexNetOptions {
  readonly variant: string;
  readonly size: number;
  readonly dense: number;
  readonly dropout: number;
}

/** The five convolutional and three dense layers, from [n, 3, size, size] to [n, classes]. */
export function alexNet({ variant, size, dense, dropout }: AlexNetOptions, classes: number): LayerLike[] {
  const { maps, groups, normalised } = VARIANTS[variant as Variant];
  const last = lastSide(size);
  if (!(Number.isInteger(size) && last >= 1))
    throw new ArgumentError(`alexnet: images of ${size} pixels`, { why: "nothing is left of them at the last pool", help: "at least 24" });
  const norm = normalised ? [responseNorm()] : [];
  const [a, b, c, d, e] = maps;
  return [
    ...[new Conv2d(3, a, 11, { stride: strideFor(size), padding: 2 }), relu, ...norm, overlapping()],
    ...[new Conv2d(a, b, 5, { padding: 2, groups }), relu, ...norm.map(responseNorm), overlapping()],
    ...[new Conv2d(b, c, 3, { padding: 1 }), relu],
    ...[new Conv2d(c, d, 3, { padding: 1, groups }), relu],
    ...[new Conv2d(d, e, 3, { padding: 1, groups }), relu, overlapping()],
    new Flatten(),
    ...[new Linear(e * last * last, dense), relu, new Dropout(dropout)],
    ...[new Linear(dense, dense), relu, new Dropout(dropout)],
    new Linear(dense, classes),
  ];
}

/**
 * AlexNet (Krizhevsky, Sutskever and Hinton 2012): in the paper's form, with two groups, 60,965,224 parameters for 1000 classes; without groups 62,378,344; in one tower 61,100,840.
 */
export default recipe({
  description: "AlexNet on a folder of images, train/CLASS/*.png and test/CLASS/*.png, or on CIFAR-10",
  options: {
    variant: "grouped",
    size: 224,
    dense: 4096,
    dropout: 0.5,
    flip: true,
    colour: true,
    crop: 0,
    optimizer: "sgd",
    lr: 0.01,
    momentum: 0.9,
    weightDecay: 5e-4,
    test: 0.1,
    classes: "",
  },
  describe: {
    variant: "grouped as in the paper, the same without groups, or Krizhevsky's network of 2014 in one tower",
    size: "pixels along a side that images are scaled to; the first stride is 4, below 128 pixels 2, below 64 one (CIFAR-10 has 32)",
    dense: "units of the two dense layers",
    dropout: "share of them that is left out in training",
    ...COLOUR_DESCRIBE,
    optimizer:
      "sgd with momentum as in the paper, or adam, which finds a way in fewer steps where there are few images; it wants a lower rate, such as 0.0003",
    lr: "learning rate at the start; it falls to 0 along half a cosine",
    momentum: `${MOMENTUM}; of sgd`,
    weightDecay: WEIGHT_DECAY,
    test: "share of the images that is kept for testing, where the folder has no part of its own for that",
  },
  choices: { variant: Object.keys(VARIANTS), optimizer: ["sgd", "adam"] },
  derived: ["classes"],
  complete: (o, where) => firstImages(o, where),
  epochs: 30,
  batchSize: 128,
  input: (o) => ({ kind: "image", side: o.size, channels: 3 }),
  classes: (o) => classesOf(o),
  model: (o) => new Sequential(...colourInputs(o.size, o), ...alexNet(o, classesOf(o).length)),
  data: trainAndTestImages,
  example: (o, size) => exampleOf([3, o.size, o.size], size),
  adapt: adaptColours,
  loss: crossEntropy,
  optimizer: (model, o, steps) => {
    const lr = cosine({ peak: o.lr, steps });
    if (o.optimizer === "adam") return adamW(model.parameters(), { lr, weightDecay: o.weightDecay });
    return sgd(model.parameters(), { lr, momentum: o.momentum, weightDecay: o.weightDecay });
  },
  metrics: { accuracy },
});
