/** Warnings that a process says once. */

const said = new Set<string>();

/** Says a warning on the console, and no other about the same subject after it. */
export function warnOnce(subject: string, text: string): void {
  if (said.has(subject)) return;
  said.add(subject);
  console.warn(`gradus: ${text}`);
}
