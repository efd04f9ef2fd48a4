/** Characters that steer a terminal, or hide or reorder what stands beside them: controls but tab and line feed, and the marks of bidirectional text. */
const STEERING = /(?![\t\n])[\p{Cc}\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/gu;

/** Text from a file or a name as a person may see it: what would steer the terminal is written as an escape, `\u001b`. */
export const visible = (text: string): string =>
  text.replace(STEERING, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
