import { describe } from "../core/describe.ts";
import { DTypeError, GraphError } from "../core/errors.ts";
import { Tensor } from "./tensor.ts";

/** Tensors in arrays and records, nested as you like: what compile, grad, vmap and scan take and give. */
export type Tree = Tensor | readonly Tree[] | { readonly [key: string]: Tree };

/** The same tree with a plain tensor at every leaf. Any tree at all stays that, or the type would have no end. */
export type Like<T> = Tree extends T ? T : T extends Tensor<infer S> ? Tensor<S> : { -readonly [K in keyof T]: Like<T[K]> };

/** A tree without its tensors: "leaf", what a static value was, or what its children were. */
export type Structure =
  | { readonly kind: "leaf" }
  | { readonly kind: "static"; readonly value: string | boolean | null | undefined }
  | { readonly kind: "array"; readonly items: readonly Structure[] }
  | { readonly kind: "record"; readonly keys: readonly string[]; readonly items: readonly Structure[] };

export interface Flat {
  readonly leaves: Tensor[];
  /** Where each leaf stood: "x", "x.w[0]". */
  readonly paths: string[];
  readonly structure: Structure;
}

export interface FlattenOptions {
  /** Booleans, strings and undefined become part of the structure instead of an error. */
  readonly statics?: boolean;
  /** Tried before anything else: the tensor that a value stands for, if it does. */
  readonly leaf?: (value: unknown) => Tensor | undefined;
}

/**
 * The tensors of a tree in order, records by insertion order of their keys.
 *
 * @throws GraphError for promises, functions, class instances, Maps, Sets and whatever else has no meaning in a tree; DTypeError for numbers.
 */
export function flatten(tree: unknown, who: string, options: FlattenOptions = {}): Flat {
  const leaves: Tensor[] = [];
  const paths: string[] = [];
  const open = new Set<object>();
  const visit = (node: unknown, path: string): Structure => {
    const leaf = node instanceof Tensor ? node : options.leaf?.(node);
    if (leaf) {
      leaves.push(leaf);
      paths.push(path);
      return { kind: "leaf" };
    }
    if (options.statics && isStatic(node)) return { kind: "static", value: node };
    if (!isContainer(node)) throw rejected(node, path, who);
    if (open.has(node)) throw new GraphError(`${who}: ${at(path)}contains itself`, { why: "a tree has no cycles" });
    open.add(node);
    const structure: Structure = Array.isArray(node)
      ? { kind: "array", items: Array.from(node, (item, i) => visit(item, `${path}[${i}]`)) }
      : record(node as Record<string, unknown>, path, visit);
    open.delete(node);
    return structure;
  };
  return { structure: visit(tree, ""), leaves, paths };
}

function record(node: Record<string, unknown>, path: string, visit: (node: unknown, path: string) => Structure): Structure {
  const keys = Object.keys(node);
  return { kind: "record", keys, items: keys.map((key) => visit(node[key], path ? `${path}.${key}` : key)) };
}

/** The tree of this structure with these leaves, in the order `flatten` gave them. */
export function unflatten(structure: Structure, leaves: readonly unknown[]): any {
  let next = 0;
  const build = (s: Structure): unknown => {
    switch (s.kind) {
      case "leaf":
        return leaves[next++];
      case "static":
        return s.value;
      case "array":
        return s.items.map(build);
      case "record":
        // Own properties only, so that a key called __proto__ stays a key.
        return s.keys.reduce<object>((made, key, i) => {
          const value = build(s.items[i]!);
          return Object.defineProperty(made, key, { value, enumerable: true, writable: true, configurable: true });
        }, {});
    }
  };
  return build(structure);
}

/** Equal for equal structures, and only for them: part of a program's signature. */
export function structureKey(structure: Structure): string {
  switch (structure.kind) {
    case "leaf":
      return "*";
    case "static":
      return structure.value === undefined ? "undefined" : JSON.stringify(structure.value);
    case "array":
      return `[${structure.items.map(structureKey).join()}]`;
    case "record":
      return `{${structure.keys.map((key, i) => `${JSON.stringify(key)}:${structureKey(structure.items[i]!)}`).join()}}`;
  }
}

const isStatic = (x: unknown): x is string | boolean | null | undefined =>
  typeof x === "string" || typeof x === "boolean" || x === null || x === undefined;

function isContainer(x: unknown): x is object {
  if (typeof x !== "object" || x === null) return false;
  if (Array.isArray(x)) return true;
  const prototype = Object.getPrototypeOf(x);
  return prototype === Object.prototype || prototype === null;
}

const at = (path: string): string => (path ? `${path} ` : "it ");

function rejected(x: unknown, path: string, who: string): Error {
  const what = describe(x);
  const where = path ? `${path} is ` : "";
  if (x instanceof Promise)
    return new GraphError(`${who}: ${where}a promise, not a tensor`, {
      why: "building a graph never waits",
      help: "await it before, or drop the async",
    });
  if (typeof x === "number" || typeof x === "bigint")
    return new DTypeError(`${who}: ${where}a ${typeof x}, not a tensor`, { help: "wrap it, as in tensor(3)" });
  return new GraphError(`${who}: ${where}${what}, not a tensor`, { why: "trees are made of tensors, arrays and plain records" });
}
