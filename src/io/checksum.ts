import { nodeModule } from "../core/host.ts";

/** SHA-256 of parts as if they were one, as 64 hexadecimal digits (FIPS 180-4), by the platform's own implementation: Node and browsers (secure contexts). */
export async function sha256(...parts: readonly Uint8Array[]): Promise<string> {
  // Node's takes parts as they come and copies none.
  const node = nodeModule("node:crypto")?.createHash?.("sha256");
  if (node) {
    for (const part of parts) for (let at = 0; at < part.length; at += 2 ** 30) node.update(part.subarray(at, at + 2 ** 30));
    return node.digest("hex");
  }
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  const digest = await crypto.subtle.digest("SHA-256", all);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
