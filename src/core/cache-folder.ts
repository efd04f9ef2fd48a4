import { environment, needModule } from "./host.ts";

type Variables = Readonly<Record<string, string | undefined>>;

/**
 * Where what can be made or fetched again is kept unless said: GRADUS_CACHE, or gradus/ in XDG_CACHE_HOME or ~/.cache. An XDG_CACHE_HOME or HOME
 * that is not absolute would mean another place in every folder, and is passed over, as the XDG specification says.
 */
export function defaultCacheDirectory(
  variables: Variables = Object.fromEntries(["GRADUS_CACHE", "XDG_CACHE_HOME", "HOME"].map((name) => [name, environment(name)])),
): string {
  if (variables.GRADUS_CACHE) return variables.GRADUS_CACHE;
  const { isAbsolute, join } = needModule("node:path");
  const { XDG_CACHE_HOME = "" } = variables;
  return join(isAbsolute(XDG_CACHE_HOME) ? XDG_CACHE_HOME : join(homeOf(variables), ".cache"), "gradus");
}

function homeOf({ HOME = "" }: Variables): string {
  if (needModule("node:path").isAbsolute(HOME)) return HOME;
  try {
    return needModule("node:os").userInfo().homedir;
  } catch {
    // A user that the system has no entry for.
    return "";
  }
}
