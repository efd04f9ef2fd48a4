import { type ErrorDetails, GradusError } from "../core/errors.ts";

/** Runs f; an error of it names the file. */
export function naming<T>(path: string, f: () => T): T {
  try {
    return f();
  } catch (error) {
    if (!(error instanceof GradusError) || error.what.includes(path)) throw error;
    const Same = error.constructor as new (what: string, details: ErrorDetails) => GradusError;
    throw new Same(`${path}: ${error.what}`, { why: error.why, help: error.help, site: error.site, cause: error });
  }
}
