/** What the recipes for a CSV file of the user's share: reading it, cutting off a test part, and knowing it again. */
import { ArgumentError, FormatError, Generator } from "gradus";
import { type ArrayDataset, inputWidth, type Table, type TableOptions, type TableSchema, tableFrom, tableSchema } from "gradus/data";
import { readBytes, sha256 } from "gradus/io";
import type { DataPlace, RecipeInput } from "gradus/train";
import { ACTIVATION_CHOICES } from "./layers.ts";
import { DESCRIBE } from "./tabular.ts";

export const CSV_OPTIONS = {
  csv: "",
  target: "",
  ignore: "",
  categorical: "",
  delimiter: "",
  header: "auto",
  test: 0.2,
  hidden: "32",
  activation: "relu",
  lr: 0.003,
  weightDecay: 0.1,
  schema: "",
  sum: "",
};
export type CsvRecipeOptions = typeof CSV_OPTIONS;

export const CSV_DESCRIBE = {
  csv: "the file",
  target: "the column to predict, by name or number; the last one unless said",
  ignore: "columns that are no inputs, with commas between",
  categorical: "columns of words that are inputs, with commas between",
  delimiter: 'what stands between the cells, such as ";" or "\\t"; a comma unless said',
  header: "whether the first line holds names",
  test: "share of the rows that is kept for testing",
  ...DESCRIBE,
};
export const CSV_CHOICES = { header: ["auto", "yes", "no"], activation: ACTIVATION_CHOICES };

const list = (text: string): (string | number)[] =>
  text
    .split(",")
    .map((word) => word.trim())
    .filter(Boolean)
    .map((word) => (/^-?\d+$/.test(word) ? Number(word) : word));

async function bytesOf(o: CsvRecipeOptions, { dir }: DataPlace): Promise<Uint8Array> {
  if (o.csv === "") throw new ArgumentError("which file? say --csv FILE", { help: "and --target NAME, if it is not the last column" });
  return readBytes(dir === undefined ? o.csv : `${dir}/${o.csv}`);
}

/** What `tableFrom` says of its options, as the command line has them: `header: false` is `--header no` there. */
const asFlags = (text: string): string =>
  text
    .replaceAll("header: true", "--header yes")
    .replaceAll("header: false", "--header no")
    .replace(/\b(delimiter): (".*?")/g, "--$1 $2")
    .replace(/\b(ignore|categorical): \[(.*?)\]/g, "--$1 $2");

function inFlags<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof FormatError) || error.help === undefined) throw error;
    throw new FormatError(error.what, { why: error.why, help: asFlags(error.help), cause: error });
  }
}

/** Reads the file for the first time: what its columns are is kept with the run, and a sum that knows the file again. */
export async function firstLook(
  o: CsvRecipeOptions,
  where: DataPlace,
  task: TableSchema["task"],
): Promise<Pick<CsvRecipeOptions, "schema" | "sum">> {
  if (!(o.test > 0 && o.test < 1)) throw new ArgumentError(`--test ${o.test}`, { help: "a share above 0 and below 1, such as 0.2" });
  const bytes = await bytesOf(o, where);
  const options: TableOptions = {
    task,
    ignore: list(o.ignore),
    categorical: list(o.categorical),
    ...(o.target === "" ? {} : { target: list(o.target) }),
    ...(o.delimiter === "" ? {} : { delimiter: o.delimiter === "\\t" ? "\t" : o.delimiter }),
    ...(o.header === "auto" ? {} : { header: o.header === "yes" }),
  };
  const { schema, notes, data } = inFlags(() => tableFrom(bytes, o.csv, options));
  for (const note of notes) where.say?.(asFlags(note));
  const what = task === "classification" ? `${schema.classes.length} classes of ${schema.targets[0]}` : schema.targets.join(", ");
  where.say?.(`${o.csv}: ${data.size} rows; ${what} from ${schema.inputs.map(({ name }) => name).join(", ")}`);
  return { schema: JSON.stringify(schema), sum: await sha256(bytes) };
}

export const schemaOf = (o: CsvRecipeOptions): TableSchema => {
  if (o.schema === "")
    throw new ArgumentError("the columns of the file are not known yet", { help: "gradus train reads them: --csv FILE" });
  return tableSchema(o.schema, "the run's schema");
};

export const widthOf = (o: CsvRecipeOptions): number => inputWidth(schemaOf(o));

export function rowInput(o: CsvRecipeOptions): RecipeInput {
  const { inputs, columns, delimiter } = schemaOf(o);
  return { kind: "row", columns: inputs, file: columns, delimiter };
}

/** The rows, cut by the seed. A file that changed would be cut elsewhere, and be tested on rows that were trained on. */
export async function trainAndTest(o: CsvRecipeOptions, where: DataPlace): Promise<{ train: ArrayDataset; test: ArrayDataset }> {
  const bytes = await bytesOf(o, where);
  if ((await sha256(bytes)) !== o.sum)
    throw new ArgumentError(`${o.csv} is not the file the run began with`, {
      why: "another cut of other rows would test on what was trained on",
      help: "give the file as it was (--data DIR if it stands elsewhere), or train anew",
    });
  const { data }: Table = tableFrom(bytes, o.csv, { like: schemaOf(o) });
  const [train, test] = data.split(1 - o.test, new Generator(where.seed).fork("test"));
  return { train, test };
}
