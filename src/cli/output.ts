import pc from "picocolors";
import { visible } from "../core/visible.ts";
import { wrap } from "./layout.ts";

/** Where a command writes: answers go to `out`, all else (errors, warnings) to `err`. */
export interface Output {
  readonly json: boolean;
  /** True if a person watches: a bar can be drawn over itself. */
  readonly live: boolean;
  /** Of the terminal; infinite where there is none, so that a line of a pipe stays one line. */
  readonly columns: number;
  readonly colour: Colours;
  /** A line for a person; nothing with --json. */
  line(text?: string): void;
  /** A line for a machine; nothing without --json. */
  event(event: string, fields: Readonly<Record<string, unknown>>): void;
  /** Overwrites the present line; only where `live`. */
  redraw(text: string): void;
  warn(text: string): void;
}

export type Colours = ReturnType<typeof pc.createColors>;

// biome-ignore lint/suspicious/noControlCharactersInRegex: terminal colours begin with the escape character
const OWN_COLOURS = /(\x1b\[(?:1|2|22|36|39)m)/;

/** Text for a terminal: our own colours stay, all else that would steer it is written as an escape. */
const onTerminal = (text: string): string =>
  text
    .split(OWN_COLOURS)
    .map((part, i) => (i % 2 === 1 ? part : visible(part)))
    .join("");

/** Lines of a message for standard error, within the terminal's width. */
export function message(text: string): string {
  const columns = process.stderr.columns ?? Number.POSITIVE_INFINITY;
  const lines = visible(text).trimEnd().split("\n");
  return `${lines.map((line) => wrap(line, columns, `${/^ */.exec(line)![0]}  `)).join("\n")}\n`;
}

/** Standard output and error. Colours only on a terminal, and never with NO_COLOR (https://no-color.org). */
export function standardOutput(json: boolean): Output {
  const { stdout, stderr } = process;
  const plain = process.env.NO_COLOR !== undefined && process.env.NO_COLOR !== "";
  const live = !json && stdout.isTTY === true && process.env.TERM !== "dumb";
  const colours = live && !plain;
  let drawn = false;
  const clear = (): void => {
    if (drawn) stdout.write("\r\x1b[2K");
    drawn = false;
  };
  return {
    json,
    live,
    get columns() {
      return stdout.columns ?? Number.POSITIVE_INFINITY;
    },
    colour: pc.createColors(colours),
    line: (text = "") => {
      if (json) return;
      clear();
      stdout.write(`${colours ? onTerminal(text) : visible(text)}\n`);
    },
    event: (event, fields) => {
      // JSON leaves some characters that steer terminals as they are; as escapes they mean the same.
      if (json) stdout.write(`${visible(JSON.stringify({ event, ...fields }))}\n`);
    },
    redraw: (text) => {
      if (!live) return;
      stdout.write(`\r\x1b[2K${onTerminal(text)}`);
      drawn = true;
    },
    warn: (text) => {
      clear();
      stderr.write(message(text));
    },
  };
}

const BARS = "▁▂▃▄▅▆▇█";

/** Numbers as a row of bars, at most `width`; each bar is the mean of its share. */
export function sparkline(values: readonly number[], width = 60): string {
  const good = values.filter(Number.isFinite);
  if (good.length === 0) return "";
  const count = Math.min(width, good.length);
  const means = Array.from({ length: count }, (_, i) => {
    const part = good.slice(Math.floor((i * good.length) / count), Math.floor(((i + 1) * good.length) / count));
    return part.reduce((a, b) => a + b, 0) / part.length;
  });
  const [low, high] = [Math.min(...means), Math.max(...means)];
  return means.map((v) => BARS[Math.round(((v - low) / (high - low || 1)) * (BARS.length - 1))]).join("");
}

/** 0.0234 → "23 ms", 9.2 → "9.2 s", 83 → "1:23 min", 3723 → "1:02:03 h". */
export const duration = (seconds: number): string =>
  seconds < 0.0995
    ? `${Math.round(1000 * seconds)} ms`
    : seconds < 60
      ? `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`
      : `${clock(seconds)} ${seconds < 3600 ? "min" : "h"}`;

/** 83 → "1:23", 3723 → "1:02:03". */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (n: number): string => String(n).padStart(2, "0");
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** 0.9815 of accuracy → "accuracy 98.15 %"; others to four digits. */
export function showScore(name: string, value: number): string {
  if (/accuracy/i.test(name)) return `${name} ${(100 * value).toFixed(2)} %`;
  return `${name} ${Number.isInteger(value) || !Number.isFinite(value) ? value : value.toPrecision(4)}`;
}

/** "loss 0.0712, accuracy 98.15 %, error 1.85 %". */
export function showScores(scores: Readonly<Record<string, number>>): string {
  const error = scores.accuracy === undefined ? "" : `, error ${(100 * (1 - scores.accuracy)).toFixed(2)} %`;
  return showAll(scores) + error;
}

/** "loss 0.0712, accuracy 98.15 %". */
export const showAll = (scores: Readonly<Record<string, number>>): string =>
  Object.entries(scores)
    .map(([name, value]) => showScore(name, value))
    .join(", ");

export const thousands = (n: number): string => Math.round(n).toLocaleString("en-US");
