/** Einstein's summation, by text: a front for contract, transposes and sums. */
import { ArgumentError, ShapeError } from "../core/errors.ts";
import { showShape } from "../core/shape.ts";
import type { Value } from "../graph/op.ts";
import { labelled } from "./contract.ts";
import { moveAxis, reshape, sliceAxis, transpose } from "./move.ts";
import { sum } from "./reduce.ts";

interface Operand {
  readonly value: Value;
  readonly labels: readonly string[];
}

/**
 * einsum("ij,jk->ik", a, b): axes with one letter are multiplied position by position; letters after the arrow stay, all others are
 * summed. Without an arrow, letters that occur once stay, in alphabetical order. A letter twice in one operand takes its diagonal;
 * `...` stands for any number of axes, aligned at the last one. An axis of size 1 broadcasts, as in NumPy and PyTorch. More than two operands are multiplied
 * from left to right.
 */
export function einsum(text: string, ...values: readonly Value[]): Value {
  const { operands, result } = parse(text, values);
  let [left, ...rest] = broadcasted(operands.map(diagonals), text, values) as [Operand, ...Operand[]];
  while (rest.length > 0) {
    const [right, ...later] = rest as [Operand, ...Operand[]];
    const needed = new Set([...result, ...later.flatMap(({ labels }) => labels)]);
    left = multiply(left, right, needed, later.length === 0 ? result : undefined);
    rest = later;
  }
  const { value, labels } = sumOut(left, new Set(result));
  return transpose(
    value,
    result.map((name) => labels.indexOf(name)),
  );
}

function multiply(a: Operand, b: Operand, needed: Set<string>, result: readonly string[] | undefined): Operand {
  const left = sumOut(a, new Set([...needed, ...b.labels]));
  const right = sumOut(b, new Set([...needed, ...left.labels]));
  const kept = result ?? [...new Set([...left.labels, ...right.labels])].filter((name) => needed.has(name));
  return { value: labelled([left.labels, right.labels], kept, [left.value, right.value], "einsum"), labels: kept };
}

/** Sums over the labels nobody needs. */
function sumOut({ value, labels }: Operand, needed: Set<string>): Operand {
  const dropped = labels.flatMap((name, d) => (needed.has(name) ? [] : [d]));
  return { value: sum(value, dropped), labels: labels.filter((name) => needed.has(name)) };
}

/** Every label once: two axes with the same one become their diagonal. */
function diagonals({ value, labels }: Operand): Operand {
  const second = labels.findIndex((name, d) => labels.indexOf(name) !== d);
  if (second < 0) return { value, labels };
  const first = labels.indexOf(labels[second]!);
  const n = value.shape[first]!;
  if (value.shape[second] !== n)
    throw new ShapeError(`einsum: ${shown(labels[second]!)} is ${n} and ${value.shape[second]} in ${showShape(value.shape)}`, {
      why: "a letter twice in one operand takes the diagonal of two equal axes",
    });
  const front = moveAxis(moveAxis(value, first, 0), second, 1);
  const rest = front.shape.slice(2);
  const rows = reshape(front, [n * n, ...rest]);
  const diagonal = n === 0 ? rows : sliceAxis(rows, 0, 0, n, n + 1);
  return diagonals({ value: diagonal, labels: [labels[first]!, ...labels.filter((_, d) => d !== first && d !== second)] });
}

/** Without the axes of size 1 that other operands have in full: what they would repeat is multiplied as it is. */
function broadcasted(operands: readonly Operand[], text: string, values: readonly Value[]): Operand[] {
  const sizes = new Map<string, number>();
  for (const { value, labels } of operands)
    labels.forEach((name, d) => {
      const [size, known] = [value.shape[d]!, sizes.get(name) ?? 1];
      if (size !== known && size !== 1 && known !== 1)
        throw new ShapeError(`einsum: ${shown(name)} is ${known} in one operand and ${size} in the other`, {
          why: `"${text}" of ${values.map((v) => showShape(v.shape)).join(" and ")}; sizes of one label are equal, or 1`,
        });
      if (size !== 1 || !sizes.has(name)) sizes.set(name, size);
    });
  return operands.map(({ value, labels }) => {
    const kept = labels.map((name, d) => value.shape[d] === sizes.get(name));
    if (!kept.includes(false)) return { value, labels };
    return {
      value: reshape(
        value,
        value.shape.filter((_, d) => kept[d]),
      ),
      labels: labels.filter((_, d) => kept[d]),
    };
  });
}

/** A label as the user wrote it: a letter, or the place among the axes of `...`. */
const shown = (name: string): string => (name.startsWith(".") ? `axis ${-1 - Number(name.slice(1))} of "..."` : `"${name}"`);

function parse(text: string, values: readonly Value[]): { operands: Operand[]; result: readonly string[] } {
  const bad = (why: string): ArgumentError => new ArgumentError(`einsum: "${text}"`, { why, help: 'as in einsum("ij,jk->ik", a, b)' });
  const [left, right, ...more] = text.replaceAll(/\s/g, "").split("->");
  if (more.length > 0) throw bad("there is more than one arrow");
  const terms = left!.split(",");
  if (terms.length !== values.length) throw bad(`it names ${terms.length} operands, ${values.length} are given`);
  let dots: readonly string[] = [];
  const operands = terms.map((term, i) => {
    const labels = labelsOf(term, values[i]!.shape.length, bad);
    const own = labels.filter((name) => name.startsWith("."));
    if (own.length > dots.length) dots = own;
    return { value: values[i]!, labels };
  });
  const all = operands.flatMap(({ labels }) => labels);
  const result = right === undefined ? [...dots, ...onceOnly(all)] : expand(checked(right, bad), dots);
  for (const name of result) {
    if (!all.includes(name)) throw bad(`${shown(name)} of the result is in no operand`);
    if (result.indexOf(name) !== result.lastIndexOf(name)) throw bad(`${shown(name)} stands twice in the result`);
  }
  return { operands, result };
}

/** Labels counted from the right for the axes that `...` stands for, so that operands of different rank line up. */
const dotLabels = (count: number): string[] => Array.from({ length: count }, (_, i) => `.${count - 1 - i}`);

const expand = (term: string, dots: readonly string[]): string[] => {
  const [before, after] = term.split("...");
  return [...before!, ...(after === undefined ? [] : dots), ...(after ?? "")];
};

/** A term of letters, among which `...` may stand once. */
function checked(term: string, bad: (why: string) => ArgumentError): string {
  const letters = term.replace("...", "");
  if (/^[A-Za-z]*$/.test(letters)) return term;
  throw bad(letters.includes("...") ? `"..." stands twice in "${term}"` : `labels are letters, not "${letters}"`);
}

function labelsOf(term: string, rank: number, bad: (why: string) => ArgumentError): string[] {
  const letters = checked(term, bad).replace("...", "");
  if (letters === term ? rank !== term.length : rank < letters.length)
    throw bad(`"${term}" names ${letters.length} axes of a tensor that has ${rank}`);
  return letters === term ? [...term] : expand(term, dotLabels(rank - letters.length));
}

const onceOnly = (all: readonly string[]): string[] =>
  all.filter((name) => !name.startsWith(".") && all.indexOf(name) === all.lastIndexOf(name)).sort();
