import { GradusError, type Site } from "../core/errors.ts";
import { withSite } from "../graph/op.ts";

/** Frames looked at: those of the library above the user's line, and one more. */
const DEPTH = 12;

/** The folders of the library's own code, with which the frames to be skipped begin; as URLs and as paths. */
const OWN = ownFolders(new URL("..", import.meta.url));

/** Where source maps are followed, as tsx does, frames of dist/src/ are told as frames of src/. */
export function ownFolders(here: URL): string[] {
  const sources = new URL(here.href.replace(/\/dist\/src\/$/, "/src/"));
  return [here, sources].flatMap((folder) => [folder.href, decodeURIComponent(folder.pathname)]);
}

/** A captured stack; turned into text only when somebody looks, because that takes a hundred times as long. */
class CapturedSite implements Site {
  private readonly captured: { stack?: string } = {};
  private text: string | undefined;

  constructor(below: () => unknown) {
    const limit = Error.stackTraceLimit;
    Error.stackTraceLimit = DEPTH;
    // Only V8 has it; elsewhere an Error is made, which has the library's own frames first.
    if (Error.captureStackTrace) Error.captureStackTrace(this.captured, below);
    else this.captured = new Error();
    Error.stackTraceLimit = limit;
  }

  toString(): string {
    this.text ??= userLine(this.captured.stack ?? "");
    return this.text;
  }
}

/** "train.ts:14" for the first frame outside the library; "" where there is none. */
export function userLine(stack: string): string {
  for (const frame of stack.split("\n").slice(1)) {
    if (OWN.some((folder) => frame.includes(folder)) || frame.includes("node:internal")) continue;
    const place = /([^/\\()\s]+?):(\d+):\d+\)?$/.exec(frame.trim());
    if (place) return `${place[1]!.replace(/\?.*$/, "")}:${place[2]}`;
  }
  return "";
}

/** The line of the user's program that is calling the library now. */
export function takeSite(): Site {
  return new CapturedSite(takeSite);
}

let inside = false;

/** Graph made by `build`, and errors it throws, belong to the line that called; a call within a call belongs to the outer one's line. */
export function atUserLine<T>(build: () => T): T {
  if (inside) return build();
  const site = takeSite();
  inside = true;
  try {
    return withSite(site, build);
  } catch (error) {
    throw error instanceof GradusError ? error.at(site) : error;
  } finally {
    inside = false;
  }
}

/** Runs a function of the user's from within the library: its lines are its own again. */
export function inUserCode<T>(f: () => T): T {
  const before = inside;
  inside = false;
  try {
    return f();
  } finally {
    inside = before;
  }
}
