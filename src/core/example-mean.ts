/** Losses that say what they are: layers make them, training asks. */

const exampleMeans = new WeakSet<object>();

/**
 * A loss that is a mean over examples unless its options say otherwise, so that the means of batches make that of all. It says so itself, and no list
 * names it: a page's bundle holds the losses that the page uses, where their calls of this are marked pure.
 */
export function exampleMean<F extends object>(name: string, loss: F): F {
  exampleMeans.add(loss);
  return Object.defineProperty(loss, "name", { value: name });
}

/** Whether `exampleMean` made this loss. */
export const isExampleMean = (f: object | undefined): boolean => f !== undefined && exampleMeans.has(f);
