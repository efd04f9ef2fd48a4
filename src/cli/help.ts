import type { Help } from "commander";
import { wrap } from "./layout.ts";

/** Narrower descriptions than this stand below what they describe, not beside it. */
const LEAST = 36;

type Layout = Pick<Help, "boxWrap" | "formatItem" | "styleUsage">;

/** How --help breaks its lines: at any width, never within a number; where there is little room, terms and descriptions below each other. */
export const helpLayout: Layout & { minWidthToWrap: number } = {
  minWidthToWrap: 1,
  boxWrap: (text, width) =>
    text
      .split("\n")
      .map((line) => wrap(line, width))
      .join("\n"),
  styleUsage(this: { helpWidth?: number }, usage) {
    const title = "Usage: ";
    return wrap(title + usage, this.helpWidth ?? 80, "  ").slice(title.length);
  },
  formatItem(this: { helpWidth?: number }, term, termWidth, description, helper) {
    const width = this.helpWidth ?? 80;
    if (!description) return `  ${wrap(term, width - 2, "  ")}`;
    const beside = width - termWidth - 4;
    const [room, indent] = beside >= LEAST ? [beside, termWidth + 4] : [width - 6, 6];
    const lines = helper
      .boxWrap(description, room)
      .split("\n")
      .map((line) => " ".repeat(indent) + line);
    if (beside < LEAST) return [`  ${term}`, ...lines].join("\n");
    return [`  ${term.padEnd(termWidth)}  ${lines[0]!.trimStart()}`, ...lines.slice(1)].join("\n");
  },
};
