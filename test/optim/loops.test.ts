/** Training loops without `compile`: the numbers of the compiled ones, a bounded number of programs, and graphs that do not grow. */
import { compile, Generator, type Tensor, tensor, type Variable, variable, zeros } from "gradus";
import { Dropout, inference, init, Linear, mse, Sequential, tanh, training } from "gradus/nn";
import { adagrad, adam, adamW, cosine, exponential, type Optimizer, rmsprop, sgd, warmup } from "gradus/optim";
import { describe, expect, test } from "vitest";
import { topological } from "../../src/graph/walk.ts";
import { eagerPrograms } from "../../src/run/eager.ts";

const optimizers: Record<string, (p: readonly Variable[]) => Optimizer> = {
  sgd: (p) => sgd(p, { lr: 0.05 }),
  "sgd with decay and l1": (p) => sgd(p, { lr: 0.05, weightDecay: 0.01, l1: 0.001 }),
  momentum: (p) => sgd(p, { lr: 0.02, momentum: 0.9 }),
  "momentum with dampening": (p) => sgd(p, { lr: 0.02, momentum: 0.9, dampening: 0.3 }),
  nesterov: (p) => sgd(p, { lr: 0.02, momentum: 0.9, nesterov: true }),
  rmsprop: (p) => rmsprop(p, { lr: 0.01 }),
  "rmsprop centred with momentum": (p) => rmsprop(p, { lr: 0.003, centered: true, momentum: 0.8 }),
  adagrad: (p) => adagrad(p, { lr: 0.05, lrDecay: 0.01 }),
  adam: (p) => adam(p, { lr: 0.01 }),
  "adam with weight decay": (p) => adam(p, { lr: 0.01, weightDecay: 0.01 }),
  adamW: (p) => adamW(p, { lr: 0.01 }),
  "adam with clipNorm": (p) => adam(p, { lr: 0.01, clipNorm: 0.5 }),
  "momentum with clipValue": (p) => sgd(p, { lr: 0.02, momentum: 0.9, clipValue: 0.1 }),
  "adam with a cosine": (p) => adam(p, { lr: cosine({ peak: 0.02, steps: 200, warmup: 20 }) }),
  "momentum with a falling rate": (p) => sgd(p, { lr: exponential({ start: 0.05, factor: 0.99 }), momentum: 0.9 }),
  "rmsprop with a warm-up": (p) => rmsprop(p, { lr: warmup(0.01, { steps: 30 }) }),
};

const x = tensor(Array.from({ length: 8 }, (_, i) => [Math.sin(i), Math.cos(2 * i), i / 8])) as Tensor;
const y = tensor(Array.from({ length: 8 }, (_, i) => [Math.sin(i) * Math.cos(2 * i)])) as Tensor;
const network = (): Sequential => init(new Sequential(new Linear(3, 6), tanh, new Linear(6, 1)), 3) as Sequential;

type Step = () => Tensor;

/** The losses of so many steps, read one by one, and how many programs the last of them made outside `compile`. */
async function losses(step: Step, steps: number, warm = 20): Promise<{ values: number[]; programs: number }> {
  const values: number[] = [];
  let before = 0;
  for (let i = 0; i < steps; i++) {
    if (i === warm) before = eagerPrograms().made;
    values.push(await step().item());
  }
  return { values, programs: eagerPrograms().made - before };
}

/** The same step with and without `compile`: the same losses, and no new program after the first steps. */
async function agree(make: () => Step, { steps = 200, digits = 5 } = {}): Promise<number[]> {
  const compiled = await losses(compile(make()) as unknown as Step, steps);
  const eager = await losses(make(), steps);
  eager.values.forEach((v, i) => {
    expect(v, `step ${i}`).toBeCloseTo(compiled.values[i]!, digits);
  });
  expect(eager.programs).toBe(0);
  return eager.values;
}

