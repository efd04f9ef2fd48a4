/** What the types of shapes accept and refuse: checked by the compiler, never run. */
import { concat, maskedFill, maximum, scatterAdd, type Tensor, tensor, tril, triu, type Variable, variable, zeros } from "gradus";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
declare function is<S>(): <T>(
  t: { readonly shape: T },
  ...no: Equal<[...(T & readonly unknown[])], [...(S & readonly unknown[])]> extends true ? [] : [got: T]
) => void;
declare const n: number;
declare const batch: Tensor<[number, 784]>;
declare const plain: Tensor;

// Literals give their shape without `as const`.
const m = tensor([
  [1, 2],
  [3, 4],
]);
is<[2, 2]>()(m);
is<[]>()(tensor(3));
is<[]>()(tensor(3).sum(0));
is<[]>()(tensor(3).sum([-1], { keepDims: true }));
// @ts-expect-error a scalar counts as [1]
tensor(3).sum(1);
is<[3]>()(tensor([true, false, true]));
is<[2, 1, 3]>()(tensor([[[1, 2, 3]], [[4, 5, 6]]]));
const rows: number[][] = [[1, 2]];
is<[number, number]>()(tensor(rows));
is<[28, 28]>()(tensor(new Float32Array(784), [28, 28]));
is<[number]>()(tensor(new Float32Array(784)));
// @ts-expect-error the rows have different lengths
tensor([[1, 2], [3]]);

// Functions that keep the shape.
is<[2, 2]>()(tril(m));
is<[number, 784]>()(triu(batch, 1));
is<[2, 2]>()(maskedFill(m, m.gt(0), 0));
is<[2, 2]>()(scatterAdd(m, tensor([0], { dtype: "int32" }), 1));
is<[2, 2]>()(m.cumprod());

// Broadcasting.
is<[2, 2]>()(m.add(1));
is<[2, 2]>()(m.add([0, -1]));
is<[5, 4, 3]>()(zeros([5, 1, 3]).add(zeros([4, 3])));
is<[number, 784]>()(batch.add(zeros([784])));
is<[64, 784]>()(batch.add(zeros([64, 784])));
is<[2, 2]>()(maximum(0, m));
// @ts-expect-error 2 is not 3
m.add(zeros([3]));
// @ts-expect-error 2 is not 3
m.add([1, 2, 3]);
// @ts-expect-error 2 is not 3
maximum(m, [1, 2, 3]);

// Products.
is<[2, 3]>()(
  m.matmul(
    tensor([
      [1, 2, 3],
      [4, 5, 6],
    ]),
  ),
);
is<[7, 2, 5]>()(zeros([7, 2, 3]).matmul(zeros([3, 5])));
is<[8, 7, 2, 5]>()(zeros([8, 1, 2, 3]).matmul(zeros([7, 3, 5])));
is<[2]>()(m.matmul(zeros([2])));
is<[number, 10]>()(batch.matmul(zeros([784, 10])));
// @ts-expect-error inner sizes differ
m.matmul(tensor([[1, 2, 3]]));
// @ts-expect-error inner sizes differ
batch.matmul(zeros([10, 784]));
// @ts-expect-error batches 2 and 3 do not fit
zeros([2, 4, 5]).matmul(zeros([3, 5, 6]));

// Axes.
const x4 = zeros([8, 3, 32, 30]);
is<[8, 3, 30, 32]>()(x4.transpose());
is<[3, 8, 32, 30]>()(x4.transpose(0, 1));
is<[8, 32, 30, 3]>()(x4.permute([0, 2, 3, 1]));
is<[]>()(x4.sum());
is<[8, 3, 32]>()(x4.sum(-1));
is<[8, 32]>()(x4.mean([1, 3]));
is<[8, 1, 32, 1]>()(x4.max([1, -1], { keepDims: true }));
is<[1, 1, 1, 1]>()(x4.std(undefined, { keepDims: true }));
is<[]>()(x4.argmax());
is<[8, 3]>()(x4.argmax([2, 3]));
is<[8, 3, 1, 30]>()(x4.argmin(-2, { keepDims: true }));
// @ts-expect-error no axis 4
x4.sum(4);
// @ts-expect-error no axis 4
x4.argmax([0, 4]);
// @ts-expect-error no axis 5
x4.transpose(0, 5);
// @ts-expect-error three of four axes
x4.permute([0, 1, 2]);

// Reshape and concatenation.
is<[number, 784]>()(zeros([64, 1, 28, 28]).reshape([-1, 784]));
is<[4, 1]>()(m.reshape([4, 1]));
is<[number, 784]>()(plain.as<[number, 784]>());
is<[number, 784]>()(plain.as([-1, 784]));
// @ts-expect-error only one -1
m.reshape([-1, -1]);
is<[number, 2]>()(concat([m, zeros([3, 2])], 0));
// @ts-expect-error differ outside the joined axis
concat([m, zeros([3, 3])], 0);

// Variables are tensors.
const w = variable(zeros([784, 10]), { name: "W" });
is<[784, 10]>()(w);
is<[number, 10]>()(batch.matmul(w));
const w2: Variable<[2, 2]> = variable([
  [1, 1],
  [1, 1],
]);
is<[2, 2]>()(w2.value);

// A plain Tensor flows everywhere, both ways.
const wants = (x: Tensor<[number, 784]>): Tensor => x;
wants(plain);
const back: Tensor<[64, 10]> = plain;
plain.add(m).matmul(plain).sum(0).reshape([n, 3]).transpose();
m.matmul(plain).add(batch);
wants(batch.add(plain));
const list: Tensor[] = [m, batch, plain];
concat(list, 0);
// @ts-expect-error a known wrong shape does not flow
wants(m);
void back;

// A union of shapes has every method.
declare const either: Tensor<[1]> | Tensor<[2, 3]>;
const summed: Tensor = either.add(1).matmul(plain);
void summed;

// Operators of the language are refused.
// @ts-expect-error an object is no number
void (plain > 3);
