/** LoopIR → C: one translation unit without headers, in GCC's and Clang's vector extensions. */
import type { DType } from "../core/dtype.ts";
import type { Int, IntLocal, Lane, LoopFunction, LoopModule, Statement, Vec, VecBinary, VecCompare, VecLocal } from "../kernel/loop.ts";
import { isIntLocal } from "../kernel/loop.ts";
import type { Code } from "../kernel/program.ts";
import { Prelude } from "./c-prelude.ts";

/**
 * The C text of kernels. Each has one exported function
 * `void NAME(char *heap, const int *arguments, long begin, long end, int thread)`.
 */
export function renderC(codes: Code | readonly Code[], nameOf: (code: Code) => string = () => "kernel"): string {
  const prelude = new Prelude();
  const list = "module" in codes ? [codes] : codes;
  const bodies = list.map((code) => new ModulePrinter(prelude, code.module, nameOf(code)).print());
  return `${prelude.text}\n${bodies.join("\n")}`;
}

/** The text of one kernel alone, without the types and functions that all of them share: for reading. */
export const kernelC = (code: Code): string => new ModulePrinter(new Prelude(), code.module, "kernel").print();

/** The type of a vector expression. */
const laneOf = (v: Vec): Lane => v.lane;

/** Masks compare as unsigned numbers: true is greater than false. */
const compared = (v: Vec, printed: string, type: (element: "u32" | "u64") => string): string => {
  const lane = laneOf(v);
  if (lane === "mask32") return `(${type("u32")})${printed}`;
  return lane === "mask64" ? `(${type("u64")})${printed}` : printed;
};

const maskLike = (lane: Lane): "mask32" | "mask64" => (lane === "f64" || lane === "mask64" ? "mask64" : "mask32");

const COMPARE = { eq: "==", ne: "!=", lt: "<", le: "<=" } satisfies Record<VecCompare, string>;

type Integer = Exclude<Extract<Int, { op: string }>["op"], "argument" | "word" | "lane">;
const INTEGER = {
  add: (a, b) => `(${a} + ${b})`,
  sub: (a, b) => `(${a} - ${b})`,
  mul: (a, b) => `(${a} * ${b})`,
  // Neither is negative and both fit 32 bits, where division is much faster.
  div: (a, b) => `(long)((unsigned)${a} / (unsigned)${b})`,
  rem: (a, b) => `(long)((unsigned)${a} % (unsigned)${b})`,
  min: (a, b) => `min_long(${a}, ${b})`,
  and: (a, b) => `(${a} & ${b})`,
  lt: (a, b) => `(long)(${a} < ${b})`,
  le: (a, b) => `(long)(${a} <= ${b})`,
  eq: (a, b) => `(long)(${a} == ${b})`,
} satisfies Record<Integer, (a: string, b: string) => string>;

const OPERATOR = { add: "+", sub: "-", mul: "*", div: "/", and: "&", or: "|", xor: "^" } as const;

const natural = (dtype: DType, asked: Lane): Lane => {
  const lanes = {
    float32: "f32",
    float64: "f64",
    int32: "i32",
    uint32: "u32",
    uint8: "u32",
    bool: asked === "mask64" ? "mask64" : "mask32",
  } as const;
  return lanes[dtype];
};

/** Helpers with a loop stay functions of their own: registers are allotted to them alone, and they are compiled once. */
const loops = (body: readonly Statement[]): boolean =>
  body.some((s) => s.do === "for" || (s.do === "if" && (loops(s.then) || loops(s.else ?? []))));

class ModulePrinter {
  private readonly prelude: Prelude;
  private readonly module: LoopModule;
  private readonly name: string;

  constructor(prelude: Prelude, module: LoopModule, name: string) {
    this.prelude = prelude;
    this.module = module;
    this.name = name;
  }

  print(): string {
    const helpers = this.module.helpers.map((f) => this.helper(f));
    return [...helpers.map((h) => `${h.head};\n`), ...helpers.map((h) => `${h.head} {\n${h.body}}\n`), this.entry()].join("");
  }

  private function(f: LoopFunction): FunctionPrinter {
    return new FunctionPrinter(this.prelude, this.module.lanes, (helper) => `${this.name}_${clean(helper)}`, f.parameters);
  }

