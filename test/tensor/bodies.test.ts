/** Loops and branches over tensors: what their bodies may do, on the interpreter. */
import { describe, expect, test } from "vitest";
import { cond, loop } from "../../src/derive/bodies.ts";
import { compile, Generator, gradients, type Tensor, tensor, variable, vmap } from "../../src/index.ts";
import { errorOf } from "./error-of.ts";

const interpreter = { device: "interpreter" } as const;
const numbers = async (x: Tensor): Promise<unknown> => x.array();

describe("A loop over tensors", () => {
  test("carries and keeps trees, and its gradient goes to what it begins with, walks along and uses", async () => {
    const w = variable(tensor(2), { name: "w" });
    const step = compile((h: Tensor<[]>, xs: Tensor<[3]>) => {
      const { final, kept } = loop({ h }, xs, ({ h }, x) => ({ carry: { h: (h as Tensor).mul(w).add(x) as Tensor<[]> }, kept: [h] }));
      return { final: final.h, kept: kept[0]!, slopes: gradients(final.h, { h, xs, w }) };
    }, interpreter);
    const { final, kept, slopes } = step(tensor(1), tensor([1, 2, 3]));
    expect(await numbers(final)).toBe(19);
    expect(await numbers(kept)).toEqual([1, 3, 8]);
    expect([await numbers(slopes.h), await numbers(slopes.xs), await numbers(slopes.w)]).toEqual([8, [4, 2, 1], 18]);
  });

  test("is not compiled yet: on other devices the error says so, whoever asks", async () => {
    const sum = (xs: Tensor) => loop(tensor(0) as Tensor, xs, (s, x) => ({ carry: s.add(x), kept: [] })).final;
    for (const attempt of [() => compile(sum, { device: "wasm" })(tensor([1, 2])), () => sum(tensor([1, 2])).data()]) {
      const { message } = await errorOf(attempt);
      expect(message).toMatch(/^loop: is not compiled yet/);
      expect(message).toContain('device: "interpreter"');
    }
    expect(await numbers(compile(sum, interpreter)(tensor([1, 2])))).toBe(3);
  });

  test("of one example is a loop of many by vmap", async () => {
    const last = (xs: Tensor) => loop(tensor(1) as Tensor, xs, (s, x) => ({ carry: s.mul(x), kept: s })).kept;
    const many = compile((xs: Tensor) => vmap(last)(xs), interpreter);
    expect(await numbers(many(tensor([[2, 3, 4], [5, 6, 7]])))).toEqual([[1, 2, 6], [1, 5, 30]]); // biome-ignore format: rows
  });

  test("draws other numbers in each turn, others at each call, and the same ones from the same seed", async () => {
    const draws = (seed: number) => {
      const rng = new Generator(seed);
      const step = compile(
        () => loop(tensor(0) as Tensor, [], (s) => ({ carry: s, kept: rng.uniform([2]) }), { length: 3 }).kept,
        interpreter,
      );
      return Promise.all([step().data(), step().data()]);
    };
    const [first, second] = await draws(1);
    expect(new Set([...first!, ...second!]).size).toBe(12);
    expect(await draws(1)).toEqual([first, second]);
  });

  test("needs a length, and the same tree in every turn", () => {
    expect(() => loop(tensor(0) as Tensor, [], (s) => ({ carry: s, kept: [] }))).toThrow("loop: how many turns?");
    const changes = () =>
      loop({ s: tensor(0) } as { [key: string]: Tensor }, [], ({ s }) => ({ carry: { t: s! }, kept: [] }), { length: 2 });
    expect(changes).toThrow(/what is carried is .*s.*, then .*t/);
  });
});

describe("R12 bodies read cells and do not assign them, nor is anything in them looked at:", () => {
  const bodies: [string, (body: (x: Tensor) => Tensor) => unknown][] = [
    ["loop", (body) => loop(tensor([1]) as Tensor, [], (s) => ({ carry: body(s), kept: [] }), { length: 2 })],
    ["cond", (body) => cond(tensor(true), () => body(tensor([1])), () => tensor([2]) as Tensor)], // biome-ignore format: a row
  ];

  test.each(bodies)("%s", async (name, run) => {
    const cell = variable(tensor([3]), { name: "count" });
    const assigns = (x: Tensor): Tensor => {
      cell.assign(cell.add(1));
      return x;
    };
    for (const attempt of [() => run(assigns), () => compile(() => void run(assigns), interpreter)()]) {
      const { message } = await errorOf(attempt);
      expect(message).toContain(`count is assigned in the body of ${name}`);
      expect(message).toContain("assign it");
    }
    expect(await numbers(cell)).toEqual([3]);
    expect((await errorOf(() => run((x) => x.tap(() => {})))).message).toContain(`in the body of ${name} cannot be looked at`);
    const reads = compile(() => run((x) => x.add(cell)) as Tensor | { final: Tensor }, interpreter)();
    expect(await numbers("final" in reads ? reads.final : reads)).toEqual(name === "loop" ? [7] : [4]);
    expect(() => run((x) => tensor([x.item() as unknown as number]))).toThrow(/item/);
  });
});

describe("A branch over tensors", () => {
  test("is taken at each call by what the predicate is then", async () => {
    const f = compile(
      (x: Tensor<[2]>) =>
        cond(
          x.sum().gt(0) as Tensor<[]>,
          () => ({ y: x.square() as Tensor }),
          () => ({ y: x.neg() as Tensor }),
        ).y,
      interpreter,
    );
    expect(await numbers(f(tensor([1, 2])))).toEqual([1, 4]);
    expect(await numbers(f(tensor([-1, -2])))).toEqual([1, 2]);
  });

  test("gives the same tree, whichever is taken", () => {
    const differ = () => cond(tensor(true), () => [tensor(1)] as Tensor[], () => [tensor(1), tensor(2)]); // biome-ignore format: one line
    expect(differ).toThrow(/one branch gives 1 values, the other 2/);
  });
});
