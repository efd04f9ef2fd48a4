/**
 * The reference interpreter: forward propagation through a graph (Goodfellow, Bengio, Courville, *Deep Learning*, Algorithm 6.1), one node
 * after another in float64. Naive on purpose: it is the oracle that everything fast is tested against.
 */
import { isFloat, store } from "../core/dtype.ts";
import { GraphError, outOfRange } from "../core/errors.ts";
import { showShape, sizeOf } from "../core/shape.ts";
import type { Body, ConstantAttributes, IotaAttributes, Nested, NestedAttributes, ResultAttributes, Value } from "../graph/op.ts";
import { topological } from "../graph/walk.ts";
import { computeIndexed, computeReduce } from "./along.ts";
import { computeContract } from "./contract.ts";
import { scalarFunction } from "./elementwise.ts";
import { computeMove, computePlace } from "./maps.ts";

/** The elements of a value in row-major order; integers and bools as numbers. */
export type Numbers = Float64Array;

export interface EvaluateOptions {
  /** Round float32 results to float32 after each node, as a machine would; otherwise float64 is kept throughout. */
  readonly round?: boolean;
}

/** Numbers for arguments and variables. */
export type Inputs = ReadonlyMap<Value, ArrayLike<number>>;

/** The numbers of the outputs. Errors: an argument or variable without numbers, an index outside its axis. */
export function evaluate(outputs: readonly Value[], inputs: Inputs = new Map(), options: EvaluateOptions = {}): Numbers[] {
  const order = topological(outputs);
  const uses = new Map<Value, number>();
  for (const v of order) for (const x of v.inputs) uses.set(x, (uses.get(x) ?? 0) + 1);
  for (const v of outputs) uses.set(v, (uses.get(v) ?? 0) + 1);
  const known = new Map<Value, Numbers>();
  for (const v of order) {
    known.set(
      v,
      evaluateNode(
        v,
        v.inputs.map((x) => known.get(x)!),
        inputs,
        options,
      ),
    );
    // What nobody needs any more is forgotten at once.
    for (const x of v.inputs) {
      uses.set(x, uses.get(x)! - 1);
      if (uses.get(x) === 0) known.delete(x);
    }
  }
  return outputs.map((v) => known.get(v)!);
}

/** The numbers of every node of the graph: what back-propagation needs. */
export function evaluateAll(outputs: readonly Value[], inputs: Inputs = new Map(), options: EvaluateOptions = {}): Map<Value, Numbers> {
  const known = new Map<Value, Numbers>();
  for (const v of topological(outputs))
    known.set(v, evaluateNode(v, v.inputs.map((x) => known.get(x)!), inputs, options)); // biome-ignore format: one step
  return known;
}

/** One node from the numbers of its inputs. */
export function evaluateNode(v: Value, args: readonly Numbers[], inputs: Inputs, options: EvaluateOptions): Numbers {
  const result = compute(v, args, inputs, options);
  if (isFloat(v.dtype) && !(options.round && v.dtype === "float32")) return result;
  const { kind } = v.op;
  if (kind === "move" || kind === "custom" || kind === "nested" || kind === "result") return result;
  return result.map((x) => store(x, v.dtype));
}

function compute(v: Value, args: readonly Numbers[], inputs: Inputs, options: EvaluateOptions): Numbers {
  switch (v.op.kind) {
    case "leaf":
      return computeLeaf(v, inputs);
    case "elementwise":
      return computeElementwise(v, args);
    case "move":
      return computeMove(v, v.op, args[0]!);
    case "place":
      return computePlace(v, v.op, args);
    case "reduce":
      return computeReduce(v, v.op, args[0]!);
    case "contract":
      return computeContract(v, args[0]!, args[1]!);
    case "indexed":
      return computeIndexed(v, v.op, args);
    case "serial":
      return v.op.compute(args, v, v.attributes);
    case "custom":
      return args[0]!;
    case "nested":
      return computeNested(v.op, v.attributes as NestedAttributes, args, options);
    case "result":
      return resultsOf.get(args[0]!)![(v.attributes as ResultAttributes).index]!;
  }
}

/** What the numbers of a token, of which there are none, stand for. */
const resultsOf = new WeakMap<Numbers, readonly Numbers[]>();

function computeNested(op: Nested, attributes: NestedAttributes, args: readonly Numbers[], options: EvaluateOptions): Numbers {
  const run = ({ parameters, results }: Body, inputs: readonly Numbers[]): Numbers[] =>
    evaluate(results, new Map(parameters.map((p, i) => [p, inputs[i]!])), options);
  const token = new Float64Array(0);
  resultsOf.set(token, op.compute(args, attributes, run));
  return token;
}

function computeLeaf(v: Value, inputs: Inputs): Numbers {
  const given = inputs.get(v);
  if (given) {
    if (given.length !== sizeOf(v.shape))
      throw new GraphError(`evaluate: ${given.length} numbers for ${showShape(v.shape)}`, { site: v.site });
    return Float64Array.from(given);
  }
  switch (v.op.kind === "leaf" && v.op.source) {
    case "constant":
      return Float64Array.from((v.attributes as ConstantAttributes).data);
    case "iota": {
      const { shape, axis } = v.attributes as IotaAttributes;
      const inner = sizeOf(shape.slice(axis + 1));
      return new Float64Array(sizeOf(shape)).map((_, i) => Math.floor(i / inner) % shape[axis]!);
    }
    default:
      throw new GraphError(`evaluate: ${v.op.name} ${v.id} of shape ${showShape(v.shape)} has no numbers`, {
        help: "give them in the map of inputs",
        site: v.site,
      });
  }
}

function computeElementwise(v: Value, args: readonly Numbers[]): Numbers {
  const { label = v.op.name, fromEnd = false } = (v.attributes ?? {}) as { label?: string; fromEnd?: boolean };
  const f = scalarFunction(v, (index, bound) => {
    throw outOfRange({ label, bound, fromEnd }, index, v.site);
  });
  const result = new Float64Array(sizeOf(v.shape));
  const element = new Array<number>(args.length);
  for (let i = 0; i < result.length; i++) {
    for (let k = 0; k < args.length; k++) element[k] = args[k]![i]!;
    result[i] = f(element);
  }
  return result;
}
