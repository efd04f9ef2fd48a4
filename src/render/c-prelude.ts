/**
 * The C vector types and functions that printed kernels use, each written out once per translation unit and only if used.
 *
 * No header is included: `immintrin.h` alone takes longer than a kernel. Types and functions carry their lane count
 * (`f32x8`, `fma_f32x8`), so kernels of different lane counts share a unit. Where the machine's builtin is missing a loop over lanes stands in.
 */
import type { DType } from "../core/dtype.ts";
import type { Lane, VecBinary, VecUnary } from "../kernel/loop.ts";

/** Scalar types in registers and memory. */
export type Element = "f32" | "f64" | "i32" | "u32" | "i64" | "u64" | "i8" | "u8";

const SCALARS = {
  f32: { c: "float", bytes: 4 },
  f64: { c: "double", bytes: 8 },
  i32: { c: "int", bytes: 4 },
  u32: { c: "unsigned", bytes: 4 },
  i64: { c: "long long", bytes: 8 },
  u64: { c: "unsigned long long", bytes: 8 },
  i8: { c: "char", bytes: 1 },
  u8: { c: "unsigned char", bytes: 1 },
} satisfies Record<Element, { c: string; bytes: number }>;

/** What holds a lane: masks are signed integers, 0 or −1. */
const REGISTER = { f32: "f32", f64: "f64", i32: "i32", u32: "u32", mask32: "i32", mask64: "i64" } satisfies Record<Lane, Element>;
const MASK = { f32: "i32", f64: "i64", i32: "i32", u32: "i32", mask32: "i32", mask64: "i64" } satisfies Record<Lane, Element>;
const MEMORY = { float32: "f32", float64: "f64", int32: "i32", uint32: "u32", uint8: "u8", bool: "u8" } satisfies Record<DType, Element>;

const isFloat = (lane: Lane): boolean => lane === "f32" || lane === "f64";
const isMask = (lane: Lane): boolean => lane === "mask32" || lane === "mask64";
const isWide = (lane: Lane): boolean => lane === "f64" || lane === "mask64";

const HEAD = `#ifndef __has_builtin
#define __has_builtin(name) 0
#endif
#if __has_builtin(__builtin_shufflevector)
#define SHUFFLE(a, b, index, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define SHUFFLE(a, b, index, ...) __builtin_shuffle(a, b, (index){__VA_ARGS__})
#endif
#define INLINE static inline __attribute__((always_inline))
#define min_long(a, b) ({ long a_ = (a), b_ = (b); b_ < a_ ? b_ : a_; })
`;

/** x86 builtins by function and type: vector code without a header. */
const X86: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  fma: {
    f32x16: "vfmaddps512_mask",
    f32x8: "vfmaddps256",
    f32x4: "vfmaddps",
    f64x8: "vfmaddpd512_mask",
    f64x4: "vfmaddpd256",
    f64x2: "vfmaddpd",
  },
  sqrt: { f32x16: "sqrtps512_mask", f32x8: "sqrtps256", f32x4: "sqrtps", f64x8: "sqrtpd512_mask", f64x4: "sqrtpd256", f64x2: "sqrtpd" },
  round: {
    f32x16: "rndscaleps_mask",
    f32x8: "roundps256",
    f32x4: "roundps",
    f64x8: "rndscalepd_mask",
    f64x4: "roundpd256",
    f64x2: "roundpd",
  },
  pmin: { f32x16: "minps512_mask", f32x8: "minps256", f32x4: "minps", f64x8: "minpd512_mask", f64x4: "minpd256", f64x2: "minpd" },
  pmax: { f32x16: "maxps512_mask", f32x8: "maxps256", f32x4: "maxps", f64x8: "maxpd512_mask", f64x4: "maxpd256", f64x2: "maxpd" },
  extend: { i64x8: "pmovsxdq512_mask", i64x4: "pmovsxdq256" },
  doubles: { f64x8: "cvtdq2pd512_mask" },
  widen: { i32x8: "pmovzxbd256", u32x8: "pmovzxbd256", i32x4: "pmovzxbd128", u32x4: "pmovzxbd128", i64x4: "pmovzxbq256" },
  // Of 64 bytes the bits themselves do: GCC and Clang see a blend in them.
  blend: { f32x8: "blendvps256", f32x4: "blendvps", f64x4: "blendvpd256", f64x2: "blendvpd" },
};
/** The instruction set each of them needs; 256-bit ones need AVX besides, and those of 512 bits, which take a mask, only AVX-512. */
const NEEDS: Readonly<Record<string, string>> = {
  extend: "__AVX2__",
  widen: "__SSE4_1__",
  fma: "__FMA__",
  sqrt: "__SSE2__",
  round: "__SSE4_1__",
  pmin: "__SSE2__",
  pmax: "__SSE2__",
  blend: "__SSE4_1__",
};
/** What a builtin of 512 bits takes besides: what masked lanes keep, the mask (all lanes), and for floats how to round (as always). */
const MASKED: Readonly<Record<string, string>> = {
  fma: ", -1, 4",
  sqrt: ", a, -1, 4",
  round: ", a, -1, 4",
  pmin: ", a, -1, 4",
  pmax: ", a, -1, 4",
};

