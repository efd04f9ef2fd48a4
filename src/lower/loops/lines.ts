import { type Int, type IntLocal, int, type Statement, type Vec, type VecLocal, vec } from "../../kernel/loop.ts";

/** Code that is being written: statements, and names nobody else has. */
export class Lines {
  readonly statements: Statement[] = [];
  private readonly names: { next: number };

  constructor(names = { next: 0 }) {
    this.names = names;
  }

  /** Statements of an inner body, with names of the same series. */
  inner(): Lines {
    return new Lines(this.names);
  }

  fresh(name: string): string {
    return `${name}_${this.names.next++}`;
  }

  int(value: Int, name: string): Int {
    if (typeof value === "number" || "kind" in value) return value;
    const local = int(this.fresh(name));
    this.statements.push({ do: "int", local, value });
    return local;
  }

  vec(value: Vec, name = "v"): VecLocal {
    const local = vec(this.fresh(name), value.lane);
    this.statements.push({ do: "vec", local, value });
    return local;
  }

  loop(name: string, from: Int, to: Int, step: Int, body: (at: IntLocal, lines: Lines) => void): void {
    const local = int(this.fresh(name));
    const lines = this.inner();
    body(local, lines);
    this.statements.push({ do: "for", local, from, to, step, body: lines.statements });
  }

  when(test: Int, body: (lines: Lines) => void): void {
    const lines = this.inner();
    body(lines);
    this.statements.push({ do: "if", test, then: lines.statements });
  }
}
