/** Names in a folder of checkpoints, and of files that are being written. */

const CHECKPOINT = /^step-(\d{1,15})\.safetensors$/;

export const checkpointName = (step: number): string => `step-${String(step).padStart(9, "0")}.safetensors`;

/** The step in a checkpoint's name; undefined for other names. */
export function stepInName(name: string): number | undefined {
  const digits = CHECKPOINT.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

const LOCK = /^lock-(\d{1,9})$/;

/** The number in a lock's name; undefined for other names. */
export function numberOfLock(name: string): number | undefined {
  const digits = LOCK.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** True for a file from which a lock is made, or was released. */
export const isLockTemporary = (name: string): boolean => /^lock[.-].*\.tmp$/.test(name);

/** True for the names that a lock has, and its temporary files. */
export const isLockName = (name: string): boolean => LOCK.test(name) || isLockTemporary(name);

let written = 0;
/** A name beside `path` that no other write uses: process, count, time. */
export const temporaryName = (path: string): string => `${path}.${process.pid}-${++written}-${Date.now().toString(36)}.tmp`;

/** True for what a write leaves that was cut off. */
export const isTemporary = (name: string): boolean => /\.\d+-\d+-[\da-z]+\.tmp$/.test(name);
