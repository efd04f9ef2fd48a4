/** Finding the cells of a model, naming them, and filling them all or not at all. */
import { isFloat } from "../core/dtype.ts";
import { ArgumentError, FormatError } from "../core/errors.ts";
import { sameShape, showShape } from "../core/shape.ts";
import { Generator, Tensor, Variable } from "../index.ts";

/** The cells of a tree of modules. */
export interface Cells {
  /** Each cell once, under its first path. */
  readonly named: ReadonlyMap<string, Variable>;
  /** Further paths of shared things, and the first path of each: "decoder.embedding" → "encoder.embedding". */
  readonly aliases: ReadonlyMap<string, string>;
}

/** Something whose fields are searched: `Module` without its methods, so that this file needs no classes. */
export interface Searchable {
  stateFields(): Iterable<readonly [name: string, value: unknown]>;
}

interface Search {
  readonly isModule: (value: object) => value is Searchable;
  readonly named: Map<string, Variable>;
  readonly aliases: Map<string, string>;
  /** The first path of every module, container and cell met so far. */
  readonly first: Map<object, string>;
}

/**
 * Every cell reachable through own enumerable fields, arrays, records and Maps with string keys, depth first, in order.
 * Cycles and shared modules are met once; later paths to them are aliases.
 *
 * @throws ArgumentError for a Set or an instance of a class that is no Module: what it holds would be missed in silence.
 */
export function findCells(root: Searchable, isModule: (value: object) => value is Searchable): Cells {
  const search: Search = { isModule, named: new Map(), aliases: new Map(), first: new Map() };
  // An explicit stack in reverse order, so that depth costs nothing and the order is that of the fields.
  const stack: [path: string, value: unknown][] = [["", root]];
  while (stack.length > 0) {
    const [path, value] = stack.pop()!;
    const inner = visit(search, path, value);
    for (let i = inner.length - 1; i >= 0; i--) stack.push([join(path, inner[i]![0]), inner[i]![1]]);
  }
  return search;
}

const join = (path: string, name: string): string => (path === "" ? name : `${path}.${name}`);

/** Notes a cell, or answers the entries of a container; nothing for what holds no state. */
function visit(search: Search, path: string, value: unknown): (readonly [string, unknown])[] {
  if (typeof value !== "object" || value === null) return [];
  if (value instanceof Tensor && !(value instanceof Variable)) return [];
  const before = search.first.get(value);
  if (before !== undefined) {
    search.aliases.set(path, before);
    return [];
  }
  if (!(value instanceof Variable)) {
    const inner = entries(search, path, value);
    if (inner.length > 0) search.first.set(value, path);
    return inner;
  }
  search.first.set(value, path);
  if (search.named.has(path))
    throw new ArgumentError(`two variables have the path ${JSON.stringify(path)}`, { help: "rename a field or a key that contains a dot" });
  search.named.set(path, value);
  return [];
}

function entries(search: Search, path: string, value: object): (readonly [string, unknown])[] {
  if (search.isModule(value)) return [...value.stateFields()];
  if (Array.isArray(value)) return value.map((item, i) => [String(i), item]);
  if (value instanceof Map) return [...value].map(([key, item]) => [mapKey(path, key, item), item]);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) return Object.entries(value);
  if (
    ArrayBuffer.isView(value) ||
    value instanceof ArrayBuffer ||
    value instanceof Generator ||
    value instanceof Date ||
    value instanceof RegExp
  )
    return [];
  throw new ArgumentError(`${path}: a ${className(value)} cannot hold a module's state`, {
    why: "only fields of modules, arrays, plain records and Maps are searched for variables",
    help:
      value instanceof Set || value instanceof WeakMap || value instanceof WeakSet
        ? "use an array or a Map with string keys"
        : `let ${className(value)} extend Module, or keep it in a #private field`,
  });
}

function mapKey(path: string, key: unknown, item: unknown): string {
  if (typeof key === "string") return key;
  if (typeof item !== "object" || item === null) return String(key);
  throw new ArgumentError(`${path}: the Map has a key that is no string: ${String(key)}`, {
    why: "keys are parts of the variables' names",
    help: `use ${JSON.stringify(String(key))}`,
  });
}

const className = (value: object): string => (value.constructor as { name?: string } | undefined)?.name || "class instance";

/** The first path of the cell that any of its paths names, or undefined. */
export function resolvePath(cells: Cells, name: string): string | undefined {
  let path = name;
  // Every turn replaces a prefix by its first path, which no alias begins: at most one turn for each part of the name.
  for (;;) {
    if (cells.named.has(path)) return path;
    const next = withoutAlias(cells, path);
    if (next === undefined) return undefined;
    path = next;
  }
}

function withoutAlias({ aliases }: Cells, path: string): string | undefined {
  for (let end = path.length; end > 0; end = path.lastIndexOf(".", end - 1)) {
    const first = aliases.get(path.slice(0, end));
    if (first !== undefined) return first === "" ? path.slice(end + 1) : first + path.slice(end);
  }
  return undefined;
}

export interface LoadOptions {
  /**
   * False: names missing in the state keep their values, names it has too many are left out, and the answer says which. At least one name must fit;
   * shapes must in any case. Default true.
   */
  readonly strict?: boolean;
}

/** What loading left as it was: names of the model that the state lacks, and names of the state that the model lacks. */
export interface LoadReport {
  readonly missing: readonly string[];
  readonly unexpected: readonly string[];
}

