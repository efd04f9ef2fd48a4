import { describe, expect, test } from "vitest";
import { Generator, ones, type Tensor, tensor, type Variable, variable, zeros } from "../../src/index.ts";
import { Embedding, inference, init, Linear, Module, parameter, relu, Sequential, zeros as zeroInit } from "../../src/nn/index.ts";

const names = (m: Module): string[] => [...m.namedVariables().keys()];

class Everything extends Module {
  private readonly first = new Linear(2, 3);
  readonly list = [new Linear(3, 3, { bias: false }), { inner: variable([1, 2]) }] as const;
  readonly map = new Map<string, Variable>([["a", variable([1])]]);
  readonly mean = variable([0], { trainable: false });
  readonly plain = tensor([1, 2, 3]);
  readonly rng = new Generator(1);
  readonly size = 3;
  readonly nothing = null;
  readonly table = new Float32Array(4);
  readonly f = (x: Tensor): Tensor => this.first.forward(x);
}

describe("state", () => {
  test("is found in fields, arrays, records and Maps, in order; plain tensors and the rest are not state", () => {
    expect(names(new Everything())).toEqual(["first.weight", "first.bias", "list.0.weight", "list.1.inner", "map.a", "mean"]);
  });

  test("trainable variables are parameters; buffers have names only", () => {
    const model = new Everything();
    expect(model.parameters()).toHaveLength(5);
    expect(model.parameters()).not.toContain(model.mean);
  });

  test("that is shared stands once, under its first path, and loads from any of its paths", async () => {
    class Tied extends Module {
      readonly encoder = new Embedding(4, 2);
      readonly decoder = { table: this.encoder };
      readonly again = this.encoder.weight;
    }
    const model = new Tied();
    expect(names(model)).toEqual(["encoder.weight"]);
    for (const name of ["encoder.weight", "decoder.table.weight", "again"]) {
      model.loadStateDict({ [name]: ones([4, 2]).mul(name.length) });
      expect(await model.encoder.weight.at(0, 0).item()).toBe(name.length);
    }
  });

  test("in cycles is met once", () => {
    class Node extends Module {
      readonly weight = variable([1]);
      next: Node | undefined;
    }
    const a = new Node();
    const b = new Node();
    a.next = b;
    b.next = a;
    expect(names(a)).toEqual(["weight", "next.weight"]);
    a.loadStateDict({ "next.next.weight": tensor([5]), "next.weight": tensor([6]) });
  });

  test("that would be missed is an error: Sets, foreign classes, Maps with other keys", () => {
    class Foreign {
      readonly weight = variable([1]);
    }
    const holding = (value: unknown): Module =>
      new (class extends Module {
        readonly field = value;
      })();
    expect(() => holding(new Set([variable([1])])).parameters()).toThrow(/field: a Set.*[\s\S]*array or a Map/);
    expect(() => holding(new Foreign()).parameters()).toThrow(/field: a Foreign.*[\s\S]*extend Module/);
    expect(() => holding(new Map([[1, variable([1])]])).parameters()).toThrow(/no string: 1/);
    expect(() => holding({ a: variable([1]), "b.c": variable([1]), b: { c: variable([1]) } }).parameters()).toThrow(/path "field.b.c"/);
  });

  test("of 20,000 nested records is found without overflowing the stack", () => {
    let inner: unknown = variable([1]);
    for (let i = 0; i < 20_000; i++) inner = { a: inner };
    const model = new (class extends Module {
      readonly deep = inner;
    })();
    expect(model.parameters()).toHaveLength(1);
  });
});