/** `roundps` immediates, without raising the inexact flag. */
const ROUNDING = { nearest: 8, floor: 9, ceil: 10, trunc: 11 } as const;

/** With the shuffle that changes lengths (Clang, GCC 12), or without. */
const choice = (shuffled: string, otherwise: string): string =>
  `#if __has_builtin(__builtin_shufflevector)\n${shuffled}#else\n${otherwise}#endif\n`;

/** The text in front of kernels, collected while they are printed. */
export class Prelude {
  private readonly texts = new Map<string, string>();

  /** All that was asked for, in an order in which everything is declared before it is used. */
  get text(): string {
    return HEAD + [...this.texts.values()].join("");
  }

  /** A vector type in registers. */
  type(element: Element, lanes: number): string {
    const name = `${element}x${lanes}`;
    const { c, bytes } = SCALARS[element];
    return this.once(name, () => `typedef ${c} ${name} __attribute__((vector_size(${bytes * lanes})));\n`);
  }
  register(lane: Lane, lanes: number): string {
    return this.type(REGISTER[lane], lanes);
  }

  /** The same in memory, at any address. */
  private memory(element: Element, lanes: number): string {
    const name = `${element}x${lanes}_memory`;
    const { c, bytes } = SCALARS[element];
    return this.once(name, () => `typedef ${c} ${name} __attribute__((vector_size(${bytes * lanes}), aligned(1), may_alias));\n`);
  }
  word(element: Element): string {
    const name = `${element}_memory`;
    return this.once(name, () => `typedef ${SCALARS[element].c} ${name} __attribute__((aligned(1), may_alias));\n`);
  }

  private once(name: string, make: () => string): string {
    if (!this.texts.has(name)) {
      const text = make();
      this.texts.set(name, text);
    }
    return name;
  }

  private define(name: string, result: string, parameters: string, body: string): string {
    return this.once(name, () => `INLINE ${result} ${name}(${parameters}) {\n${body}}\n`);
  }

  /** The body of a function of vectors: the machine's builtin, or lane by lane. */
  private builtin(family: string, type: string, call: string, otherwise: string): string {
    const name = X86[family]?.[type];
    if (!name) return otherwise;
    const full = `__builtin_ia32_${name}`;
    const use = (needs: string, given: string, builtin = full): string =>
      `if ${needs} && __has_builtin(${builtin})\n  return ${builtin}(${given});\n`;
    if (name.endsWith("_mask")) {
      const more = MASKED[family];
      const masked = use("defined(__AVX512F__)", call + (more ?? `, (${type}){0}, -1`));
      // Clang has some of those that round without a mask.
      const plain = more ? `#el${use("defined(__AVX512F__)", `${call}, 4`, full.replace("_mask", ""))}` : "";
      return `#${masked}${plain}#else\n${otherwise}#endif\n`;
    }
    const avx = name.endsWith("256") ? ` && defined(${name.startsWith("p") ? "__AVX2__" : "__AVX__"})` : "";
    return `#${use(`defined(${NEEDS[family]})${avx}`, call)}#else\n${otherwise}#endif\n`;
  }

  /** a·b + c, rounded once where the machine can. */
  fma(lane: Lane, lanes: number): string {
    const t = this.register(lane, lanes);
    if (!isFloat(lane)) return this.define(`fma_${t}`, t, `${t} a, ${t} b, ${t} c`, "  return a * b + c;\n");
    const fused = `  for (int l = 0; l < ${lanes}; l++) a[l] = __builtin_fma${lane === "f32" ? "f" : ""}(a[l], b[l], c[l]);\n  return a;\n`;
    const body = `#if defined(__FMA__) || defined(__aarch64__)\n${fused}#else\n  return a * b + c;\n#endif\n`;
    return this.define(`fma_${t}`, t, `${t} a, ${t} b, ${t} c`, this.builtin("fma", t, "a, b, c", body));
  }

