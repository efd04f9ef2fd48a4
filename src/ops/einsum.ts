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
 * `...` stands for any number of axes. More than two operands are multiplied from left to right.
 */
export function einsum(text: string, ...values: readonly Value[]): Value {
  const { operands, result } = parse(text, values);
  let [left, ...rest] = operands.map(diagonals) as [Operand, ...Operand[]];
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
    throw new ShapeError(`einsum: "${labels[second]}" is ${n} and ${value.shape[second]} in ${showShape(value.shape)}`);
  const front = moveAxis(moveAxis(value, first, 0), second, 1);
  const rest = front.shape.slice(2);
  const rows = reshape(front, [n * n, ...rest]);
  const diagonal = n === 0 ? rows : sliceAxis(rows, 0, 0, n, n + 1);
  return diagonals({ value: diagonal, labels: [labels[first]!, ...labels.filter((_, d) => d !== first && d !== second)] });
}

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
  const result =
    right === undefined ? [...dots, ...onceOnly(all)] : right.includes("...") ? expand(right, dots) : labelsOf(right, right.length, bad);
  for (const name of result) {
    if (!all.includes(name)) throw bad(`"${name}" of the result is in no operand`);
    if (result.indexOf(name) !== result.lastIndexOf(name)) throw bad(`"${name}" stands twice in the result`);
  }
  return { operands, result };
}

/** Labels counted from the right for the axes that `...` stands for, so that operands of different rank line up. */
const dotLabels = (count: number): string[] => Array.from({ length: count }, (_, i) => `.${count - 1 - i}`);

const expand = (term: string, dots: readonly string[]): string[] => {
  const [before, after] = term.split("...");
  return [...before!, ...dots, ...(after ?? "")];
};

function labelsOf(term: string, rank: number, bad: (why: string) => ArgumentError): string[] {
  const letters = term.replace("...", "");
  if (!/^[A-Za-z]*$/.test(letters)) throw bad(`labels are letters, not "${letters}"`);
  if (letters === term ? rank !== term.length : rank < letters.length)
    throw bad(`"${term}" names ${letters.length} axes of a tensor that has ${rank}`);
  return letters === term ? [...term] : expand(term, dotLabels(rank - letters.length));
}

const onceOnly = (all: readonly string[]): string[] =>
  all.filter((name) => !name.startsWith(".") && all.indexOf(name) === all.lastIndexOf(name)).sort();