  private helper(f: LoopFunction): { head: string; body: string } {
    const printer = this.function(f);
    const inline = loops(f.body) ? "noinline" : "always_inline";
    const parameters = f.parameters.map((p) => `, long ${printer.intLocal(p)}`).join("");
    const head = `static ${inline === "noinline" ? "" : "inline "}__attribute__((${inline})) void ${this.name}_${clean(f.name)}(char *restrict heap, const int *restrict arguments${parameters})`;
    return { head, body: printer.body(f.body) };
  }

  private entry(): string {
    const f = this.module.entry;
    const printer = this.function(f);
    const given = ["(const char *)arguments - heap", "begin", "end", "thread"];
    const parameters = f.parameters.map((p, i) => `  long ${printer.intLocal(p)} = ${given[i]};\n`).join("");
    const head = `void ${this.name}(char *restrict heap, const int *restrict arguments, long begin, long end, int thread)`;
    return `${head} {\n${parameters}${printer.body(f.body)}}\n`;
  }
}

const clean = (name: string): string => name.replace(/\W/g, "_");

class FunctionPrinter {
  private readonly prelude: Prelude;
  private readonly lanes: number;
  private readonly helperName: (name: string) => string;
  private readonly parameters: ReadonlySet<string>;
  private readonly ints = new Map<string, string>();
  private readonly vectors = new Map<string, { name: string; lane: Lane }>();

  constructor(prelude: Prelude, lanes: number, helperName: (name: string) => string, parameters: readonly IntLocal[]) {
    this.prelude = prelude;
    this.lanes = lanes;
    this.helperName = helperName;
    this.parameters = new Set(parameters.map((p) => p.name));
  }

  /** Statements, and in front of them every local they use: they live as long as the function, as in the IR. */
  body(statements: readonly Statement[]): string {
    const text = this.block(statements, "  ");
    const ints = [...this.ints].filter(([name]) => !this.parameters.has(name)).map(([, c]) => `${c} = 0`);
    const declared = ints.length ? `  long ${ints.join(", ")};\n` : "";
    const vectors = [...this.vectors.values()].map(({ name, lane }) => `  ${this.register(lane)} ${name} = {0};\n`);
    return declared + vectors.join("") + text;
  }

  intLocal({ name }: IntLocal): string {
    let c = this.ints.get(name);
    if (!c) this.ints.set(name, (c = `i_${clean(name)}`));
    return c;
  }

  private vecLocal({ name, lane }: VecLocal): string {
    const key = `${name}:${lane}`;
    let known = this.vectors.get(key);
    if (!known) this.vectors.set(key, (known = { name: `${lane}_${clean(name)}`, lane }));
    return known.name;
  }

  private register(lane: Lane): string {
    return this.prelude.register(lane, this.lanes);
  }

  private block(statements: readonly Statement[], indent: string): string {
    return statements.map((s) => this.statement(s, indent)).join("");
  }

  private statement(s: Statement, indent: string): string {
    const inner = (body: readonly Statement[]): string => `{\n${this.block(body, indent + "  ")}${indent}}`;
    switch (s.do) {
      case "int":
        return `${indent}${this.intLocal(s.local)} = ${this.int(s.value)};\n`;
      case "vec":
        return `${indent}${this.vecLocal(s.local)} = ${this.vec(s.value)};\n`;
      case "store":
        return `${indent}${this.store(s)};\n`;
      case "word":
        return `${indent}*(${this.prelude.word("i32")} *)${this.address(s.at)} = ${this.int(s.value)};\n`;
      case "for":
        return this.loop(s, indent);
      case "if":
        return `${indent}if (${this.int(s.test)}) ${inner(s.then)}${s.else?.length ? ` else ${inner(s.else)}` : ""}\n`;
      case "call":
        return `${indent}${this.helperName(s.name)}(${["heap", "arguments", ...s.arguments.map((a) => this.int(a))].join(", ")});\n`;
      case "report":
        return `${indent}${this.report(s)};\n`;
    }
  }

