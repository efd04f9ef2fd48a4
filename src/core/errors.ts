import { visible } from "./visible.ts";

/** The line of the user's program that built something; formatted only when somebody looks. */
export interface Site {
  /** "train.ts:14", or "" where it cannot be told. */
  toString(): string;
}

/**
 * Every error a user can cause: what is wrong, why, and what to do.
 *
 * @example
 * throw new ShapeError("matmul: inner sizes differ: [8, 784] × [10, 784]", {
 *   why: "the last axis of a (784) must equal the first of b (10)",
 *   help: "a.matmul(b.transpose()) gives [8, 10]",
 * });
 */
export class GradusError extends Error {
  // Said in each class, since a minifier renames classes.
  override readonly name: string = "GradusError";
  readonly what: string;
  readonly why: string | undefined;
  readonly help: string | undefined;
  readonly site: Site | undefined;

  constructor(what: string, details: ErrorDetails = {}) {
    super(layOut(what, details), details.cause === undefined ? undefined : { cause: details.cause });
    this.what = what;
    this.why = details.why;
    this.help = details.help;
    this.site = details.site;
  }

  /** The same error, with the user's line where it has none yet. */
  at(site: Site | undefined): this {
    return this.site || !site ? this : this.with(this.what, site);
  }

  /** The same error in other words. */
  with(what: string, site = this.site): this {
    if (what === this.what && site === this.site) return this;
    const Same = this.constructor as new (what: string, details: ErrorDetails) => this;
    return new Same(what, { why: this.why, help: this.help, site, cause: this.cause });
  }
}

export interface ErrorDetails {
  readonly why?: string | undefined;
  readonly help?: string | undefined;
  readonly site?: Site | undefined;
  readonly cause?: unknown;
}

function layOut(what: string, { why, help, site }: ErrorDetails): string {
  const where = site?.toString();
  const lines = [where ? `${what}   at ${where}` : what];
  if (why) lines.push(`  why: ${why}`);
  if (help) lines.push(`  help: ${help}`);
  return visible(lines.join("\n"));
}

/** What a user passed, for messages: numbers as JavaScript writes them, the rest as JSON where there is one. Never throws. */
export function show(x: unknown): string {
  if (typeof x === "number") return Object.is(x, -0) ? "-0" : String(x);
  if (typeof x === "bigint") return `${x}n`;
  if (Array.isArray(x) && x.length <= 16 && x.every((item) => typeof item === "number")) return `[${x.map(show).join(", ")}]`;
  try {
    return JSON.stringify(x) ?? String(x);
  } catch {
    return Object.prototype.toString.call(x);
  }
}

/** Shapes, axes or sizes that do not fit. */
export class ShapeError extends GradusError {
  override readonly name = "ShapeError";
}
/** Element types that do not fit. */
export class DTypeError extends GradusError {
  override readonly name = "DTypeError";
}
/** An argument outside what the operation means: a stride of 0, a probability of 2. */
export class ArgumentError extends GradusError {
  override readonly name = "ArgumentError";
}
/** An index outside its axis, found while a program ran. */
export class OutOfRangeError extends GradusError {
  override readonly name = "OutOfRangeError";
}
/** Indices that were checked: what they index, the size of the axis, and whether negative ones count from the end. */
export interface IndexCheck {
  readonly label: string;
  readonly bound: number;
  readonly fromEnd?: boolean | undefined;
}
/** What every target says about an index outside its axis. */
export function outOfRange({ label, bound, fromEnd }: IndexCheck, index: number, site?: Site): OutOfRangeError {
  return new OutOfRangeError(`${label}: index ${index} is outside an axis of size ${bound}`, {
    why:
      bound === 0 ? "the axis is empty" : `indices go from 0 to ${bound - 1}${fromEnd ? `, or from -${bound} counted from the end` : ""}`,
    help: !fromEnd && index < 0 ? "a negative index counts from the end in at() only; losses leave out what ignoreIndex names" : undefined,
    site,
  });
}
/** A matrix that is singular, or not positive definite, where it must not be; found while a program ran. */
export class MatrixError extends GradusError {
  override readonly name = "MatrixError";
}
/** What was asked of matrices: who asked, of which batch of them, and what is wrong with one that does not do. */
export interface MatrixCheck {
  readonly what: "singular" | "indefinite";
  readonly label: string;
  readonly batch: readonly number[];
}
/** What every target says about a matrix without a pivot. `matrix` counts through the batch. */
export function unfitMatrix({ what, label, batch }: MatrixCheck, matrix: number, pivot: number, site?: Site): MatrixError {
  let rest = matrix;
  const at = batch.toReversed().map((size) => {
    const i = rest % size;
    rest = (rest - i) / size;
    return i;
  });
  const which = `${label}: the matrix ${batch.length > 0 ? `at ${show(at.toReversed())} ` : ""}is`;
  if (what === "singular")
    return new MatrixError(`${which} singular`, {
      why: `no row has a pivot for column ${pivot}: the columns up to it depend on each other`,
      help: "a small multiple of the identity added to a matrix makes it regular: a.add(eye(n).mul(1e-3))",
      site,
    });
  return new MatrixError(`${which} not positive definite`, {
    why: `its leading part of size ${pivot + 1} has a determinant that is not above 0`,
    help: "a small multiple of the identity helps where rounding is to blame: a.add(eye(n).mul(1e-6))",
    site,
  });
}
/** A graph that cannot be differentiated, traced or run as asked. */
export class GraphError extends GradusError {
  override readonly name = "GraphError";
}
/** A loss or gradient that is not a finite number. */
export class NonFiniteError extends GradusError {
  override readonly name = "NonFiniteError";
}
/** More memory than there is. */
export class MemoryError extends GradusError {
  override readonly name = "MemoryError";
}
/** A file that is not what it should be. */
export class FormatError extends GradusError {
  override readonly name: string = "FormatError";
}
/** A device that cannot do what was asked: no compiler, a worker that died. */
export class DeviceError extends GradusError {
  override readonly name = "DeviceError";
}
/** Something that only a mistake in gradus itself can cause. */
export class InternalError extends GradusError {
  constructor(what: string, details: ErrorDetails = {}) {
    super(what, { help: "this is a bug in gradus; please report it with the program that shows it", ...details });
  }
}