  /** mask ? yes : no; masks are all ones or all zeros. */
  select(lane: Lane, lanes: number): string {
    const t = this.register(lane, lanes);
    const mask = this.type(MASK[lane], lanes);
    const float = this.type(isWide(lane) ? "f64" : "f32", lanes);
    const bits = `  return (${t})(((${mask})yes & mask) | ((${mask})no & ~mask));\n`;
    const body = this.builtin("blend", float, `(${float})no, (${float})yes, (${float})mask`, bits).replace("return __", `return (${t})__`);
    return this.define(`select_${t}`, t, `${mask} mask, ${t} yes, ${t} no`, body);
  }

  unary(op: Exclude<VecUnary, "neg" | "not">, lane: Lane, lanes: number): string {
    const t = this.register(lane, lanes);
    return this.define(`${op}_${t}`, t, `${t} a`, this.unaryBody(op, lane, lanes));
  }

  private unaryBody(op: Exclude<VecUnary, "neg" | "not">, lane: Lane, lanes: number): string {
    const t = this.register(lane, lanes);
    if (op === "abs") {
      const mask = this.type(MASK[lane], lanes);
      if (isFloat(lane)) return `  return (${t})((${mask})a & ${lane === "f64" ? "0x7fffffffffffffffLL" : "0x7fffffff"});\n`;
      return lane === "i32" ? `  ${t} sign = a >> 31;\n  return (a ^ sign) - sign;\n` : "  return a;\n";
    }
    if (!isFloat(lane)) return "  return a;\n";
    const suffix = lane === "f32" ? "f" : "";
    const each = (c: string): string => `  for (int l = 0; l < ${lanes}; l++) a[l] = __builtin_${c}${suffix}(a[l]);\n  return a;\n`;
    if (op === "sqrt") return this.builtin("sqrt", t, "a", each("sqrt"));
    return this.builtin("round", t, `a, ${ROUNDING[op]}`, each(op === "nearest" ? "rint" : op));
  }

  /** The binary operations that are no C operator. */
  binary(op: Extract<VecBinary, "pmin" | "pmax" | "floordiv" | "mod">, lane: Lane, lanes: number): string {
    const t = this.register(lane, lanes);
    return this.define(`${op}_${t}`, t, `${t} a, ${t} b`, this.binaryBody(op, lane, lanes));
  }

  private binaryBody(op: "pmin" | "pmax" | "floordiv" | "mod", lane: Lane, lanes: number): string {
    const t = this.register(lane, lanes);
    if (op === "pmin" || op === "pmax") {
      const mask = this.type(MASK[lane], lanes);
      const chosen = `  return ${this.select(lane, lanes)}((${mask})(${op === "pmin" ? "b < a" : "a < b"}), b, a);\n`;
      // minps(x, y) is x < y ? x : y: operands swapped, it is pmin with its choice for NaN and ±0.
      return isFloat(lane) ? this.builtin(op, t, "b, a", chosen) : chosen;
    }
    // In 64 bits, so that −2³¹ / −1 does not trap.
    const value =
      lane === "u32"
        ? { floordiv: "x / y", mod: "x % y" }[op]
        : { floordiv: "x / y - (x % y != 0 && (x < 0) != (y < 0))", mod: "x % y + (x % y != 0 && (x < 0) != (y < 0) ? y : 0)" }[op];
    const wide = lane === "u32" ? "unsigned" : "long long";
    return `  for (int l = 0; l < ${lanes}; l++) {\n    ${wide} x = a[l], y = b[l];\n    a[l] = y == 0 ? 0 : ${value};\n  }\n  return a;\n`;
  }

  /** One value in every lane. Not `{0} + x`, which would lose the sign of −0. */
  splat(element: Element, lanes: number): string {
    const t = this.type(element, lanes);
    return this.define(`splat_${t}`, t, `${SCALARS[element].c} x`, `  return (${t}){${new Array(lanes).fill("x").join(", ")}};\n`);
  }

  ramp(lanes: number): string {
    const t = this.type("i32", lanes);
    const steps = Array.from({ length: lanes }, (_, l) => l).join(", ");
    return this.define(`ramp_${t}`, t, "int x", `  return ${this.splat("i32", lanes)}(x) + (${t}){${steps}};\n`);
  }

