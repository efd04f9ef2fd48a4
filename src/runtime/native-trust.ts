/**
 * Who could have put something at a path. What is loaded as code must stand where only this user and root can write: every folder
 * on the way belongs to one of them and can be written by nobody else, so that what was checked cannot be exchanged afterwards.
 */
import type { Stats } from "node:fs";
import { node } from "./node.ts";

const WRITABLE_BY_OTHERS = 0o022;
/** In such a folder everybody may make files, but not remove or rename those of others: /tmp. */
const STICKY = 0o1000;
const MOST_LINKS = 40;
/** Longest file that is read, in bytes. */
const MOST_BYTES = 2 ** 27;

export interface FolderOptions {
  /** Whether folders that are missing are made, for this user alone. */
  readonly make?: boolean;
  /** Whether the last one may be a folder like /tmp. */
  readonly sticky?: boolean;
}

/**
 * Why a folder is not to be trusted, if so. Links are followed as the system does, where they belong to this user or root.
 * Throws the system's error where it cannot be reached or made.
 */
export function faultOfFolder(path: string, { make = false, sticky = false }: FolderOptions = {}): string | undefined {
  if (!node.path.isAbsolute(path)) return `${JSON.stringify(path)} is no absolute path`;
  const ahead = partsOf(node.path.resolve(path));
  let place = "/";
  let links = 0;
  let fault = faultOfOne(place, node.fs.lstatSync(place), sticky || ahead.length > 0);
  while (fault === undefined && ahead.length > 0) {
    const name = ahead.shift()!;
    const next = node.path.join(place, name);
    const state = stateOf(next, make);
    if (state.isSymbolicLink() && isOwn(state)) {
      if (++links > MOST_LINKS) return `${path} goes through too many links`;
      const target = node.fs.readlinkSync(next);
      if (node.path.isAbsolute(target)) place = "/";
      ahead.unshift(...partsOf(target));
    } else {
      fault = faultOfOne(next, state, sticky || ahead.length > 0);
      place = next;
    }
  }
  return fault;
}

/** `.` and `..` stay: what they mean behind a link depends on where that leads. */
const partsOf = (path: string): string[] => path.split("/").filter((part) => part !== "");

function stateOf(path: string, make: boolean): Stats {
  try {
    return node.fs.lstatSync(path);
  } catch (error) {
    if (!make || (error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  node.fs.mkdirSync(path, { recursive: true, mode: 0o700 });
  return node.fs.lstatSync(path);
}

const isOwn = ({ uid }: Stats): boolean => uid === 0 || uid === process.geteuid?.();

function faultOfOne(path: string, state: Stats, sticky: boolean): string | undefined {
  if (!isOwn(state)) return `${path} belongs to another user (${state.uid})`;
  if (!state.isDirectory()) return `${path} is no folder`;
  if ((state.mode & WRITABLE_BY_OTHERS) !== 0 && !(sticky && state.mode & STICKY)) return `${path} can be written by other users`;
  return undefined;
}

/** A file's bytes with what is known of it, or why it is not read. */
export type Read = { readonly bytes: Buffer; readonly modified: number } | { readonly fault: string; readonly foreign: boolean };

/** The bytes of a regular file of this user or root that nobody else can write; undefined where there is none. What is checked is what is read. */
export function readTrusted(path: string): Read | undefined {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = node.fs.constants;
  let file: number;
  try {
    file = node.fs.openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return undefined;
    // A link where a file should be (ELOOP), or a file that only somebody else may read.
    return { fault: code === "ELOOP" ? `${path} is a link` : message, foreign: code === "ELOOP" || code === "EACCES" };
  }
  try {
    const state = node.fs.fstatSync(file);
    if (!isOwn(state)) return { fault: `${path} belongs to another user (${state.uid})`, foreign: true };
    if (!state.isFile()) return { fault: `${path} is no file`, foreign: false };
    if (state.mode & WRITABLE_BY_OTHERS) return { fault: `${path} can be written by other users`, foreign: true };
    if (state.size > MOST_BYTES) return { fault: `${path} is too long`, foreign: false };
    return { bytes: readAll(file, state.size), modified: state.mtimeMs };
  } catch (error) {
    return { fault: (error as Error).message, foreign: false };
  } finally {
    node.fs.closeSync(file);
  }
}

function readAll(file: number, size: number): Buffer {
  const bytes = Buffer.alloc(size);
  let at = 0;
  for (let read = -1; read !== 0 && at < size; at += read) read = node.fs.readSync(file, bytes, at, size - at, at);
  return bytes.subarray(0, at);
}
