/** The rules about programs, one by one; the numbers are those of ARCHITECTURE.md, "The rules". */
import {
  ArgumentError,
  compile,
  configure,
  Generator,
  GraphError,
  gradients,
  ones,
  type Tensor,
  tensor,
  type Variable,
  variable,
  vmap,
  zeros,
} from "gradus";
import { afterEach, describe, expect, test, vi } from "vitest";

afterEach(() => {
  vi.restoreAllMocks();
});

const array = async (x: Tensor): Promise<any> => x.array();

describe("R1, R4: values", () => {
  test("R1 a result keeps its numbers when the program runs again", async () => {
    const twice = compile((x: Tensor) => x.mul(2));
    const first = twice(ones([100]));
    const second = twice(tensor(new Float32Array(100).fill(5)));
    expect((await array(first))[99]).toBe(2);
    expect((await array(second))[99]).toBe(10);
    expect((await array(first))[0]).toBe(2);
  });

  test("R1 a result that goes in again as an argument is read before it is overwritten", async () => {
    const next = compile((x: Tensor) => x.mul(2).add(1));
    let x: Tensor = zeros([100]);
    for (let i = 0; i < 5; i++) x = next(x);
    expect((await array(x))[50]).toBe(31);
  });

  test("R4 making a compiled function runs nothing, and what was computed is not computed again", async () => {
    let traces = 0;
    const f = compile((x: Tensor) => {
      traces++;
      return x.add(1);
    });
    expect(traces).toBe(0);
    const told: unknown[] = [];
    const y = f(tensor([1])).mul(3);
    y.tap((v) => told.push(v));
    await y.array();
    await y.array();
    await y.add(1).array();
    expect(told).toEqual([[6]]);
  });
});

describe("R5: signatures", () => {
  const counted = (): { f: any; traces: () => number } => {
    let traces = 0;
    const f = compile((x: any, flag?: boolean, word?: string) => {
      traces++;
      const first: Tensor = "add" in x ? x : (Object.values(x)[0] as Tensor);
      return flag ? first.neg() : word === "square" ? first.square() : first.add(1);
    });
    return { f, traces: () => traces };
  };

  test("R5 the same shapes and dtypes share one program, whatever the numbers", async () => {
    const { f, traces } = counted();
    expect(await array(f(tensor([1, 2])))).toEqual([2, 3]);
    expect(await array(f(tensor([3, 4])))).toEqual([4, 5]);
    expect([traces(), f.programs]).toEqual([1, 1]);
  });

  test("R5 another shape, dtype, boolean, string or structure is another program", async () => {
    const { f, traces } = counted();
    expect(await array(f(tensor([1, 2])))).toEqual([2, 3]);
    expect(await array(f(tensor([1])))).toEqual([2]);
    expect(await array(f(tensor([1, 2], { dtype: "int32" })))).toEqual([2, 3]);
    expect(await array(f(tensor([1, 2]), true))).toEqual([-1, -2]);
    expect(await array(f(tensor([1, 2]), false))).toEqual([2, 3]);
    expect(await array(f(tensor([1, 3]), false, "square"))).toEqual([1, 9]);
    expect(await array(f({ a: tensor([1, 2]) }))).toEqual([2, 3]);
    expect(await array(f({ b: tensor([1, 2]) }))).toEqual([2, 3]);
    expect(traces()).toBe(8);
  });

  test("R5 coming back to an earlier signature traces nothing", async () => {
    const { f, traces } = counted();
    for (const x of [tensor([1]), tensor([1, 2]), tensor([5]), tensor([6, 7]), tensor([8])]) await array(f(x));
    expect(traces()).toBe(2);
  });

  test("R5 many programs for one function are a warning that says what varies", () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const f = compile((x: Tensor) => x.sum());
    for (let n = 1; n <= 9; n++) f(zeros([n]));
    expect(warn).toHaveBeenCalledTimes(1);
    expect(warn.mock.calls[0]![0]).toMatch(/8 programs.*float32 \[8\]/);
  });
});