  /** float → int truncates and saturates, NaN → 0; nothing here leaves what C defines. */
  convert(from: Lane, to: Lane, lanes: number): string {
    const result = this.register(to, lanes);
    return this.define(`convert_${from}_${to}x${lanes}`, result, `${this.register(from, lanes)} a`, this.convertBody(from, to, lanes));
  }

  private convertBody(from: Lane, to: Lane, lanes: number): string {
    const result = this.register(to, lanes);
    const own = this.type(MASK[from], lanes);
    const direct = `  return __builtin_convertvector(a, ${result});\n`;
    const resized = (mask: string): string => this.resized(mask, from, to, lanes);
    if (from === to) return "  return a;\n";
    if (isMask(from)) {
      if (isMask(to)) return `  return ${resized("a")};\n`;
      const one = { f32: "0x3f800000", f64: "0x3ff0000000000000LL", i32: "1", u32: "1" }[to as "f32" | "f64" | "i32" | "u32"];
      return `  return (${result})(${resized("a")} & ${one});\n`;
    }
    if (isMask(to)) return `  ${own} mask = (${own})(a != 0);\n  return ${resized("mask")};\n`;
    if (isFloat(from) && to === "i32") return this.toSigned(from, lanes);
    if (isFloat(from) && to === "u32") return this.toUnsigned(from, lanes);
    if (from === "u32" && isFloat(to)) return this.fromUnsigned(to, lanes);
    if (from === "i32" && to === "f64") return this.builtin("doubles", result, "a", direct);
    return isFloat(from) || isFloat(to) ? direct : `  return (${result})a;\n`;
  }

  private toSigned(from: Lane, lanes: number): string {
    const [t, mask, result] = [this.register(from, lanes), this.type(MASK[from], lanes), this.type("i32", lanes)];
    const [select, splat] = [this.select(from, lanes), this.splat(REGISTER[from], lanes)];
    return `  ${mask} big = (${mask})(a >= 2147483648.0f);
  a = ${select}((${mask})(a == a) & ~big, a, (${t}){0});
  a = ${select}((${mask})(a < -2147483648.0f), ${splat}(-2147483648.0f), a);
  ${result} saturated = ${this.resized("big", from, "i32", lanes)};
  return (__builtin_convertvector(a, ${result}) & ~saturated) | (saturated & 0x7fffffff);
`;
  }

  private toUnsigned(from: Lane, lanes: number): string {
    const [t, mask, signed, result] = [
      this.register(from, lanes),
      this.type(MASK[from], lanes),
      this.type("i32", lanes),
      this.type("u32", lanes),
    ];
    const select = this.select(from, lanes);
    return `  ${mask} big = (${mask})(a >= 4294967296.0f), high = (${mask})(a >= 2147483648.0f);
  a = ${select}((${mask})(a > 0) & ~big, a, (${t}){0});
  a = ${select}(high & ~big, a - 2147483648.0f, a);
  ${signed} low = __builtin_convertvector(a, ${signed}) ^ (${this.resized("high", from, "i32", lanes)} & (-2147483647 - 1));
  return (${result})(low | ${this.resized("big", from, "i32", lanes)});
`;
  }

  private fromUnsigned(to: Lane, lanes: number): string {
    const [t, signed] = [this.register(to, lanes), this.type("i32", lanes)];
    if (to === "f64") return `  return __builtin_convertvector((${signed})(a ^ 0x80000000u), ${t}) + 2147483648.0;\n`;
    // Both halves are exact, so the sum is the one rounding.
    return `  ${t} high = __builtin_convertvector((${signed})(a >> 16), ${t}), low = __builtin_convertvector((${signed})(a & 0xffff), ${t});
  return high * 65536.0f + low;
`;
  }

