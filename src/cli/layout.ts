/** Text within a terminal's width: lines break between facts, then between words, and never within a number or before its unit. */

// biome-ignore lint/suspicious/noControlCharactersInRegex: terminal colours begin with the escape character
const COLOUR = /\x1b\[\d+m/g;

/** What a text takes on the screen; colours take nothing. */
export const widthOf = (text: string): number => text.replace(COLOUR, "").length;

/** Spaces where a line may end: not before a number ("loss 0.12", "epoch 3/20") unless after a comma, nor between a number and its unit. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: colours may stand before the number
const BREAKS = / (?! )(?:(?<=[,;] )|(?!(?:\x1b\[\d+m)*(?:[-−+]?\.?\d|(?:%|s|h|min|MB|KiB|examples\/s)(?![\w]))))/;

/** Words filled into lines of at most `columns`; lines after the first are indented. A word that is longer has a line of its own. */
export function wrap(text: string, columns: number, indent = ""): string {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(BREAKS)) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (line !== "" && widthOf(longer) > columns) {
      lines.push(line);
      line = indent + word;
    } else line = longer;
  }
  return [...lines, line].join("\n");
}

/** Facts side by side, two spaces between; what does not fit goes on an indented line, and a fact too long for one breaks between its words. */
export function flow(facts: readonly string[], columns: number): string {
  const lines: string[] = [];
  for (const fact of facts) {
    const line = lines.at(-1);
    if (line === undefined) lines.push(wrap(fact, columns, "    "));
    else if (!line.includes("\n") && widthOf(`${line}  ${fact}`) <= columns) lines[lines.length - 1] = `${line}  ${fact}`;
    else lines.push(`  ${wrap(fact, columns - 2, "  ").replaceAll("\n", "\n  ")}`);
  }
  return lines.join("\n");
}

/** Of several ways to say it, the first that fits one line; otherwise the last. */
export const firstThatFits = (ways: readonly string[], columns: number): string =>
  ways.find((way) => widthOf(way) <= columns) ?? ways.at(-1)!;

/** A label and a path, which is copied: on one line if they fit, else the path alone on the next, from its beginning. */
export const labelled = (label: string, path: string, columns: number): string =>
  widthOf(label) + 1 + widthOf(path) <= columns ? `${label} ${path}` : `${wrap(label, columns)}\n${path}`;

/** A label and a command to be typed; where that is too long, it goes on on the next line between two words, as a shell allows it. */
export function toType(label: string, words: readonly string[], columns: number): string {
  const line = words.join(" ");
  if (line.length <= columns) return labelled(label, line, columns);
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length + 3 <= columns) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(last === undefined ? word : `  ${word}`);
  }
  return `${wrap(label, columns)}\n${lines.join(" \\\n")}`;
}

/** The first facts, and ever fewer of them: what a line that is drawn over itself can do without comes last. */
export const fewer = (facts: readonly string[]): string[] => facts.map((_, i) => facts.slice(0, facts.length - i).join("  "));

export interface Table {
  /** Titles; in a column without one stands a mark of the row. */
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** A row, or a line of the head, in a colour. */
  readonly style?: (line: string, row: readonly string[] | undefined) => string;
}

/** Columns to the right below their titles, whose words are stacked where one line is too narrow for them; at worst each row as a list of facts. */
export function table({ head, rows, style = (line) => line }: Table, columns: number): string[] {
  for (const titles of [head.map((title) => [title]), head.map((title) => title.split(" "))]) {
    const widths = titles.map((words, i) => Math.max(...[...words, ...rows.map((row) => row[i]!)].map((text) => text.length)));
    if (widths.reduce((sum, width) => sum + width + 2, -2) > columns) continue;
    const line = (cells: readonly string[]): string =>
      cells
        .map((cell, i) => cell.padStart(widths[i]!))
        .join("  ")
        .trimEnd();
    const height = Math.max(...titles.map((words) => words.length));
    const heads = Array.from({ length: height }, (_, k) => line(titles.map((words) => words[k - height + words.length] ?? "")));
    return [...heads.map((text) => style(text, undefined)), ...rows.map((row) => style(line(row), row))];
  }
  return rows.map((row) => style(listed(head, row, columns), row));
}

function listed(head: readonly string[], row: readonly string[], columns: number): string {
  const marks = row.filter((_, i) => head[i] === "").map((mark) => mark || " ");
  const facts = head.flatMap((title, i) => (title === "" ? [] : [`${title} ${row[i]}`]));
  return flow([[...marks, facts[0]].join(" "), ...facts.slice(1)], columns);
}
