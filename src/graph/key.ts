/** The text that tells a node from all others: equal texts, equal values. */
import type { Body, Value } from "./op.ts";
import { topological } from "./walk.ts";

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

/**
 * Null for nodes that must stay apart: arguments, variables, parameters of bodies and the numbers that programs take as arguments are told apart
 * by those who fill them.
 */
export function keyOf(v: Value): string | null {
  if (v.op.kind === "leaf") {
    const { source } = v.op;
    if (source === "argument" || source === "variable" || source === "bound" || (v.attributes as { lifted?: boolean }).lifted) return null;
    return `${identityOf(v.op)} ${v.dtype} [${v.shape}] ${encode(v.attributes)}`;
  }
  let key = `${identityOf(v.op)}`;
  for (const x of v.inputs) key += `,${x.id}`;
  return `${key} ${encode(v.attributes)}`;
}

const bodyKeys = new WeakMap<Body, string>();

/** A body by its structure: values by their places in it, whatever their ids. */
function keyOfBody(body: Body): string {
  const known = bodyKeys.get(body);
  if (known !== undefined) return known;
  const number = new Map(body.parameters.map((v, i) => [v, `p${i}`]));
  const lines = topological(body.results).flatMap((v) => {
    if (number.has(v)) return [];
    number.set(v, `${number.size}`);
    return [`${identityOf(v.op)} ${v.inputs.map((x) => number.get(x))} ${encode(v.attributes)} ${v.dtype}[${v.shape}]`];
  });
  const types = body.parameters.map((v) => `${v.dtype}[${v.shape}]`);
  const key = `body(${types}){${lines.join(";")}}→${body.results.map((v) => number.get(v))}`;
  bodyKeys.set(body, key);
  return key;
}

const isBody = (x: object): x is Body => "parameters" in x && "results" in x;

/** Attributes as text: equal texts, equal attributes. */
export function encode(x: unknown): string {
  if (x === undefined) return "";
  if (typeof x === "number") return Object.is(x, -0) ? "-0" : String(x);
  if (typeof x !== "object" || x === null) return typeof x === "function" ? `#${identityOf(x)}` : `${typeof x}:${String(x)}`;
  if (Array.isArray(x)) return `[${x.map(encode)}]`;
  if (ArrayBuffer.isView(x)) return encodeData(x as unknown as ArrayLike<number> & object);
  if (isBody(x)) return keyOfBody(x);
  if (Object.getPrototypeOf(x) !== Object.prototype) return `#${identityOf(x)}`;
  const entries = Object.entries(x).filter(([, value]) => value !== undefined);
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([name, value]) => `${name}:${encode(value)}`)}}`;
}

function encodeData(data: ArrayLike<number> & object): string {
  return data.length > SMALL ? `#${identityOf(data)}` : `${data.constructor.name}(${Array.from(data, encode)})`;
}