  /** The bounds are computed once, in front: a load among them could not leave the loop past its stores. */
  private loop({ local, from, to, step, body }: Extract<Statement, { do: "for" }>, indent: string): string {
    const i = this.intLocal(local);
    const depth = indent.length / 2;
    const fixed: string[] = [];
    const once = (x: Int, name: string): string => {
      if (typeof x === "number" || isIntLocal(x)) return this.int(x);
      fixed.push(`${name}${depth} = ${this.int(x)}`);
      return `${name}${depth}`;
    };
    const limit = once(to, "to");
    const stride = once(step, "step");
    const start = this.int(from);
    const inner = this.block(body, fixed.length ? indent + "    " : indent + "  ");
    const head = `for (${i} = ${start}; ${i} < ${limit}; ${i} += ${stride}) {\n${inner}`;
    if (!fixed.length) return `${indent}${head}${indent}}\n`;
    return `${indent}{\n${indent}  const long ${fixed.join(", ")};\n${indent}  ${head}${indent}  }\n${indent}}\n`;
  }

  private int(x: Int): string {
    if (typeof x === "number") return x < 0 ? `(${x}L)` : `${x}L`;
    if (isIntLocal(x)) return this.intLocal(x);
    switch (x.op) {
      case "argument":
        return x.as === "address" ? `(long)(unsigned)arguments[${x.i}]` : `(long)arguments[${x.i}]`;
      case "word":
        return `(long)*(const ${this.prelude.word("i32")} *)${this.address(x.at)}`;
      case "lane":
        return `(long)(${this.vec(x.of)})[${x.lane}]`;
      default:
        return INTEGER[x.op](this.int(x.a), this.int(x.b));
    }
  }

  private address(at: Int): string {
    return `(heap + ${this.int(at)})`;
  }

  private vec(v: Vec): string {
    if ("kind" in v) return this.vecLocal(v);
    const arg = (i: number): string => this.vec((v as { args: readonly Vec[] }).args[i]!);
    const p = this.prelude;
    switch (v.op) {
      case "splat":
        return this.splat(v.value, v.lane);
      case "splatInt":
        return `${p.splat("i32", this.lanes)}((int)${this.int(v.value)})`;
      case "ramp":
        return `${p.ramp(this.lanes)}((int)${this.int(v.value)})`;
      case "load":
      case "gather":
        return this.load(v);
      case "neg":
      case "not":
        return `(${v.op === "neg" ? "-" : "~"}${arg(0)})`;
      case "abs":
      case "sqrt":
      case "floor":
      case "ceil":
      case "trunc":
      case "nearest":
        return `${p.unary(v.op, v.lane, this.lanes)}(${arg(0)})`;
      case "add":
      case "sub":
      case "mul":
      case "and":
      case "or":
      case "xor":
      case "div":
      case "pmin":
      case "pmax":
      case "floordiv":
      case "mod":
        return this.binary(v.op, v.lane, arg(0), arg(1));
      case "shl":
        return v.by < 32 ? `(${arg(0)} << ${v.by})` : this.splat(0, v.lane);
      case "shr":
        if (v.by >= 32) return this.splat(0, v.lane);
        return `(${this.register(v.lane)})((${p.type("u32", this.lanes)})${arg(0)} >> ${v.by})`;
      case "fma":
        return `${p.fma(v.lane, this.lanes)}(${arg(0)}, ${arg(1)}, ${arg(2)})`;
      case "eq":
      case "ne":
      case "lt":
      case "le": {
        const [a, b] = v.args.map((x) => compared(x, this.vec(x), (e) => p.type(e, this.lanes)));
        const own = maskLike(laneOf(v.args[0]));
        return this.converted(own, `(${this.register(own)})(${a} ${COMPARE[v.op]} ${b})`, v.lane);
      }
      case "select":
        return `${p.select(v.lane, this.lanes)}(${this.convert(v.args[0], arg(0), maskLike(v.lane))}, ${arg(1)}, ${arg(2)})`;
      case "convert":
        return this.convert(v.args[0], arg(0), v.lane);
      case "bitcast":
        return `((${this.register(v.lane)})${arg(0)})`;
      case "pair":
        return `${p.pair(this.lanes)}(${arg(0)}, ${arg(1)})`;
      case "low":
      case "high":
        return `${p.part(v.op, this.lanes)}(${arg(0)})`;
      case "shuffle":
        return `SHUFFLE(${arg(0)}, ${arg(1)}, ${p.shuffleIndex(v.lane, this.lanes)}, ${v.pick.join(", ")})`;
      case "across":
        return `${p.across(v.combine, v.lane, this.lanes)}(${arg(0)})`;
    }
  }