  /** f64 lanes from two words, or one of the words. */
  pair(lanes: number): string {
    const [word, wide, t] = [this.type("u32", lanes), this.type("u64", lanes), this.type("f64", lanes)];
    const picks = Array.from({ length: 2 * lanes }, (_, i) => (i % 2 === 0 ? i / 2 : lanes + (i - 1) / 2));
    const body = choice(
      `  return (${t})__builtin_shufflevector(low, high, ${picks.join(", ")});\n`,
      `  return (${t})(__builtin_convertvector(low, ${wide}) | (__builtin_convertvector(high, ${wide}) << 32));\n`,
    );
    return this.define(`pair_x${lanes}`, t, `${word} low, ${word} high`, body);
  }
  part(op: "low" | "high", lanes: number): string {
    const [word, words, wide, t] = [this.type("u32", lanes), this.type("u32", 2 * lanes), this.type("u64", lanes), this.type("f64", lanes)];
    const picks = Array.from({ length: lanes }, (_, i) => 2 * i + (op === "high" ? 1 : 0));
    const body = choice(
      `  return __builtin_shufflevector((${words})a, (${words})a, ${picks.join(", ")});\n`,
      `  return __builtin_convertvector((${wide})a${op === "high" ? " >> 32" : ""}, ${word});\n`,
    );
    return this.define(`${op}_x${lanes}`, word, `${t} a`, body);
  }

  /** A mask as wide as another lane type wants it. */
  private resized(mask: string, from: Lane, to: Lane, lanes: number): string {
    const [own, other] = [MASK[from], MASK[to]];
    if (own === other) return mask;
    if (own === "i64") return `(${this.type("i32", lanes)})${this.part("low", lanes)}((${this.type("f64", lanes)})${mask})`;
    const [narrow, wide] = [this.type("i32", lanes), this.type("i64", lanes)];
    const body = this.builtin("extend", wide, "a", `  return __builtin_convertvector(a, ${wide});\n`);
    return `${this.define(`extend_${wide}`, wide, `${narrow} a`, body)}(${mask})`;
  }

  /** The index type that goes with a shuffle of a lane type. */
  shuffleIndex(lane: Lane, lanes: number): string {
    return this.type(MASK[lane], lanes);
  }

  /** Lanes combined in halves, and lane 0 (which is the documented order) in all of them. */
  across(combine: "add" | "mul" | "pmin" | "pmax" | "or" | "and", lane: Lane, lanes: number): string {
    const t = this.register(lane, lanes);
    const index = this.shuffleIndex(lane, lanes);
    const join = {
      add: "a + b",
      mul: "a * b",
      or: "a | b",
      and: "a & b",
      pmin: combine === "pmin" ? `${this.binary("pmin", lane, lanes)}(a, b)` : "",
      pmax: combine === "pmax" ? `${this.binary("pmax", lane, lanes)}(a, b)` : "",
    }[combine];
    const pick = (from: (l: number) => number): string => Array.from({ length: lanes }, (_, l) => from(l)).join(", ");
    let body = `  ${t} b;\n`;
    for (let half = lanes / 2; half >= 1; half /= 2)
      body += `  b = SHUFFLE(a, a, ${index}, ${pick((l) => (l + half) % lanes)});\n  a = ${join};\n`;
    return this.define(`across_${combine}_${t}`, t, `${t} a`, `${body}  return SHUFFLE(a, a, ${index}, ${pick(() => 0)});\n`);
  }

  /** How a dtype reads: the function that loads it, and the lane type that it gives. */
  load(dtype: DType, form: "vector" | "splat" | "strided" | "gather", lanes: number): string {
    const t = this.type(MEMORY[dtype], lanes);
    const word = this.word(MEMORY[dtype]);
    const list = (of: (l: number) => string): string => `  return (${t}){${Array.from({ length: lanes }, (_, l) => of(l)).join(", ")}};\n`;
    const at = (offset: string): string => `*(const ${word} *)(p + ${offset})`;
    switch (form) {
      case "vector":
        return this.define(`load_${t}`, t, "const char *p", `  return *(const ${this.memory(MEMORY[dtype], lanes)} *)p;\n`);
      case "splat":
        return this.define(`load_splat_${t}`, t, "const char *p", `  return ${this.splat(MEMORY[dtype], lanes)}(*(const ${word} *)p);\n`);
      case "strided":
        return this.define(
          `load_strided_${t}`,
          t,
          "const char *p, long step",
          list((l) => at(`${l} * step`)),
        );
      case "gather":
        return this.define(
          `gather_${t}`,
          t,
          `const char *p, ${this.type("i32", lanes)} index, long step`,
          list((l) => at(`index[${l}] * step`)),
        );
    }
  }

