/** Keeps the cache of compiled kernels small: what was not used for long goes, then the oldest beyond its size, and what killed processes left. */
import { node } from "./node.ts";

export interface SweepLimits {
  readonly bytes: number;
  /** Days without use. */
  readonly days: number;
  /** Hours after which work in progress is taken for left behind. */
  readonly hours: number;
}

const LIMITS: SweepLimits = { bytes: 2 ** 28, days: 90, hours: 6 };
const HOUR = 3_600_000;

/** Names the cache gives, now or in earlier versions; anything else in the folder is not ours. */
const ENTRY = /^(gradus_[0-9a-f]{40}\.so|shim_[0-9a-f]{40}\.node|(compiler|vectors)-[0-9a-f]{32}\.json)$/;
const IN_PROGRESS = /^(\.work-\w+|\.(gradus_|shim_|compiler-|vectors-)[0-9a-f]+\.\w+\..*|compiler-[0-9a-f]{32}\.json\.\d+)$/;

/** One file and all its names in the cache. */
interface Kept {
  readonly names: string[];
  readonly bytes: number;
  readonly used: number;
}

/** Removes entries of a folder until it is within its limits. Other processes may use, add and remove entries meanwhile: what they have loaded stays loaded. */
export function sweep(directory: string, limits: Partial<SweepLimits> = {}): void {
  const { bytes: most, days, hours } = { ...LIMITS, ...limits };
  const now = Date.now();
  const files = new Map<number, Kept>();
  for (const name of node.fs.readdirSync(directory)) {
    const path = node.path.join(directory, name);
    const state = node.fs.lstatSync(path, { throwIfNoEntry: false });
    if (!state) continue;
    if (IN_PROGRESS.test(name) && now - state.mtimeMs > hours * HOUR) remove(path);
    if (!ENTRY.test(name) || !state.isFile()) continue;
    const file = files.get(state.ino) ?? { names: [], bytes: state.size, used: state.mtimeMs };
    file.names.push(path);
    files.set(state.ino, file);
  }
  let left = most;
  for (const { names, bytes, used } of [...files.values()].sort((a, b) => b.used - a.used)) {
    left -= bytes;
    if (left < 0 || now - used > days * 24 * HOUR) names.forEach(remove);
  }
}

function remove(path: string): void {
  try {
    node.fs.rmSync(path, { recursive: true, force: true });
  } catch {
    // Next time.
  }
}