describe("R6, R7: what is an input and what a constant", () => {
  test("R6 numbers and arrays that are passed are inputs", async () => {
    const f = compile((x: Tensor, rate: Tensor) => x.mul(rate));
    expect(await array(f([1, 2], 0.5))).toEqual([0.5, 1]);
    expect(await array(f(Float32Array.of(1, 2), 3))).toEqual([3, 6]);
    expect(await array(f(tensor([2, 2]), -1))).toEqual([-2, -2]);
    expect(f.programs).toBe(1);
  });

  test("R6 the elements of a typed array are taken at the call", async () => {
    const f = compile((x: Tensor) => x.mul(2));
    const data = Float32Array.of(1, 2);
    const first = f(data);
    data.fill(9);
    const second = f(data);
    expect([await array(first), await array(second)]).toEqual([
      [2, 4],
      [18, 18],
    ]);
  });

  test("R6 a captured tensor is bound at the trace, a captured cell is read at every call", async () => {
    let shift = tensor([1, 1]);
    const w = variable([10, 10]);
    const f = compile((x: Tensor) => x.add(shift).add(w));
    expect(await array(f([0, 0]))).toEqual([11, 11]);
    shift = tensor([5, 5]);
    w.assign([20, 20]);
    expect(await array(f([0, 0]))).toEqual([21, 21]);
    expect(f.programs).toBe(1);
  });

  test("R6 a captured tensor that was never computed is computed for the call", async () => {
    const lazy = tensor([1, 2]).mul(3);
    const f = compile((x: Tensor) => x.add(lazy));
    expect(await array(f([0, 0]))).toEqual([3, 6]);
    expect(lazy.storage).toBeDefined();
  });

  test("R6 the same tensor twice, records and lists arrive where they were put", async () => {
    const f = compile((a: Tensor, rest: { b: Tensor; c: readonly Tensor[] }) => ({ sum: a.add(rest.b), last: [rest.c[1]!] }));
    const x = tensor([1, 2]);
    const { sum, last } = f(x, { b: x, c: [x, tensor([7])] });
    expect([await array(sum), await array(last[0]!)]).toEqual([[2, 4], [7]]);
  });

  test("R7 every other value is a constant of its trace", async () => {
    let factor = 2;
    const f = compile((x: Tensor) => x.mul(factor));
    await array(f([1]));
    factor = 5;
    expect(await array(f([1]))).toEqual([2]);
    expect(await array(f([1, 1]))).toEqual([5, 5]);
  });

  test("R7 check: true names what would be frozen into the program", () => {
    let calls = 0;
    const f = compile((x: Tensor) => x.mul(calls++), { check: true });
    expect(() => f([1])).toThrow(GraphError);
    calls = 0;
    expect(() => f([1])).toThrow(/compile\.test\.ts:\d+/);
    const g = compile((x: Tensor) => (calls++ % 2 ? x.exp() : x.log()), { check: true });
    expect(() => g([1])).toThrow(/exp|log/);
  });

  test("R7 check: true accepts draws from generators, cells and equal constants", async () => {
    const rng = new Generator(0);
    const w = variable([1]);
    const f = compile(
      (x: Tensor) => {
        w.assign(w.add(rng.uniform([1])));
        return x.mul(3).add(w);
      },
      { check: true },
    );
    await array(f([1]));
    expect(rng.state.calls).toBe(1);
  });
});

