/** Axes that belong together. */

/** Neighbouring axes that are run through as one. */
export interface AxisGroup {
  /** The axis whose steps the group moves by. */
  readonly axis: number;
  readonly size: number;
  /** The others. */
  readonly absorbed: readonly number[];
}

export interface MergeOptions {
  readonly sizes: readonly number[];
  /** The strides of everything that moves along the axes, each by axis. */
  readonly strides: readonly (readonly number[])[];
  /** False where two neighbours must stay apart for other reasons. */
  readonly may?: (outer: number, inner: number) => boolean;
}

/** Neighbours become one axis where stepping once along the outer is stepping through all of the inner, for everything that moves. */
export function mergeAxes(axes: readonly number[], { sizes, strides, may = () => true }: MergeOptions): AxisGroup[] {
  const groups: AxisGroup[] = [];
  for (const axis of axes) {
    const last = groups.at(-1);
    const size = sizes[axis]!;
    const trivial = last !== undefined && (last.size === 1 || size === 1);
    const one = last && may(last.axis, axis) && (trivial || strides.every((s) => (s[last.axis] ?? 0) === (s[axis] ?? 0) * size));
    if (!one) groups.push({ axis, size, absorbed: [] });
    else {
      const [kept, gone] = size === 1 ? [last.axis, axis] : [axis, last.axis];
      groups[groups.length - 1] = { axis: kept, size: last.size * size, absorbed: [...last.absorbed, gone] };
    }
  }
  return groups;
}