describe("a loop without compile has the losses of the compiled one, and makes no program after its first steps", () => {
  for (const [name, make] of Object.entries(optimizers))
    test(name, async () => {
      const values = await agree(() => {
        const model = network();
        const optimizer = make(model.parameters());
        return () => {
          const loss = mse(model.forward(x, inference), y);
          optimizer.minimize(loss);
          return loss;
        };
      });
      expect(values.at(-1)!).toBeLessThan(values[0]! * 0.9);
    });

  test("dropout, an average of the weights and running statistics by hand", async () => {
    await agree(
      () => {
        const model = init(new Sequential(new Linear(3, 6), tanh, new Dropout(0.3), new Linear(6, 1)), 3);
        const rng = new Generator(5);
        const optimizer = adam(model.parameters(), { lr: 0.01 });
        const means = model.parameters().map((p) => variable(zeros(p.shape), { trainable: false }));
        const running = variable(zeros([3]), { trainable: false });
        return () => {
          running.assign(running.mul(0.9).add(x.mean(0).mul(0.1)));
          const loss = mse(model.forward(x.sub(running.value), training(rng)), y);
          optimizer.minimize(loss);
          means.forEach((mean, i) => {
            mean.assign(mean.mul(0.95).add(model.parameters()[i]!.value.mul(0.05)));
          });
          return loss;
        };
      },
      { digits: 4 },
    );
  });

  test("a state carried from step to step", async () => {
    await agree(() => {
      const w = variable(0.5, { name: "w" });
      const h = variable(1, { trainable: false });
      const optimizer = sgd([w], { lr: 0.01 });
      return () => {
        const next = w.mul(h.value).tanh();
        h.assign(next);
        const loss = next.sub(1).square();
        optimizer.minimize(loss);
        return loss;
      };
    });
  });

  test("a state carried in a tensor, detached at every step", async () => {
    const w = variable(0.5, { name: "w" });
    const optimizer = adam([w], { lr: 0.01 });
    let h: Tensor = tensor(1);
    const step = (): Tensor => {
      const next = w.mul(h).tanh();
      const loss = next.sub(1).square();
      optimizer.minimize(loss);
      h = next.detach();
      return loss;
    };
    const other = variable(0.5);
    const second = adam([other], { lr: 0.01 });
    const compiled = compile((state: Tensor) => {
      const next = other.mul(state).tanh();
      const loss = next.sub(1).square();
      second.minimize(loss);
      return { loss, next };
    });
    let state: Tensor = tensor(1);
    const expected: number[] = [];
    for (let i = 0; i < 200; i++) {
      const result = compiled(state);
      state = result.next;
      expected.push(await result.loss.item());
    }
    const { values, programs } = await losses(step, 200);
    values.forEach((v, i) => {
      expect(v, `step ${i}`).toBeCloseTo(expected[i]!, 5);
    });
    expect(programs).toBe(0);
    expect(topological([h.mul(1).node()]).length).toBeLessThan(5);
  });

  test("two models that share a cell, each with an optimiser", async () => {
    await agree(() => {
      const [a, b, shared] = [variable([[0.1], [0.2], [0.3]]), variable([[0.3], [0.1], [0.2]]), variable([0.1])];
      const one = adam([a, shared], { lr: 0.01 });
      const two = sgd([b, shared], { lr: 0.01, momentum: 0.9 });
      return () => {
        const first = mse(x.matmul(a).add(shared), y);
        one.minimize(first);
        const second = mse(x.matmul(b).add(shared), y);
        two.minimize(second);
        return first.add(second);
      };
    });
  });

  test("two that work against each other, of which only one loss is read", async () => {
    const final: number[] = [];
    const make = (): Step => {
      const [g, d] = [variable([[0.1], [0.2], [0.3]]), variable([[0.5]])];
      const [gs, ds] = [adam([g], { lr: 0.01 }), adam([d], { lr: 0.01 })];
      return () => {
        const forDisc = x.matmul(g).detach().mul(d).sub(y).square().mean();
        ds.minimize(forDisc);
        const forGen = x.matmul(g).mul(d).sub(y).square().mean();
        gs.minimize(forGen);
        return forGen;
      };
    };
    final.push(...(await agree(make)));
    expect(final.at(-1)!).toBeLessThan(final[0]!);
  });
});

describe("loops that do not read their loss", () => {
  const train = (steps: number): { model: Sequential; optimizer: Optimizer; step: () => void } => {
    const model = network();
    const optimizer = adam(model.parameters(), { lr: 0.01 });
    const step = (): void => optimizer.minimize(mse(model.forward(x, inference), y));
    for (let i = 0; i < steps; i++) step();
    return { model, optimizer, step };
  };

  test("compute the same weights, however long nobody looks", async () => {
    const { model } = train(200);
    const other = network();
    const optimizer = adam(other.parameters(), { lr: 0.01 });
    const step = compile(() => optimizer.minimize(mse(other.forward(x, inference), y)));
    for (let i = 0; i < 200; i++) step();
    const [found, expected] = [await model.parameters()[0]!.data(), await other.parameters()[0]!.data()];
    found.forEach((v, i) => {
      expect(v).toBeCloseTo(expected[i]!, 4);
    });
  });

  test("need no more programs for 400 steps than for 40", async () => {
    train(20);
    const before = eagerPrograms().made;
    const { step, model } = train(40);
    await model.parameters()[0]!.data();
    const first = eagerPrograms().made - before;
    for (let i = 0; i < 400; i++) step();
    await model.parameters()[0]!.data();
    expect(eagerPrograms().made - before - first).toBeLessThanOrEqual(3);
  });

  test("hold the last steps, not all of them", () => {
    const size = (variables: readonly Variable[]): number => {
      let values = 0;
      const seen = new Set<Tensor>();
      const open = variables.map((v) => v.content());
      for (let x = open.pop(); x; x = open.pop()) {
        if (seen.has(x) || x.storage) continue;
        seen.add(x);
        for (const v of topological([x.recipe()])) {
          values++;
          const holder = v.op.kind === "leaf" && v.op.source === "variable" ? (v.attributes as { cell: Tensor }).cell : undefined;
          if (holder) open.push(holder);
        }
      }
      return values;
    };
    const [short, long] = [train(24), train(240)];
    expect(size(long.model.parameters())).toBeLessThanOrEqual(size(short.model.parameters()));
  });

  test("reading now and then, at no regular interval, needs few programs", async () => {
    const { step, model } = train(20);
    for (const pause of [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]) {
      for (let i = 0; i < pause; i++) step();
      await model.parameters()[0]!.data();
    }
    const before = eagerPrograms().made;
    for (const pause of [3, 1, 7, 2, 15, 1, 4, 9, 6, 1, 30, 5, 8, 10, 2]) {
      for (let i = 0; i < pause; i++) step();
      await model.parameters()[0]!.data();
    }
    expect(eagerPrograms().made - before).toBeLessThanOrEqual(4);
  });
});