  /** Bytes in memory to lanes: uint8 → u32, bool → a mask; the rest is as it is. */
  widen(dtype: "uint8" | "bool", to: Lane, lanes: number): string {
    const [t, bytes] = [this.register(to, lanes), this.type("u8", lanes)];
    let wide = `__builtin_convertvector(a, ${t})`;
    // The builtin takes a register of 16 bytes, of which it reads the first ones.
    const scalar = { 4: "unsigned", 8: "unsigned long long" }[lanes];
    if (scalar) {
      const given = `(${this.type("i8", 16)})(${this.type("u64", 2)}){(${scalar})a}`;
      const body = this.builtin("widen", t, given, `  return ${wide};\n`).replace("return __builtin_ia32", `return (${t})__builtin_ia32`);
      wide = `${this.define(`bytes_${t}`, t, `${bytes} a`, body)}(a)`;
    }
    const result = dtype === "bool" ? `(${t})(${wide} != 0)` : wide;
    return this.define(`widen_${dtype}_${to}x${lanes}`, t, `${bytes} a`, `  return ${result};\n`);
  }
  narrow(dtype: "uint8" | "bool", from: Lane, lanes: number): string {
    const [t, bytes] = [this.register(from, lanes), this.type("u8", lanes)];
    const width = isWide(from) ? 8 : 4;
    const all = this.type("u8", width * lanes);
    const value = dtype === "bool" ? "(a & 1)" : "a";
    const picks = Array.from({ length: lanes }, (_, l) => width * l).join(", ");
    const converted = `  return __builtin_convertvector(${value}, ${bytes});\n`;
    const shuffled = choice(`  return __builtin_shufflevector((${all})${value}, (${all})${value}, ${picks});\n`, converted);
    const body = `#if defined(__AVX512VL__)\n${converted}#else\n${shuffled}#endif\n`;
    return this.define(`narrow_${dtype}_${from}x${lanes}`, bytes, `${t} a`, body);
  }

  /** Stores that touch no lane they were not asked to. */
  store(dtype: DType, form: "vector" | "first" | "partial" | "strided", lanes: number): string {
    const t = this.type(MEMORY[dtype], lanes);
    const word = this.word(MEMORY[dtype]);
    const whole = `*(${this.memory(MEMORY[dtype], lanes)} *)p = a;`;
    switch (form) {
      case "vector":
        return this.define(`store_${t}`, "void", `char *p, ${t} a`, `  ${whole}\n`);
      case "first":
        return this.define(`store_first_${t}`, "void", `char *p, ${t} a`, `  *(${word} *)p = a[0];\n`);
      case "partial": {
        const each = `  if (count >= ${lanes}) ${whole}\n  else for (long l = 0; l < count; l++) ((${word} *)p)[l] = a[l];\n`;
        const body = this.maskedStore(dtype, lanes, each);
        return this.define(`store_partial_${t}`, "void", `char *p, ${t} a, long count`, body);
      }
      case "strided": {
        const body = `  for (long l = 0; l < count; l++) *(${word} *)(p + l * step) = a[l];\n`;
        return this.define(`store_strided_${t}`, "void", `char *p, ${t} a, long step, long count`, body);
      }
    }
  }

  /** A store of the first lanes in one instruction, where the machine has it. */
  private maskedStore(dtype: DType, lanes: number, otherwise: string): string {
    const { bytes } = SCALARS[MEMORY[dtype]];
    if (bytes < 4 || bytes * lanes < 16) return otherwise;
    const element: Element = bytes === 8 ? "f64" : "f32";
    const t = this.type(element, lanes);
    const name = `__builtin_ia32_storeu${bytes === 8 ? "pd" : "ps"}${bytes * lanes * 8}_mask`;
    const mask = `count >= ${lanes} ? -1 : (1 << count) - 1`;
    return `#if defined(__AVX512VL__) && __has_builtin(${name})\n  ${name}((${t} *)p, (${t})a, ${mask});\n#else\n${otherwise}#endif\n`;
  }

  /** The smallest (position, value) of all threads wins. */
  report(lanes: number): string {
    const [mask, word] = [this.type("i32", lanes), "unsigned long long"];
    const body = `  for (long l = 0; l < count; l++) {
    if (!bad[l]) continue;
    ${word} found = (${word})(unsigned)position[l] << 32 | (unsigned)value[l];
    ${word} known = __atomic_load_n(cell, __ATOMIC_RELAXED);
    while (found < known && !__atomic_compare_exchange_n(cell, &known, found, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {}
  }
`;
    return this.once(
      `report_x${lanes}`,
      () =>
        `static __attribute__((noinline, cold)) void report_x${lanes}(${word} *cell, ${mask} bad, ${mask} position, ${mask} value, long count) {\n${body}}\n`,
    );
  }
}
