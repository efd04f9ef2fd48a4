/** Programs and loops as text a person can read. */
import { type Int, isIntLocal, type LoopModule, type Statement, type Vec } from "./loop.ts";
import type { Argument, Buffer, Program, Step } from "./program.ts";

/** The loops of a kernel. */
export function printLoops(module: LoopModule): string {
  const functions = [...module.helpers, module.entry];
  return functions
    .map(
      (f) =>
        `${f.name}(${f.parameters.map((p) => p.name).join(", ")})   ${module.lanes} lanes\n${f.body.map((s) => statement(s, "  ")).join("\n")}`,
    )
    .join("\n\n");
}

function statement(s: Statement, indent: string): string {
  const block = (body: readonly Statement[]): string => body.map((x) => statement(x, `${indent}  `)).join("\n");
  switch (s.do) {
    case "int":
      return `${indent}${s.local.name} = ${int(s.value)}`;
    case "vec":
      return `${indent}${s.local.name} = ${vec(s.value)}`;
    case "store": {
      const count = s.form === "first" ? " first lane" : "count" in s ? ` ${int(s.count)} lanes` : "";
      const step = s.form === "strided" ? ` every ${int(s.step)} bytes` : "";
      return `${indent}${s.dtype}[${int(s.at)}]${step}${count} ← ${vec(s.value)}`;
    }
    case "word":
      return `${indent}word[${int(s.at)}] ← ${int(s.value)}`;
    case "for":
      return `${indent}for ${s.local.name} from ${int(s.from)} to ${int(s.to)} by ${int(s.step)}\n${block(s.body)}`;
    case "if":
      return `${indent}if ${int(s.test)}\n${block(s.then)}${s.else ? `\n${indent}else\n${block(s.else)}` : ""}`;
    case "call":
      return `${indent}${s.name}(${s.arguments.map(int).join(", ")})`;
    case "report":
      return `${indent}report ${vec(s.value)} where ${vec(s.bad)}`;
  }
}

const SIGNS: Record<string, string> = { add: "+", sub: "−", mul: "·", div: "/", lt: "<", le: "≤", eq: "=" };

function int(x: Int): string {
  if (typeof x === "number") return String(x);
  if (isIntLocal(x)) return x.name;
  switch (x.op) {
    case "argument":
      return `argument ${x.i}`;
    case "word":
      return `word[${int(x.at)}]`;
    case "lane":
      return `lane ${x.lane} of ${vec(x.of)}`;
    default:
      return x.op in SIGNS ? `(${int(x.a)} ${SIGNS[x.op]} ${int(x.b)})` : `${x.op}(${int(x.a)}, ${int(x.b)})`;
  }
}

function vec(v: Vec): string {
  if ("kind" in v) return v.name;
  switch (v.op) {
    case "splat":
      return String(v.value);
    case "splatInt":
      return `all ${int(v.value)}`;
    case "ramp":
      return `${int(v.value)} + lane`;
    case "load":
      return v.form === "strided"
        ? `${v.dtype}[${int(v.at)} every ${int(v.step)}]`
        : `${v.form === "splat" ? "all " : ""}${v.dtype}[${int(v.at)}]`;
    case "gather":
      return `${v.dtype}[${int(v.at)} + ${vec(v.index)} · ${int(v.step)}]`;
    case "across":
      return `across ${v.combine} ${vec(v.args[0])}`;
    case "convert":
    case "bitcast":
      return `${v.op} ${v.lane} ${vec(v.args[0])}`;
    case "shl":
    case "shr":
      return `${v.op}(${vec(v.args[0])}, ${v.by})`;
    default:
      return `${v.op}(${v.args.map(vec).join(", ")})`;
  }
}

/** The steps of a program as a table, those of the setup first: what is called, in how many blocks, on which buffers. */
export function printProgram(program: Program): string {
  const argument = (a: Argument): string => (typeof a === "object" && "buffer" in a ? name(program, a.buffer) : "");
  const lines: string[] = [];
  const show = (s: Step, indent: string): void => {
    switch (s.do) {
      case "call": {
        const buffers = [...new Set(s.arguments.map(argument).filter(Boolean))];
        lines.push(
          `${indent}${s.label.padEnd(28 - indent.length)} kernel ${s.code}  ${s.blocks} ${s.blocks === 1 ? "block " : "blocks"}  ${buffers.join(" ")}`,
        );
        break;
      }
      case "section":
      case "loop":
        lines.push(`${indent}${s.do === "loop" ? `loop ${s.times} times${s.reverse ? ", from the last" : ""}` : "one thread:"}`);
        for (const x of s.steps) show(x, `${indent}  `);
        break;
      default:
        lines.push(`${indent}── ${s.do}`);
    }
  };
  if (program.setup) {
    lines.push("when a variable that is read here has changed:");
    for (const s of program.setup.steps) show(s, "  ");
    lines.push("at every run:");
  }
  for (const s of program.steps) show(s, program.setup ? "  " : "");
  return lines.join("\n");
}

/** Scratch buffers with their places in the arena. */
export function printMemory(program: Program): string {
  const scratch = program.buffers.filter((b) => b.place === "scratch" && b.offset !== undefined);
  const separate = scratch.reduce((n, b) => n + b.bytes, 0);
  const rows = scratch
    .toSorted((a, b) => a.offset! - b.offset! || a.id - b.id)
    .map((b) => `${name(program, b.id).padEnd(10)} ${String(b.offset).padStart(12)} ${String(b.bytes).padStart(12)} bytes  ${b.dtype}`);
  const bytesOf = (which: (b: Buffer) => boolean): number => program.buffers.filter(which).reduce((n, b) => n + b.bytes, 0);
  const kept = bytesOf((b) => b.place !== "scratch");
  const setup = program.setup ? `, of them made by the setup: ${bytesOf((b) => b.place === "kept")} bytes` : "";
  return [`scratch: ${program.scratchBytes} bytes (${separate} without sharing), kept: ${kept} bytes${setup}`, ...rows].join("\n");
}

/** What a buffer is called: its name, or the first letter of its place and its number. */
export const bufferName = ({ name, place, id }: Buffer): string => name ?? `${place[0]}${id}`;

const name = (program: Program, id: number): string => bufferName(program.buffers[id]!);
