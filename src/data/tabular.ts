import { ArgumentError, show } from "../core/errors.ts";
import { checkOptions } from "../core/options.ts";
import type { ArrayDataset } from "./dataset.ts";
import { dataFile, type RemoteFile, SOURCE_OPTIONS, type SourceOptions } from "./download.ts";
import { HostRandom } from "./random.ts";
import { type Table, tableFrom } from "./table.ts";

/** Fisher 1936, the version of the UCI repository: 150 flowers, 4 lengths in centimetres, 3 species. */
const IRIS: RemoteFile = {
  name: "iris.csv",
  url: "https://raw.githubusercontent.com/jbrownlee/Datasets/d20fcb6402ae34e653d4513b00f39257bb37ed7f/iris.csv",
  sha256: "f5d0c11e5c78a69a20dbb80baf2b24703f59a6687595752abb397d23732647c5",
};

export const IRIS_CLASSES = ["Iris-setosa", "Iris-versicolor", "Iris-virginica"] as const;

export interface IrisOptions extends SourceOptions {
  /** The training part (default, 70 %: 105 flowers) or the test part (45); each species equally often in both. */
  readonly train?: boolean;
  /** Decides which flowers are for testing. */
  readonly seed?: number;
}

/** The iris flowers, x: [n, 4] in centimetres, y: [n] as in `IRIS_CLASSES`. Read from `dir` or GRADUS_DATA, else downloaded. */
export async function iris(options: IrisOptions = {}): Promise<ArrayDataset> {
  checkOptions("iris", options, ["train", "seed", ...SOURCE_OPTIONS]);
  const { data } = tableFrom(await dataFile("iris", IRIS, options, { limit: 2 ** 24 }), "iris.csv", {
    header: false,
    classes: IRIS_CLASSES,
  });
  const random = new HostRandom(options.seed ?? 0, 3);
  const chosen: number[] = [];
  for (const label of IRIS_CLASSES.keys()) {
    const rows = random.shuffle(data.rows.filter((row) => data.y.data[row] === label));
    const cut = Math.round(rows.length * 0.7);
    chosen.push(...((options.train ?? true) ? rows.subarray(0, cut) : rows.subarray(cut)));
  }
  return data.select(Uint32Array.from(chosen).sort());
}

/** Cortez, Cerdeira, Almeida, Matos and Reis 2009, the version of the UCI repository: measurements of Portuguese vinho verde and its taste. */
const WINES: Readonly<Record<"red" | "white", RemoteFile>> = {
  red: {
    name: "winequality-red.csv",
    url: "https://raw.githubusercontent.com/jbrownlee/Datasets/d20fcb6402ae34e653d4513b00f39257bb37ed7f/winequality-red.csv",
    sha256: "c9614512e980f1cbd221c796daa97f00c4898c3cd1716863abac60f6cd1a522e",
  },
  white: {
    name: "winequality-white.csv",
    url: "https://raw.githubusercontent.com/jbrownlee/Datasets/d20fcb6402ae34e653d4513b00f39257bb37ed7f/winequality-white.csv",
    sha256: "659d419fff887f225bf977d20520bb64a64cae203e460087f809721d4430ba27",
  },
};

/** The eleven inputs of `wine`, in order. */
export const WINE_INPUTS = [
  "fixed acidity",
  "volatile acidity",
  "citric acid",
  "residual sugar",
  "chlorides",
  "free sulfur dioxide",
  "total sulfur dioxide",
  "density",
  "pH",
  "sulphates",
  "alcohol",
] as const;

export interface WineOptions extends SourceOptions {
  /** 1,599 red wines (default) or 4,898 white ones. */
  readonly colour?: "red" | "white";
}

/**
 * Wines with eleven measurements and a quality from 0 to 10, the median of three tasters, to predict as a number. Reads the file of the UCI
 * repository (names, semicolons) or one without names.
 */
export async function wine(options: WineOptions = {}): Promise<Table> {
  checkOptions("wine", options, ["colour", ...SOURCE_OPTIONS]);
  const { colour = "red", ...source } = options;
  if (!Object.hasOwn(WINES, colour)) throw new ArgumentError(`wine: there is no ${show(colour)} wine`, { help: '"red" or "white"' });
  const file = WINES[colour];
  const bytes = await dataFile("wine", file, source);
  const named = bytes[0] === '"'.charCodeAt(0);
  return tableFrom(bytes, file.name, {
    task: "regression",
    ...(named ? { header: true, delimiter: ";" } : { names: [...WINE_INPUTS, "quality"] }),
  });
}
