/** Images in one folder, with a table that says what is on them. */
import { ArgumentError, FormatError, show } from "../core/errors.ts";
import { checkOptions } from "../core/options.ts";
import { type CsvTable, decodeCsv, readBytes } from "../io/index.ts";
import { IMAGE_FILES_OPTIONS, type ImageDataset, type ImageFilesOptions, imageFiles } from "./image-dataset.ts";

export interface ImageTableOptions extends ImageFilesOptions {
  /** The columns of the names of files and of the classes: then the first line holds names. Without them the first two columns are, and every line is an image. */
  readonly file?: string;
  readonly label?: string;
  /** What is put behind the names, as ".png", where the table leaves it out. */
  readonly ending?: string;
}

/** Largest table that is read. */
const MAX_TABLE = 200_000_000;

/**
 * Images of one folder with the classes that a CSV file names: an image for each row, in its order. The classes are the words in the table, sorted, unless they are given.
 *
 * @throws FormatError for a row without a class, a name that leads out of the folder, a class that is not among those given; and what `imageFiles` throws
 * @example
 * await imageTable("train", "trainLabels.csv");                                               // 1.png,frog
 * await imageTable("train", "trainLabels.csv", { file: "id", label: "label", ending: ".png" }); // id,label and 1,frog
 */
export async function imageTable(dir: string, csv: string, options: ImageTableOptions = {}): Promise<ImageDataset> {
  const who = "imageTable";
  checkOptions(who, options, [...IMAGE_FILES_OPTIONS, "file", "label", "ending"]);
  const { file, label, ending = "", classes: given, ...rest } = options;
  if ((file === undefined) !== (label === undefined))
    throw new ArgumentError(`${who}: file is ${show(file)}, label is ${show(label)}`, { help: "name both columns, or none" });
  const table = decodeCsv(await readBytes(csv, MAX_TABLE), csv, { header: file !== undefined });
  const [fileAt, labelAt] = file === undefined ? [0, 1] : [columnOf(table, file, csv), columnOf(table, label!, csv)];
  const rows = table.rows.map((row, i) => ({ line: table.lines[i]!, name: row[fileAt]?.trim() ?? "", word: row[labelAt]?.trim() ?? "" }));
  for (const { line, name, word } of rows) {
    if (name === "" || word === "")
      throw new FormatError(`${csv}, line ${line}: there is no ${name === "" ? "name of a file" : "class"}`, {
        help: "each row names a file and its class",
      });
    if (/^[\\/]|^[A-Za-z]:|(^|[\\/])\.\.([\\/]|$)|\0/.test(name))
      throw new FormatError(`${csv}, line ${line}: ${show(name)} leads out of the folder of the images`, {
        why: "a table may come from anybody",
      });
  }
  const classes = given ?? [...new Set(rows.map(({ word }) => word))].sort();
  const numbers = new Map(classes.map((name, i) => [name, i]));
  const strange = rows.find(({ word }) => !numbers.has(word));
  if (strange)
    throw new FormatError(`${csv}, line ${strange.line}: no such class: ${show(strange.word)}`, {
      why: `the classes given are ${classes.join(", ")}`,
    });
  return imageFiles(
    rows.map(({ name }) => `${dir}/${name}${ending}`),
    rows.map(({ word }) => numbers.get(word)!),
    { ...rest, classes },
  );
}

function columnOf({ names }: CsvTable, name: string, csv: string): number {
  const at = names!.findIndex((title) => title.trim() === name);
  if (at >= 0) return at;
  throw new FormatError(`${csv}: there is no column ${show(name)}`, { help: `columns: ${names!.join(", ")}` });
}
