/**
 * The error function 2/√π ∫₀ˣ e^−t² dt to less than one unit in the last place (fdlibm, s_erf.c, Sun Microsystems 1993): rational functions on
 * four intervals, of what is left of a simple estimate.
 */

/** c₀ + x·(c₁ + x·(…)). */
const polynomial = (x: number, coefficients: readonly number[]): number => coefficients.reduceRight((sum, c) => sum * x + c, 0);

/** x + x·P(x²)/Q(x²) for |x| < 0.84375. */
const SMALL_P = [0.12837916709551256, -0.3250421072470015, -0.02848174957559851, -0.005770270296489442, -0.000023763016656650163];
const SMALL_Q = [1, 0.39791722395915535, 0.0650222499887673, 0.005081306281875766, 0.00013249473800432164, -0.000003960228278775368];
/** MIDDLE + P(|x| − 1)/Q(|x| − 1) below 1.25. */
const MIDDLE = 0.8450629115104675;
const MIDDLE_P = [
  -0.0023621185607526594, 0.41485611868374833, -0.3722078760357013, 0.31834661990116175, -0.11089469428239668, 0.035478304325618236,
  -0.002166375594868791,
];
const MIDDLE_Q = [
  1, 0.10642088040084423, 0.540397917702171, 0.07182865441419627, 0.12617121980876164, 0.01363708391202905, 0.011984499846799107,
];
/** 1 − e^(−x² − 0.5625 + P(1/x²)/Q(1/x²))/|x|, below 1/0.35 … */
const FAR_P = [
  -0.009864944034847148, -0.6938585727071818, -10.558626225323291, -62.375332450326006, -162.39666946257347, -184.60509290671104,
  -81.2874355063066, -9.814329344169145,
];
const FAR_Q = [
  1, 19.651271667439257, 137.65775414351904, 434.56587747522923, 645.3872717332679, 429.00814002756783, 108.63500554177944,
  6.570249770319282, -0.0604244152148581,
];
/** … and below 6. */
const FARTHER_P = [
  -0.0098649429247001, -0.799283237680523, -17.757954917754752, -160.63638485582192, -637.5664433683896, -1025.0951316110772,
  -483.5191916086514,
];
const FARTHER_Q = [
  1, 30.33806074348246, 325.7925129965739, 1536.729586084437, 3199.8582195085955, 2553.0504064331644, 474.52854120695537,
  -22.44095244658582,
];

export function erf(x: number): number {
  const a = Math.abs(x);
  if (Number.isNaN(x)) return x;
  if (a < 0.84375) {
    // Written so that denormals keep their digits.
    if (a < 2 ** -28) return a < 2 ** -1000 ? (16 * x + 16 * SMALL_P[0]! * x) / 16 : x + SMALL_P[0]! * x;
    const square = x * x;
    return x + x * (polynomial(square, SMALL_P) / polynomial(square, SMALL_Q));
  }
  const sign = Math.sign(x);
  if (a < 1.25) return sign * (MIDDLE + polynomial(a - 1, MIDDLE_P) / polynomial(a - 1, MIDDLE_Q));
  return a >= 6 ? sign : sign * (1 - complement(a));
}

/** erfc a for 1.25 ≤ a < 6. */
function complement(a: number): number {
  const inverse = 1 / (a * a);
  const [p, q] = a < 1 / 0.35 ? [FAR_P, FAR_Q] : [FARTHER_P, FARTHER_Q];
  const ratio = polynomial(inverse, p) / polynomial(inverse, q);
  // a² is taken in two parts, the first exact.
  const head = Math.fround(a);
  return (Math.exp(-head * head - 0.5625) * Math.exp((head - a) * (head + a) + ratio)) / a;
}
