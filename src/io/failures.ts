/** What the file system's error codes mean to a person. */
import { ArgumentError, GradusError } from "../core/errors.ts";

export const codeOf = (error: unknown): string => String((error as { code?: unknown } | null)?.code ?? "");

const REASONS: Record<string, readonly [reason: string, help: string]> = {
  ENOSPC: ["the disk is full", "free some space, or write elsewhere with --out"],
  EDQUOT: ["the disk quota is used up", "free some space, or write elsewhere with --out"],
  EFBIG: ["files may not become that large here", "raise the limit (ulimit -f), or write elsewhere with --out"],
  EACCES: ["no permission", "choose a folder you may write to with --out"],
  EPERM: ["not permitted", "choose a folder you may write to with --out"],
  EROFS: ["the file system is read-only", "choose another folder with --out"],
  EIO: ["the disk reported an error", "check the disk; the file was not replaced"],
  ENOENT: ["the folder does not exist", "create it first"],
  ENOTDIR: ["a part of the path is a file", "choose another path"],
  EEXIST: ["something of that name is there already", "choose another path"],
  EISDIR: ["it is a folder", "choose another path"],
  ELOOP: ["links lead in a circle", "choose another path"],
  ENAMETOOLONG: ["the name is too long", "choose a shorter one"],
  EMFILE: ["too many files are open", "close some, or raise the limit (ulimit -n)"],
};

/** "the disk is full" for ENOSPC; the system's own words for a code that is not in the list. */
export const reason = (error: unknown): string =>
  REASONS[codeOf(error)]?.[0] ?? (error instanceof GradusError ? error.what : error instanceof Error ? error.message : String(error));

/** A write that failed, in words: "cannot write runs/a/run.json: the disk is full". */
export const cannot = (what: string, cause: unknown, why?: string): ArgumentError =>
  new ArgumentError(`cannot ${what}: ${reason(cause)}`, { why, help: REASONS[codeOf(cause)]?.[1], cause });

/** Where warnings go unless somebody takes them. */
export { warn as toConsole } from "../core/warn.ts";
