/** The lines of the user's program: which one is calling the library, and which one built a value. */
import { GradusError, type Site } from "./errors.ts";

/** Frames looked at: those of the library above the user's line, of which each chain within a chain adds seven, and one more. */
const DEPTH = 40;

/** What is found in frames of the library's own code: its folder or file, as URLs and as paths. */
const OWN = ownPlaces(fileHere());

/** The file this code is in, "" where the host does not tell. A bundle has no `import.meta.url`, but a frame names its file. */
function fileHere(): string {
  const limit = Error.stackTraceLimit;
  limitFrames(1);
  const { stack } = new Error();
  limitFrames(limit);
  return /(?:\bat (?:[^()]*? \()?|^[^@\n]*@)(\S.*?)(?:\?.*)?:\d+:\d+\)?$/m.exec(typeof stack === "string" ? stack : "")?.[1] ?? "";
}

/**
 * The library's folder for a file in it, or the file alone where a bundler has put everything into one. Where source maps are followed,
 * as tsx does, frames of dist/src/ are told as frames of src/.
 */
export function ownPlaces(file: string): string[] {
  const folder = /^(.*\/src\/)(?:core|parts)\/[^/]+$/.exec(file)?.[1];
  if (!folder) return file ? [file] : [];
  const sources = folder.replace(/\/dist\/src\/$/, "/src/");
  // The recipes that come with the library stand beside its sources, and so does the command that starts it.
  const recipes = [folder, sources].map((place) => place.replace(/\/src\/$/, "/recipes/"));
  const command = sources.replace(/\/src\/$/, "/bin/gradus.js");
  return [folder, sources, ...recipes, command].flatMap((place) => {
    if (!place.startsWith("file://")) return [place, `file://${encodeURI(place)}`];
    return [place, decodeURIComponent(place.slice("file://".length))];
  });
}

/** The folder `src/` that this code stands in as files of JavaScript, as a URL; undefined in a bundle, where all is one file, and in the sources. */
export function ownFolder(file = fileHere()): string | undefined {
  const folder = /^(.*\/src\/)(?:core|parts)\/[^/]+\.js$/.exec(file)?.[1];
  return folder?.startsWith("/") ? `file://${encodeURI(folder)}` : folder;
}

function limitFrames(count: number): void {
  try {
    Error.stackTraceLimit = count;
  } catch {
    // Where Error is frozen its limit stays.
  }
}

/** A captured stack; turned into text only when somebody looks, because that takes a hundred times as long. */
class CapturedSite implements Site {
  private readonly captured: { stack?: string } = {};
  private text: string | undefined;

  constructor(below: () => unknown) {
    const limit = Error.stackTraceLimit;
    limitFrames(DEPTH);
    // Only V8 has it; elsewhere an Error is made, which has the library's own frames first.
    if (Error.captureStackTrace) Error.captureStackTrace(this.captured, below);
    else this.captured = new Error();
    limitFrames(limit);
  }

  toString(): string {
    const { stack } = this.captured;
    this.text ??= typeof stack === "string" ? userLine(stack) : "";
    return this.text;
  }
}

/** "train.ts:14" for the first frame outside the library, Node and installed packages; "" where there is none. */
export function userLine(stack: string): string {
  for (const frame of stack.split("\n").slice(1)) {
    if (OWN.some((place) => frame.includes(place)) || /node:internal|[/\\]node_modules[/\\]/.test(frame)) continue;
    const place = /([^/\\()\s]+?):(\d+):\d+\)?$/.exec(frame.trim());
    if (place) return `${place[1]!.replace(/\?.*$/, "")}:${place[2]}`;
  }
  return "";
}

/** The line of the user's program that is calling the library now. */
export function takeSite(): Site {
  return new CapturedSite(takeSite);
}

/** What `f` gives; an error that names no line gets that of the caller. Costs nothing where there is none, unlike `atUserLine`. */
export function siteOnError<T>(f: () => T): T {
  try {
    return f();
  } catch (error) {
    throw error instanceof GradusError && !error.site ? error.with(error.what, takeSite()) : error;
  }
}

let building: Site | undefined;

/** The line that values made now belong to. */
export const currentSite = (): Site | undefined => building;

/** Values made while `build` runs belong to this line of the user's program. */
export function withSite<T>(site: Site | undefined, build: () => T): T {
  const outer = building;
  building = site;
  try {
    return build();
  } finally {
    building = outer;
  }
}

let inside = false;
let caller: string | undefined;

/**
 * Graph made by `build`, and errors it throws, belong to the line that called; a call within a call belongs to the outer one's line. With a name,
 * errors name it instead of the operations that it is made of.
 */
export function atUserLine<T>(build: () => T, name?: string): T {
  if (inside) return build();
  const site = takeSite();
  inside = true;
  caller = name;
  try {
    return withSite(site, build);
  } catch (error) {
    throw error instanceof GradusError ? error.with(name ? error.what.replace(/^\w+(?=: )/, name) : error.what, error.site ?? site) : error;
  } finally {
    inside = false;
    caller = undefined;
  }
}

/** What the user called: the layer or loss that uses `operation`, or the operation itself. */
export const calledAs = (operation: string): string => caller ?? operation;

/** Runs a function of the user's from within the library: its lines are its own again. */
export function inUserCode<T>(f: () => T): T {
  const before = { inside, caller };
  inside = false;
  try {
    return f();
  } finally {
    ({ inside, caller } = before);
  }
}