describe("R8: program order", () => {
  test("R8 a read after an assignment sees it, one before does not", async () => {
    const w = variable(1);
    const f = compile(() => {
      const before = w.mul(1);
      w.assign(w.add(10));
      const after = w.mul(1);
      w.assign(w.mul(2));
      return [before, after, w.mul(1)];
    });
    expect(await Promise.all(f().map((x) => x.item()))).toEqual([1, 11, 22]);
    expect(await w.item()).toBe(22);
  });

  test("R8 two cells can be swapped", async () => {
    for (const optimize of [0, 1] as const) {
      const [a, b] = [variable(new Float32Array(40).fill(1) as any), variable(new Float32Array(40).fill(2) as any)] as [Variable, Variable];
      const swap = compile(
        () => {
          const old = a.value;
          a.assign(b);
          b.assign(old);
        },
        { optimize },
      );
      for (let i = 0; i < 3; i++) swap();
      expect([(await a.data())[0], (await a.data())[39], (await b.data())[0]]).toEqual([2, 2, 1]);
    }
  });

  test("R8 one value can go into two cells, and a cell into two others that are written", async () => {
    for (const optimize of [0, 1] as const) {
      const [a, b, c] = [1, 2, 3].map((v) => variable([v, v, v, v, v])) as [Variable, Variable, Variable];
      const f = compile(
        () => {
          const sum = a.add(b).add(c);
          const old = a.value;
          a.assign(sum);
          b.assign(sum);
          c.assign(old);
          return sum;
        },
        { optimize },
      );
      const results = [f(), f()];
      expect(await Promise.all(results.map(array))).toEqual([
        [6, 6, 6, 6, 6],
        [13, 13, 13, 13, 13],
      ]);
      expect((await Promise.all([a, b, c].map(array))).map((x) => x[4])).toEqual([13, 13, 6]);
    }
  });

  test("R8 three cells can be turned in a ring", async () => {
    const cells = [1, 2, 3].map((v) => variable([v, v, v]));
    const turn = compile(() => {
      const old = cells.map((cell) => cell.value);
      cells.forEach((cell, i) => {
        cell.assign(old[(i + 1) % 3]!);
      });
    });
    turn();
    expect((await Promise.all(cells.map(array))).flat()).toEqual([2, 2, 2, 3, 3, 3, 1, 1, 1]);
    turn();
    turn();
    expect((await Promise.all(cells.map(array))).flat()).toEqual([1, 1, 1, 2, 2, 2, 3, 3, 3]);
  });

  test("R8 cells turned in a ring, each a function of its neighbour, take old values only", async () => {
    const cells = [1, 2, 3].map((v) => variable([v, v * 10, v * 100]));
    const turn = compile(() => {
      const next = cells.map((_, i) => cells[(i + 1) % 3]!.mul(2));
      cells.forEach((cell, i) => {
        cell.assign(next[i]!);
      });
    });
    turn();
    turn();
    expect(await Promise.all(cells.map((c) => c.array()))).toEqual([
      [12, 120, 1200],
      [4, 40, 400],
      [8, 80, 800],
    ]);
  });

  test("R8 a cell reversed in place comes out reversed", async () => {
    const w = variable([1, 2, 3, 4, 5]);
    const f = compile(() => {
      w.assign(w.flip(0));
    });
    f();
    expect(await array(w)).toEqual([5, 4, 3, 2, 1]);
  });

  test("R8 a handle to the old content stays what it was when a program writes the cell", async () => {
    const w = variable(new Float32Array(100).fill(1) as any) as Variable;
    const step = compile(() => {
      w.assign(w.add(1));
    });
    step();
    const held = w.value;
    const built = w.mul(10);
    step();
    step();
    expect((await held.data())[99]).toBe(2);
    expect((await built.data())[99]).toBe(20);
    expect((await w.data())[99]).toBe(4);
  });

  test("R8 two programs share a cell", async () => {
    const w = variable([1, 1]);
    const grow = compile(() => {
      w.assign(w.mul(2));
    });
    const read = compile((x: Tensor) => w.mul(x));
    grow();
    expect(await array(read(1))).toEqual([2, 2]);
    grow();
    w.assign(w.add(1));
    expect(await array(read(10))).toEqual([50, 50]);
  });

  test("R3 assigning cuts the gradient inside a program too", () => {
    const w = variable(2, { name: "w" });
    const c = variable(0);
    const f = compile(() => {
      c.assign(w.square());
      return gradients(c.mul(1) as Tensor<[]>, w);
    });
    expect(() => f()).toThrow(/does not depend on w/);
  });

  test("R14 gradients for a cell that was assigned after y was built are an error inside a program too", async () => {
    const w = variable(2, { name: "w" });
    const f = compile(() => {
      const y = w.square() as Tensor<[]>;
      w.assign(5);
      return gradients(y, w);
    });
    expect(() => f()).toThrow(/variable w was assigned after y was built/);
    expect(await w.item()).toBe(2);
  });
});

