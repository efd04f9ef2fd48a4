import { compile, gradients, type Tensor, tensor, variable } from "gradus";
import { ArrayDataset } from "gradus/data";
import { bceWithLogits, inference, init, Linear, mse, Sequential, tanh } from "gradus/nn";
import { adam } from "gradus/optim";
import { accuracy, type RunContext, recipe } from "gradus/train";
import { type HiddenLayerNet, TEXTBOOK, xorPicture } from "./xor-picture.ts";

const POINTS = [
  [0, 0],
  [0, 1],
  [1, 0],
  [1, 1],
] as const;
const INPUTS = Float32Array.from(POINTS.flat());
const TARGETS = Float32Array.of(0, 1, 1, 0);

const points = (): ArrayDataset => new ArrayDataset({ data: INPUTS, shape: [2] }, { data: TARGETS, shape: [1], dtype: "float32" });
const x = (): Tensor => tensor(INPUTS, [4, 2]);
const y = (): Tensor => tensor(TARGETS, [4, 1]);

interface Options {
  hidden: number;
  lr: number;
  steps: number;
  seeds: number;
}

const model = (o: { hidden: number }) => new Sequential(new Linear(2, o.hidden), tanh, new Linear(o.hidden, 1));

/** Where the command line wants programs to run. */
const placeOf = ({ device, threads }: RunContext) => ({ ...(device ? { device } : {}), ...(threads ? { threads } : {}) });

/** The weights of the book (Goodfellow, Bengio and Courville 2016, section 6.1): f(x) = wᵀ max(0, Wᵀx + c) + b. */
async function textbook(context: RunContext): Promise<boolean> {
  const { W, c, v, b } = TEXTBOOK;
  // A row of W is a hidden unit, as in a layer.
  const hidden = x()
    .matmul(tensor(W as number[][]).transpose())
    .add(c)
    .relu();
  const output = hidden.matmul(tensor(v as number[]).unsqueeze(1)).add(b);
  const values = Array.from(await output.data());
  context.say(`the textbook's weights give ${values.join(", ")} for ${POINTS.map((p) => `(${p})`).join(" ")}`);
  return values.every((value, i) => value === TARGETS[i]);
}

/** A linear model with mean squared error can do no better than ½ everywhere: gradient descent goes to w = 0, b = ½. */
async function linearModel(context: RunContext): Promise<number> {
  const w = variable([[0.7], [-0.4]], { name: "w" });
  const b = variable([0.1], { name: "b" });
  const rate = 0.5;
  const descend = compile(() => {
    const loss = mse(x().matmul(w).add(b), y());
    const [dw, db] = gradients(loss, [w, b]);
    w.assign(w.sub(dw!.mul(rate)));
    b.assign(b.sub(db!.mul(rate)));
    return loss;
  }, placeOf(context));
  for (let step = 0; step < 500; step++) await descend().item();
  const [w1, w2] = await w.data();
  const [bias] = await b.data();
  context.say(`the linear model ends at w = (${w1!.toFixed(6)}, ${w2!.toFixed(6)}), b = ${bias!.toFixed(6)}`);
  return Math.max(Math.abs(w1!), Math.abs(w2!), Math.abs(bias! - 0.5));
}

/** Random starts of the network with one hidden layer; for each seed the first step after which all four answers stay right; the last start's network is kept. */
async function randomStarts(o: Options, context: RunContext) {
  const net = init(model(o), context.seed);
  const optimizer = adam(net.parameters(), { lr: o.lr });
  const fresh = optimizer.stateDict();
  const step = compile((inputs: Tensor, targets: Tensor) => {
    const logits = net.forward(inputs, inference);
    const loss = bceWithLogits(logits, targets);
    optimizer.minimize(loss);
    return { loss, right: accuracy(logits, targets) };
  }, placeOf(context));
  const solvedAt: number[] = [];
  let start = context.seed;
  for (let seed = 0; seed < o.seeds && !context.signal.aborted; seed++) {
    start = context.seed + seed;
    net.loadStateDict(init(model(o), start).stateDict());
    optimizer.loadStateDict(fresh);
    let solved = Number.POSITIVE_INFINITY;
    for (let n = 0; n <= o.steps; n++) {
      // What a step reports was true before its update: after n steps.
      const right = (await step(x(), y()).right.item()) === 1;
      if (!right) solved = Number.POSITIVE_INFINITY;
      else if (solved > n) solved = n;
    }
    solvedAt.push(solved);
  }
  return { net, solvedAt, start };
}

/** The trained network, for the picture: tanh units, and a logit that is above 0 for true. */
export async function learntNet(net: ReturnType<typeof model>): Promise<HiddenLayerNet> {
  const [first, , second] = net.layers;
  return {
    W: (await first.weight.array()) as number[][],
    c: (await first.bias!.array()) as number[],
    g: Math.tanh,
    v: ((await second.weight.array()) as number[][])[0]!,
    b: (await second.bias!.data())[0]!,
    threshold: 0,
  };
}

/** Exclusive or: what a linear model cannot do, a hidden layer can. */
export default recipe({
  description: "exclusive or: the textbook's weights, a linear model, and 20 random starts",
  options: { hidden: 8, lr: 0.05, steps: 200, seeds: 20 },
  describe: {
    hidden: "units of the hidden layer",
    lr: "learning rate of Adam",
    steps: "how long each random start may learn",
    seeds: "how many random starts there are",
  },
  epochs: 200,
  batchSize: 4,
  input: { kind: "row", columns: 2 },
  classes: ["false", "true"],
  model,
  data: async () => ({ train: points(), test: points() }),
  loss: bceWithLogits,
  optimizer: (net, o) => adam(net.parameters(), { lr: o.lr }),
  metrics: { accuracy },
  probabilities: (logits) =>
    logits
      .neg()
      .sigmoid()
      .mul(tensor([[1, 0]]))
      .add(logits.sigmoid().mul(tensor([[0, 1]]))),
  run: async (o, context) => {
    const exact = await textbook(context);
    const distance = await linearModel(context);
    const { net, solvedAt, start } = await randomStarts(o, context);
    const solved = solvedAt.filter((n) => n <= o.steps).length;
    const slowest = Math.max(...solvedAt.filter((n) => n <= o.steps));
    const learnt = await learntNet(net);
    await context.write(
      "hidden-space.svg",
      xorPicture([
        { title: `Learnt: ${o.hidden} tanh units, random start ${start}`, net: learnt },
        { title: "The book's weights: Goodfellow, Bengio and Courville, section 6.1", net: TEXTBOOK },
      ]),
    );
    context.say("hidden-space.svg shows why it works: the hidden layer folds the plane until one line is enough");
    return {
      model: net,
      scores: { textbookExact: exact ? 1 : 0, linearDistance: distance, solved, seeds: o.seeds, slowestSteps: Math.max(...solvedAt) },
      passed: exact && distance < 1e-4 && solved === o.seeds,
      summary: `${solved} of ${o.seeds} random starts learnt it within ${o.steps} steps${solved > 0 ? `, the slowest in ${slowest}` : ""}`,
    };
  },
});
