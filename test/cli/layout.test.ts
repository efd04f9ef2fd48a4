import pc from "picocolors";
import { describe, expect, test } from "vitest";
import { fewer, firstThatFits, flow, labelled, table, toType, widthOf, wrap } from "../../src/cli/layout.ts";

const colours = pc.createColors(true);
const longest = (text: string): number => Math.max(...text.split("\n").map(widthOf));
const words = (text: string): string[] => text.split(/\s+/).filter(Boolean);

describe("a text in lines", () => {
  const text = "test: loss 0.0712, accuracy 98.15 %, error 1.85 %, 12.5 s, ETA 0:32, 1,234 examples/s on 8,000 examples";

  test.each([80, 40, 24])("fits %i columns, keeps its words, and no number or unit begins a line that is not a list's", (columns) => {
    const wrapped = wrap(text, columns, "  ");
    expect(longest(wrapped)).toBeLessThanOrEqual(columns);
    expect(words(wrapped)).toEqual(words(text));
    for (const line of wrapped.split("\n").slice(1)) expect(line).not.toMatch(/^\s*(%|s\b|examples\/s)/);
    expect(wrapped).not.toMatch(/(loss|accuracy|error|ETA)\n/);
  });

  test("breaks within numbers after a comma only", () => {
    expect(wrap("0.1, 0.2, 0.3", 9)).toBe("0.1, 0.2,\n0.3");
    expect(wrap("x 0.12345", 4)).toBe("x 0.12345");
  });

  test("a path stays whole, however long", () => {
    expect(wrap("see runs/digits-mlp-2026-11-25 now", 10)).toBe("see\nruns/digits-mlp-2026-11-25\nnow");
  });

  test("colours take no room", () => {
    expect(wrap(`${colours.bold("abc")} def`, 7)).toBe(`${colours.bold("abc")} def`);
    expect(wrap(`loss ${colours.dim("0.5")} and more`, 9)).toBe(`loss ${colours.dim("0.5")}\nand more`);
  });
});

describe("facts", () => {
  const facts = ["trial 10/12", "lr 0.002343, hidden 123", "validation: loss 0.5846, accuracy 83.87 %, error 16.13 %", "1.6 s"];

  test("stand side by side where there is room, without a limit in a pipe", () => {
    expect(flow(facts, 120)).toBe(facts.join("  "));
    expect(flow(facts, Number.POSITIVE_INFINITY)).toBe(facts.join("  "));
  });

  test.each([80, 40])("at %i columns lines break between facts first", (columns) => {
    const lines = flow(facts, columns).split("\n");
    expect(longest(lines.join("\n"))).toBeLessThanOrEqual(columns);
    expect(lines[0]).toBe("trial 10/12  lr 0.002343, hidden 123");
    expect(lines[1]).toMatch(/^ {2}validation: loss 0\.5846/);
    expect(words(lines.join(" "))).toEqual(words(facts.join(" ")));
  });

  test("of ever fewer facts the most that fit one line are taken", () => {
    const ways = fewer(["trial 1/3", "ETA 0:10", "loss 0.5"]);
    expect(firstThatFits(ways, 40)).toBe("trial 1/3  ETA 0:10  loss 0.5");
    expect(firstThatFits(ways, 20)).toBe("trial 1/3  ETA 0:10");
    expect(firstThatFits(ways, 5)).toBe("trial 1/3");
  });
});

describe("what is copied", () => {
  const path = "runs/digits-mlp-2026-11-25-134410";

  test("a path is beside its label or on a line of its own", () => {
    expect(labelled("run folder:", path, 80)).toBe(`run folder: ${path}`);
    expect(labelled("run folder:", path, 40)).toBe(`run folder:\n${path}`);
  });

  test("a command can be pasted at any width", () => {
    const command = ["npx", "gradus", "train", "--resume", path];
    expect(toType("go on with:", command, 80)).toBe(`go on with: ${command.join(" ")}`);
    expect(toType("interrupted and saved; go on with:", command, 80)).toBe(`interrupted and saved; go on with:\n${command.join(" ")}`);
    expect(toType("interrupted and saved; go on with:", command, 40)).toBe(
      `interrupted and saved; go on with:\nnpx gradus train --resume \\\n  ${path}`,
    );
  });
});

describe("a table", () => {
  const head = ["", "trial", "hidden", "lr", "validation accuracy", "validation loss", "training accuracy", "seconds"];
  const rows = [
    ["*", "4", "64", "0.1", "83.87 %", "0.5846", "68.44 %", "0.5"],
    ["", "2", "16", "0.0003", "83.00 %", "0.6269", "66.52 %", "1.6"],
  ];

  test("has its titles on one line where there is room", () => {
    expect(table({ head, rows }, 120)).toEqual([
      "   trial  hidden      lr  validation accuracy  validation loss  training accuracy  seconds",
      "*      4      64     0.1              83.87 %           0.5846            68.44 %      0.5",
      "       2      16  0.0003              83.00 %           0.6269            66.52 %      1.6",
    ]);
  });

  test("stacks the words of its titles at 80 columns", () => {
    expect(table({ head, rows }, 80)).toEqual([
      "                          validation  validation  training",
      "   trial  hidden      lr    accuracy        loss  accuracy  seconds",
      "*      4      64     0.1     83.87 %      0.5846   68.44 %      0.5",
      "       2      16  0.0003     83.00 %      0.6269   66.52 %      1.6",
    ]);
  });

  test("is a list of facts at 40 columns, and the mark stays", () => {
    const lines = table({ head, rows }, 40);
    expect(longest(lines.join("\n"))).toBeLessThanOrEqual(40);
    expect(lines[0]).toBe(
      "* trial 4  hidden 64  lr 0.1\n  validation accuracy 83.87 %\n  validation loss 0.5846\n  training accuracy 68.44 %  seconds 0.5",
    );
    expect(lines[1]).toMatch(/^ {2}trial 2 {2}hidden 16/);
  });
});