describe("R9, R10: what a traced function may do", () => {
  test("R9 it returns tensors in arrays and records, or nothing", async () => {
    expect(compile(() => {})()).toBeUndefined();
    const f = compile((x: Tensor) => ({ a: [x, x.add(1)], b: x }));
    const { a, b } = f([1]);
    expect([await array(a[0]!), await array(a[1]!), await array(b)]).toEqual([[1], [2], [1]]);
  });

  test("R9 a promise or a number is an error", () => {
    expect(() => compile((() => Promise.resolve(1)) as never)()).toThrow(/returned a promise[\s\S]*await their data outside/);
    expect(() => compile((async () => undefined) as never)).toThrow(/the function is async/);
    expect(() => compile((() => 3) as never)()).toThrow(/must return tensors/);
    expect(() => compile((() => ({ loss: 3 })) as never)()).toThrow(/loss/);
  });

  test("R9 a traced tensor that leaked out is an error that says so", async () => {
    let leaked: Tensor | undefined;
    const f = compile((x: Tensor) => {
      leaked = x.exp();
      return x;
    });
    await array(f([1]));
    await expect((async () => leaked!.array())()).rejects.toThrow(GraphError);
    await expect((async () => leaked!.array())()).rejects.toThrow(/traced|return/);
    await expect((async () => leaked!.add(1).array())()).rejects.toThrow(GraphError);
    const again = compile(() => leaked!.add(1));
    expect(() => again()).toThrow(GraphError);
  });

  test("R9 an argument that is no tensor, number, boolean or string is an error that names its place", () => {
    const f = compile((x: any) => x.a);
    expect(() => f({ a: null })).toThrow(/a.*null/);
    expect(() => f({ a: () => 1 })).toThrow(/a is a function/);
    expect(() => f(new Date())).toThrow(/Date/);
  });

  test("R10 asking for numbers while tracing throws at once and says what to do", () => {
    const ask = (f: (x: Tensor) => unknown): (() => unknown) => {
      const program = compile((x: Tensor) => {
        f(x);
        return x;
      });
      return () => program([1]);
    };
    for (const f of [(x: Tensor) => x.item(), (x: Tensor) => x.array(), (x: Tensor) => x.data()]) expect(ask(f)).toThrow(/return it|tap/);
    expect(ask((x) => (x as any) > 0)).toThrow(/not a number/);
  });

  test("R10 a loop is unrolled, branches on booleans are chosen at the trace", async () => {
    const f = compile((x: Tensor, up: boolean) => {
      for (let i = 0; i < 4; i++) x = up ? x.mul(2) : x.div(2);
      return x;
    });
    expect([await array(f([1], true)), await array(f([16], false))]).toEqual([[16], [1]]);
  });

  test("R10 tap reports once at every call", async () => {
    const told: unknown[] = [];
    const f = compile((x: Tensor) =>
      x
        .mul(2)
        .tap((v) => told.push(v))
        .add(1),
    );
    f([1, 2]);
    f([3, 4]);
    expect(told).toEqual([
      [2, 4],
      [6, 8],
    ]);
  });

  test("a variable cannot be made while tracing", () => {
    expect(() => compile(() => variable([1]).mul(1))()).toThrow(/while a function is being traced/);
  });

  test("a compiled function inside another is part of its program", async () => {
    const inner = compile((x: Tensor) => x.square());
    const outer = compile((x: Tensor) => inner(x).add(1));
    expect(await array(outer([3]))).toEqual([10]);
    expect([inner.programs, outer.programs]).toEqual([0, 1]);
  });
});

