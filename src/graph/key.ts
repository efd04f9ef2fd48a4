/** The text that tells a node from all others: equal texts, equal values. */
import type { Value } from "./op.ts";

/** Constants of at most this many elements are compared by what is in them, others by their array. */
const SMALL = 64;

const numbers = new WeakMap<object, number>();
let count = 0;

/** A number for an object that is only equal to itself. */
export function identityOf(object: object): number {
  let n = numbers.get(object);
  if (n === undefined) numbers.set(object, (n = count++));
  return n;
}

/** Null for nodes that must stay apart: arguments, variables and the numbers that programs take as arguments are told apart by those who fill them. */
export function keyOf(v: Value): string | null {
  if (v.op.kind === "leaf") {
    if (v.op.source === "argument" || v.op.source === "variable" || (v.attributes as { lifted?: boolean }).lifted) return null;
    return `${identityOf(v.op)} ${v.dtype} [${v.shape}] ${encode(v.attributes)}`;
  }
  let key = `${identityOf(v.op)}`;
  for (const x of v.inputs) key += `,${x.id}`;
  return `${key} ${encode(v.attributes)}`;
}

/** Attributes as text: equal texts, equal attributes. */
export function encode(x: unknown): string {
  if (x === undefined) return "";
  if (typeof x === "number") return Object.is(x, -0) ? "-0" : String(x);
  if (typeof x !== "object" || x === null) return typeof x === "function" ? `#${identityOf(x)}` : `${typeof x}:${String(x)}`;
  if (Array.isArray(x)) return `[${x.map(encode)}]`;
  if (ArrayBuffer.isView(x)) return encodeData(x as unknown as ArrayLike<number> & object);
  if (Object.getPrototypeOf(x) !== Object.prototype) return `#${identityOf(x)}`;
  const entries = Object.entries(x).filter(([, value]) => value !== undefined);
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([name, value]) => `${name}:${encode(value)}`)}}`;
}

function encodeData(data: ArrayLike<number> & object): string {
  return data.length > SMALL ? `#${identityOf(data)}` : `${data.constructor.name}(${Array.from(data, encode)})`;
}
