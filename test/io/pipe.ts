import { execFileSync } from "node:child_process";

/** A named pipe, which Node itself cannot make: who opens it to read waits for somebody who writes. */
export const makePipe = (path: string): Buffer => execFileSync("sh", ["-c", 'mkfifo "$1"', "sh", path]);