describe("stateDict and loadStateDict", () => {
  test("a snapshot is not changed by later assignments", async () => {
    const model = init(new Linear(2, 1), 0);
    const before = model.stateDict();
    const expected = await before.weight!.array();
    model.weight.assign(zeros([1, 2]));
    expect(await before.weight!.array()).toEqual(expected);
    model.loadStateDict(before);
    expect(await model.weight.array()).toEqual(expected);
  });

  test("loading lists everything that does not fit, and changes nothing", async () => {
    const model = init(new Sequential(new Linear(2, 3), relu, new Linear(3, 1)), 0);
    const before = await model.stateDict()["0.weight"]!.array();
    const state = {
      "0.weight": zeros([3, 2]),
      "0.bias": zeros([4]),
      "2.weight": zeros([1, 3], { dtype: "int32" }),
      "9.weight": zeros([1]),
    };
    const load = () => model.loadStateDict(state);
    expect(load).toThrow(/4 entries do not fit/);
    for (const part of [
      /0\.bias is \[4\], should be \[3\]/,
      /2\.weight is int32, should be float32/,
      /cast/,
      /unexpected: 9\.weight/,
      /missing: 2\.bias \[1\]/,
    ])
      expect(load).toThrow(part);
    expect(await model.stateDict()["0.weight"]!.array()).toEqual(before);
  });

  test("what does not fit is not missing too, whatever it is called", () => {
    const model = init(new (class extends Module { readonly parts = new Map([["first layer", new Linear(1, 2)]]); forward = (x: Tensor) => x; })(), 0); // biome-ignore format: a model
    const state = { ...model.stateDict(), "parts.first layer.bias": zeros([3]) };
    expect(() => model.loadStateDict(state)).toThrow(/1 entry does not fit/);
    expect(() => model.loadStateDict(state)).not.toThrow(/missing/);
  });

  test("strict: false takes the names that fit, and still refuses other shapes", async () => {
    const model = init(new Linear(2, 1), 0);
    const left = model.loadStateDict({ bias: tensor([7]), other: zeros([1]) }, { strict: false });
    expect(left).toEqual({ missing: ["weight"], unexpected: ["other"] });
    expect(await model.bias!.item()).toBe(7);
    expect(() => model.loadStateDict({ bias: zeros([2]) }, { strict: false })).toThrow(/bias is \[2\]/);
  });

  test("floats of another width are rounded; everything fits, so nothing is left out", async () => {
    const model = init(new Linear(2, 1), 0);
    const left = model.loadStateDict({ weight: tensor([[0.1, 2]], { dtype: "float64" }), bias: tensor([3], { dtype: "float64" }) });
    expect(left).toEqual({ missing: [], unexpected: [] });
    expect(model.weight.value.dtype).toBe("float32");
    expect(await model.weight.array()).toEqual([[Math.fround(0.1), 2]]);
  });

  test("strict: false where no name fits is an error with both sides' names, and the prefix between them", async () => {
    const model = init(new Sequential(new Linear(2, 1)), 0);
    const before = await model.stateDict()["0.bias"]!.item();
    const load = (state: Record<string, Tensor>) => () => model.loadStateDict(state, { strict: false });
    expect(load({ "module.0.weight": zeros([1, 2]), "module.0.bias": zeros([1]) })).toThrow(
      /not one name fits[\s\S]*0\.weight, 0\.bias[\s\S]*without "module\." in front/,
    );
    expect(load({ "fc.weight": zeros([1, 2]) })).toThrow(/rename/);
    expect(() => model.loadStateDict({}, { stict: false } as never)).toThrow(/did you mean strict/);
    expect(await model.stateDict()["0.bias"]!.item()).toBe(before);
  });

  test("names like __proto__ reach no prototype", () => {
    const model = init(new Linear(2, 1), 0);
    const hostile = JSON.parse('{"__proto__": {"polluted": 1}}') as Record<string, Tensor>;
    expect(() => model.loadStateDict(hostile)).toThrow(/unexpected: __proto__/);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });
});

describe("init", () => {
  const weights = async (m: Module, name: string): Promise<unknown> => m.stateDict()[name]!.array();

  test("draws each parameter from the stream of its path: neighbours do not matter", async () => {
    const a = init(new Sequential(new Linear(4, 3), relu), 5);
    const b = init(new Sequential(new Linear(4, 3), new Linear(3, 3), relu), 5);
    const c = init(new Sequential(new Linear(4, 3), relu), 6);
    expect(await weights(a, "0.weight")).toEqual(await weights(b, "0.weight"));
    expect(await weights(b, "1.bias")).not.toEqual(await weights(b, "0.bias"));
    expect(await weights(a, "0.weight")).not.toEqual(await weights(c, "0.weight"));
  });

  test("a seed and a generator of that seed give the same", async () => {
    expect(await weights(init(new Linear(4, 3), 5), "weight")).toEqual(await weights(init(new Linear(4, 3), new Generator(5)), "weight"));
  });

  test("leaves what has a value", async () => {
    const model = new Linear(2, 1);
    model.weight.assign([[1, 2]]);
    init(model, 0);
    expect(await model.weight.array()).toEqual([[1, 2]]);
    const bias = await model.bias!.item();
    init(model, 1);
    expect(await model.bias!.item()).toBe(bias);
  });

  test("reading a parameter without a value says which and what to do", () => {
    const model = new Sequential(new Linear(2, 3), relu, new Linear(3, 1));
    model.parameters();
    expect(() => model.forward(zeros([1, 2]), inference)).toThrow(
      /parameter 0\.weight \[3, 2\] has no value yet[\s\S]*init\(model, seed\)/,
    );
    expect(() => model.stateDict()).toThrow(/0\.weight/);
    expect(() => new Linear(2, 3).forward(zeros([1, 2]))).toThrow(/a parameter \[3, 2\] has no value yet/);
  });

  test("loading fills parameters without values", async () => {
    const model = new Linear(2, 1);
    model.loadStateDict({ weight: tensor([[1, 2]]), bias: tensor([3]) });
    expect(await model.forward(tensor([[1, 1]])).item()).toBe(6);
  });

  test("an initializer of another shape is refused", () => {
    class Wrong extends Module {
      readonly w = parameter([3], () => zeros([2]));
    }
    expect(() => init(new Wrong(), 0)).toThrow(/\[3\].*\[2\]/);
    expect(() => parameter([-1], zeroInit)).toThrow(/-1/);
    expect(() => parameter([1], undefined as never)).toThrow(/no initializer/);
    expect(() => init({} as Module, 0)).toThrow(/no Module/);
  });
});
