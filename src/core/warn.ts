/** Warnings on the console. */
import { visible } from "./visible.ts";

const said = new Set<string>();

/** Says a warning on the console. Paths in it may be a stranger's: nothing in them steers the terminal. */
export const warn = (text: string): void => console.warn(`gradus: ${visible(text)}`);

/** Says a warning, and no other about the same subject after it. */
export function warnOnce(subject: string, text: string): void {
  if (said.has(subject)) return;
  said.add(subject);
  warn(text);
}