  private binary(op: VecBinary, lane: Lane, a: string, b: string): string {
    const float = lane === "f32" || lane === "f64";
    switch (op) {
      case "pmin":
      case "pmax":
      case "floordiv":
      case "mod":
        return `${this.prelude.binary(op, lane, this.lanes)}(${a}, ${b})`;
      case "div":
        return float ? `(${a} / ${b})` : `${this.prelude.binary("floordiv", lane, this.lanes)}(${a}, ${b})`;
      default:
        return `(${a} ${OPERATOR[op]} ${b})`;
    }
  }

  private splat(value: number, lane: Lane): string {
    if (Object.is(value, 0)) return `(${this.register(lane)}){0}`;
    const element = ({ mask32: "i32", mask64: "i64" } as const)[lane as "mask32" | "mask64"] ?? (lane as "f32");
    return `${this.prelude.splat(element, this.lanes)}(${literal(value, lane)})`;
  }

  private convert(from: Vec, printed: string, to: Lane): string {
    return this.converted(laneOf(from), printed, to);
  }
  private converted(from: Lane, printed: string, to: Lane): string {
    return from === to ? printed : `${this.prelude.convert(from, to, this.lanes)}(${printed})`;
  }

  private load(v: Extract<Vec, { op: "load" | "gather" }>): string {
    const form = v.op === "gather" ? "gather" : v.form;
    const read = this.prelude.load(v.dtype, form, this.lanes);
    const more =
      v.op === "gather"
        ? `, (${this.prelude.type("i32", this.lanes)})${this.vec(v.index)}, ${this.int(v.step)}`
        : v.form === "strided"
          ? `, ${this.int(v.step)}`
          : "";
    const raw = `${read}(${this.address(v.at)}${more})`;
    const lane = natural(v.dtype, v.lane);
    const value = v.dtype === "uint8" || v.dtype === "bool" ? `${this.prelude.widen(v.dtype, lane, this.lanes)}(${raw})` : raw;
    return this.converted(lane, value, v.lane);
  }

  private store(s: Extract<Statement, { do: "store" }>): string {
    const lane = natural(s.dtype, s.value.lane);
    const value = this.convert(s.value, this.vec(s.value), lane);
    const raw = s.dtype === "uint8" || s.dtype === "bool" ? `${this.prelude.narrow(s.dtype, lane, this.lanes)}(${value})` : value;
    const more = [s.form === "strided" ? this.int(s.step) : "", s.form === "strided" || s.form === "partial" ? this.int(s.count) : ""];
    return `${this.prelude.store(s.dtype, s.form, this.lanes)}(${[this.address(s.at), raw, ...more.filter(Boolean)].join(", ")})`;
  }

  private report(s: Extract<Statement, { do: "report" }>): string {
    const signed = (v: Vec): string => `(${this.prelude.type("i32", this.lanes)})${this.vec(v)}`;
    const cell = `(unsigned long long *)${this.address(s.cell)}`;
    const bad = this.convert(s.bad, this.vec(s.bad), "mask32");
    return `${this.prelude.report(this.lanes)}(${cell}, ${bad}, ${signed(s.position)}, ${signed(s.value)}, ${this.int(s.count)})`;
  }
}

const FLOATS = { f32: { round: Math.fround, suffix: "f" }, f64: { round: (x: number) => x, suffix: "" } };

/** A C literal of exactly this value, as this lane type holds it. */
function literal(value: number, lane: Lane): string {
  switch (lane) {
    case "f32":
    case "f64": {
      const { round, suffix } = FLOATS[lane];
      const x = round(value);
      if (Number.isNaN(x)) return `__builtin_nan${suffix}("")`;
      if (!Number.isFinite(x)) return `${x < 0 ? "-" : ""}__builtin_inf${suffix}()`;
      const digits = Object.is(x, -0) ? "-0" : String(x);
      return `${/[.e]/.test(digits) ? digits : digits + ".0"}${suffix}`;
    }
    case "i32":
      return (value | 0) === -2147483648 ? "(-2147483647 - 1)" : `${value | 0}`;
    case "u32":
      return `${value >>> 0}u`;
    case "mask32":
    case "mask64":
      return value !== 0 ? "-1" : "0";
  }
}