describe("R11, R12: failures leave everything as it was", () => {
  test("R11 a trace that throws leaves cells and generators alone, and the next call traces again", async () => {
    const w = variable([1, 2]);
    const rng = new Generator(3);
    let bad = true;
    const f = compile((x: Tensor) => {
      w.assign(w.add(rng.normal([2])));
      if (bad) throw new RangeError("mine");
      return x.add(w);
    });
    expect(() => f([0, 0])).toThrow(new RangeError("mine"));
    expect(await array(w)).toEqual([1, 2]);
    expect(rng.state).toEqual({ seed: 3, calls: 0 });
    // Outside again: building works as ever.
    expect(await array(tensor([1]).add(1))).toEqual([2]);
    bad = false;
    expect(await array(f([0, 0]))).toEqual(await array(w));
    expect([f.programs, rng.state.calls]).toEqual([1, 1]);
  });

  for (const device of ["wasm", "interpreter"] as const)
    test(`R11 a call with an index out of range changes no cell (${device})`, async () => {
      const w = variable(ones([4, 2]), { name: "table" });
      const count = variable(0);
      const f = compile(
        (i: Tensor) => {
          count.assign(count.add(1));
          w.assign(w.mul(2));
          const rows = w.gather(i);
          w.assign(w.add(1));
          return rows;
        },
        { device },
      );
      const index = (i: number): Tensor => tensor([0, i], { dtype: "int32" });
      expect(await array(f(index(3)))).toEqual([
        [2, 2],
        [2, 2],
      ]);
      await expect((async () => f(index(4)).array())()).rejects.toThrow(/index 4 is outside an axis of size 4/);
      expect([(await array(w))[0], await count.item()]).toEqual([[3, 3], 1]);
      expect(await array(f(index(0)))).toEqual([
        [6, 6],
        [6, 6],
      ]);
    });

  test("R12 the body of vmap reads cells and does not assign them", async () => {
    const w = variable([1, 2]);
    expect(await array(vmap((x: Tensor) => x.mul(w))(ones([3, 2])) as Tensor)).toEqual([
      [1, 2],
      [1, 2],
      [1, 2],
    ]);
    const assign = (x: Tensor): Tensor => {
      w.assign(x);
      return x;
    };
    expect(() => vmap(assign)(ones([3, 2]))).toThrow(/vmap/);
    expect(() => compile((x: Tensor) => vmap(assign)(x) as Tensor)(ones([3, 2]))).toThrow(/vmap/);
  });
});

describe("R17: draws", () => {
  test("R17 they depend on seed, call and place only: not on threads, target or what else is computed", async () => {
    const draws = async (device: "wasm" | "interpreter", threads: number, extra: boolean): Promise<unknown> => {
      const rng = new Generator(8);
      const f = compile(
        (x: Tensor) => {
          const a = rng.uniform([3]);
          const b = rng.bernoulli(0.5, [8]).cast("float32");
          return extra ? [a, b, x.exp().sum()] : [a, b];
        },
        { device, threads },
      );
      f(ones([2]));
      return Promise.all(
        f(ones([2]))
          .slice(0, 2)
          .map((x) => x.array()),
      );
    };
    const first = await draws("wasm", 1, false);
    expect(await draws("wasm", 2, true)).toEqual(first);
    expect(await draws("interpreter", 1, true)).toEqual(first);
  });

  test("R17 two draws in one call differ, and each call draws anew", async () => {
    const rng = new Generator(1);
    const f = compile(() => [rng.uniform([4]), rng.uniform([4])]);
    const [a, b] = f();
    const [c] = f();
    const numbers = await Promise.all([a!, b!, c!].map((x) => x.array()));
    expect(new Set(numbers.map(String)).size).toBe(3);
    expect(rng.state.calls).toBe(2);
  });
});