export interface Match extends LoadReport {
  readonly values: ReadonlyMap<Variable, Tensor>;
}

interface MatchOptions extends LoadOptions {
  /** Floats of another width are rounded to the cell's. */
  readonly rounded?: boolean;
}

/**
 * Which tensor goes into which cell; an error that lists everything that does not fit if anything does not.
 *
 * @throws FormatError with all missing, unexpected and mis-shaped names
 */
export function matchState(who: string, cells: Cells, state: Readonly<Record<string, Tensor>>, options: MatchOptions = {}): Match {
  const { strict = true, rounded = false } = options;
  const values = new Map<Variable, Tensor>();
  const misfits: Misfit[] = [];
  const unexpected: string[] = [];
  for (const [name, value] of Object.entries(state)) {
    const path = resolvePath(cells, name);
    if (path === undefined) {
      unexpected.push(name);
      continue;
    }
    const cell = cells.named.get(path)!;
    const problem = misfit(name, cell, value, rounded);
    if (problem) misfits.push(problem);
    // A shared cell may come under several names: the first path wins.
    else if (!values.has(cell) || path === name) values.set(cell, value.dtype === cell.dtype ? value : value.cast(cell.dtype));
  }
  const missing = [...cells.named].filter(([, cell]) => !values.has(cell)).map(([path]) => path);
  if (misfits.length > 0 || (strict && missing.length + unexpected.length > 0))
    throw doesNotFit(who, cells, strict ? { misfits, missing, unexpected } : { misfits, missing: [], unexpected: [] });
  return { values, missing, unexpected };
}

function doesNotFit(who: string, cells: Cells, { misfits, missing, unexpected }: LoadReport & { misfits: readonly Misfit[] }): FormatError {
  // What is there but does not fit is not missing too.
  const there = new Set(misfits.map(({ name }) => resolvePath(cells, name)));
  const problems = [
    ...unexpected.map((name) => `unexpected: ${name}`),
    ...misfits.map(({ of, name, is }) => `${of}: ${name} is ${is}`),
    ...missing.filter((path) => !there.has(path)).map((path) => `missing: ${path} ${showShape(cells.named.get(path)!.shape)}`),
  ];
  const help = [
    ...(misfits.some(({ of }) => of === "dtype") ? ['cast what has another dtype, as in state.step.cast("float32")'] : []),
    ...(misfits.some(({ of }) => of === "shape") ? ["build the model with the sizes of the state"] : []),
    ...(misfits.length === 0 ? ["load what stateDict() of the same model gave, or pass { strict: false } to take the names that fit"] : []),
  ];
  return new FormatError(`${who}: ${problems.length} ${problems.length === 1 ? "entry does" : "entries do"} not fit; nothing was changed`, {
    why: problems.join("\n       "),
    help: help.join("; "),
  });
}

/** The complaint that no name fits, with those of both sides, and the prefix that may keep them apart: `module.fc.weight` for `fc.weight`. */
export function nothingFits(who: string, cells: Cells, unexpected: readonly string[]): FormatError {
  const list = (names: readonly string[]): string =>
    names.length > 4 ? `${names.slice(0, 4).join(", ")}, …` : names.join(", ") || "nothing";
  const inner = (name: string): string => name.slice(name.indexOf(".") + 1);
  const prefix = unexpected[0]?.split(".")[0];
  const prefixed =
    unexpected.length > 0 && unexpected.every((name) => name.startsWith(`${prefix}.`) && resolvePath(cells, inner(name)) !== undefined);
  return new FormatError(`${who}: not one name fits; nothing was changed`, {
    why: `the model has ${list([...cells.named.keys()])}; the state has ${list(unexpected)}`,
    help: prefixed
      ? `the names fit without ${JSON.stringify(`${prefix}.`)} in front`
      : "rename the entries, or build the model that they are of",
  });
}

/** What is there under a name but does not fit: for which reason, and what it is. */
interface Misfit {
  readonly of: "no tensor" | "shape" | "dtype";
  readonly name: string;
  readonly is: string;
}

function misfit(name: string, cell: Variable, value: unknown, rounded: boolean): Misfit | undefined {
  if (!(value instanceof Tensor)) return { of: "no tensor", name, is: typeof value };
  if (!sameShape(cell.shape, value.shape))
    return { of: "shape", name, is: `${showShape(value.shape)}, should be ${showShape(cell.shape)}` };
  if (cell.dtype !== value.dtype && !(rounded && isFloat(cell.dtype) && isFloat(value.dtype)))
    return { of: "dtype", name, is: `${value.dtype}, should be ${cell.dtype}` };
  return undefined;
}

/** The contents now, by name: later assignments do not change them. */
export function snapshot(named: ReadonlyMap<string, Variable>): Record<string, Tensor> {
  // Without a prototype, so that no name can reach one.
  const state = Object.create(null) as Record<string, Tensor>;
  for (const [name, cell] of named) state[name] = cell.value;
  return state;
}

/** Puts every tensor in, once all of them are known to fit. */
export function assignAll(values: ReadonlyMap<Variable, Tensor>): void {
  // A variable among the values stands for what it holds now, before any of the others is assigned.
  const contents = [...values].map(([cell, value]) => [cell, value instanceof Variable ? value.value : value] as const);
  for (const [cell, value] of contents) cell.assign(value);
}
