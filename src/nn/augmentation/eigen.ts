/**
 * Eigenvalues, largest first, and eigenvectors (the columns) of a small symmetric matrix, by Jacobi's rotations (Golub and Van Loan, 8.5): each makes one pair of
 * elements zero. The largest element of each vector is positive, so that equal matrices have equal vectors.
 */
export function symmetricEigen(matrix: readonly (readonly number[])[]): { values: number[]; vectors: number[][] } {
  const n = matrix.length;
  const a = matrix.map((row) => [...row]);
  const v = a.map((_, i) => a.map((_, j) => (i === j ? 1 : 0)) as number[]);
  // Convergence is quadratic; this many sweeps are far more than a small matrix takes.
  for (let sweep = 0; sweep < 64; sweep++) {
    let moved = false;
    for (let p = 0; p < n; p++)
      for (let q = p + 1; q < n; q++)
        if (Math.abs(a[p]![q]!) > Number.EPSILON * 1e-3 * Math.sqrt(Math.abs(a[p]![p]! * a[q]![q]!)) && a[p]![q] !== 0) {
          rotate(a, v, p, q);
          moved = true;
        }
    if (!moved) break;
  }
  const order = a.map((_, k) => k).sort((i, j) => a[j]![j]! - a[i]![i]!);
  const signs = order.map((k) => Math.sign(v.map((row) => row[k]!).reduce((most, x) => (Math.abs(x) > Math.abs(most) ? x : most))));
  return { values: order.map((k) => a[k]![k]!), vectors: v.map((row) => order.map((k, i) => row[k]! * signs[i]!)) };
}

/** a ← JᵀaJ and v ← vJ with the rotation in the plane of p and q that makes a[p][q] zero. */
function rotate(a: number[][], v: number[][], p: number, q: number): void {
  const theta = (a[q]![q]! - a[p]![p]!) / (2 * a[p]![q]!);
  const t = (theta >= 0 ? 1 : -1) / (Math.abs(theta) + Math.hypot(theta, 1));
  const c = 1 / Math.hypot(t, 1);
  const s = t * c;
  const mix = (row: number[]): void => {
    [row[p], row[q]] = [c * row[p]! - s * row[q]!, s * row[p]! + c * row[q]!];
  };
  for (const row of a) mix(row);
  for (let k = 0; k < a.length; k++) [a[p]![k], a[q]![k]] = [c * a[p]![k]! - s * a[q]![k]!, s * a[p]![k]! + c * a[q]![k]!];
  for (const row of v) mix(row);
}