describe("R21 to R24, R27: time and devices", () => {
  test("R21 a call returns handles at once", async () => {
    const result = compile((x: Tensor) => x.sum())(ones([1000]));
    expect("then" in result).toBe(false);
    expect(await result.item()).toBe(1000);
  });

  test("R22 an error is told at every await of a result", async () => {
    const f = compile((i: Tensor) => [ones([2]).gather(i), i]);
    const [a, b] = f(tensor([9], { dtype: "int32" }));
    await expect(a!.array()).rejects.toThrow(/index 9/);
    await expect(b!.array()).rejects.toThrow(/index 9/);
    await expect(a!.add(1).array()).rejects.toThrow(/index 9/);
    expect(await array(f(tensor([1], { dtype: "int32" }))[0]!)).toEqual([1]);
  });

  test("R22 an error nobody awaited is thrown by the next call", async () => {
    const f = compile((i: Tensor) => ones([2]).gather(i));
    f(tensor([-3], { dtype: "int32" }));
    const other = compile((x: Tensor) => x.add(1));
    expect(() => other([1])).toThrow(/index -3/);
    expect(await array(other([1]))).toEqual([2]);
  });

  test("R22 a failed result as the argument of the next call is an error, not numbers", async () => {
    const f = compile((i: Tensor) => ones([2]).gather(i));
    const failed = f(tensor([5], { dtype: "int32" }));
    await expect(failed.array()).rejects.toThrow(/index 5/);
    const g = compile((x: Tensor) => x.add(1));
    await expect((async () => g(failed).array())()).rejects.toThrow(/index 5/);
  });

  test("R23 data is a copy", async () => {
    const f = compile((x: Tensor) => x.add(1));
    const y = f([1, 2]);
    (await y.data()).fill(9);
    expect(await array(y)).toEqual([2, 3]);
    const w = variable([1, 2]);
    (await w.data()).fill(9);
    expect(await array(w)).toEqual([1, 2]);
  });

  test("R24 the device of one program can be chosen, the default only before the first", async () => {
    const on = compile((x: Tensor) => x.mul(2), { device: "interpreter" });
    expect(await array(on([1]))).toEqual([2]);
    await array(tensor([1]).add(1));
    expect(() => configure({ threads: 1 })).toThrow(/a program has run already[\s\S]*compile\(f, \{ device \}\)/);
    expect(() => compile((x: Tensor) => x, { device: "gpu" as never })).toThrow(ArgumentError);
  });

  test("R27 what would write a value that is not finite commits nothing", async () => {
    const { sgd } = await import("gradus/optim");
    for (const device of ["wasm", "interpreter"] as const) {
      const w = variable([1, 1], { name: "w" });
      const optimizer = sgd([w], { lr: 1, momentum: 0.9 });
      const step = compile(
        (x: Tensor) => {
          const loss = w.mul(x).sum() as Tensor<[]>;
          optimizer.minimize(loss);
          return loss;
        },
        { device },
      );
      step([1, 2]);
      const before = [await array(w), await optimizer.step.item()];
      await expect((async () => step([Number.POSITIVE_INFINITY, 1]).item())()).rejects.toThrow(
        /the loss is not a finite number[\s\S]*no variable was changed/,
      );
      expect([await array(w), await optimizer.step.item()]).toEqual(before);
      expect(Number.isFinite(await step([1, 2]).item())).toBe(true);
    }
  });

  test("R27 guards can be extended to gradients, or left out", async () => {
    const { sgd } = await import("gradus/optim");
    const weightsWith = async (guard: "none" | "loss" | "gradients"): Promise<unknown> => {
      const w = variable([0], { name: "w" });
      const optimizer = sgd([w], { lr: 1 });
      // The square root of 0 is finite, its derivative is not.
      const step = compile(() => optimizer.minimize(w.sqrt().sum() as Tensor<[]>), { guard });
      step();
      try {
        compile((x: Tensor) => x)([1]);
      } catch (error) {
        expect(String(error)).toMatch(/the gradient of w is not a finite number/);
      }
      return array(w);
    };
    expect(await weightsWith("gradients")).toEqual([0]);
    expect(await weightsWith("loss")).not.toEqual([0]);
    expect(await weightsWith("none")).not.toEqual([0]);
  });
});
