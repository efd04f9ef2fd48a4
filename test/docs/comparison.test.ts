import { describe, expect, test } from "vitest";
import { difference, programsOf, withOutputs } from "./snippets.ts";

const page = [
  "# Title",
  "```ts",
  "console.log(1);",
  "```",
  "",
  "```text",
  "1",
  "```",
  "```ts continued",
  "console.log(2);",
  "```",
  "Words.",
  "```text",
  "2",
  "```",
  "```ts fragment",
  "…",
  "```",
].join("\n");

describe("A page", () => {
  test("gives its blocks in programs, each with the text below it, and leaves fragments out.", () => {
    const [first, ...others] = programsOf(page);
    expect(others).toEqual([]);
    expect(first!.map(({ line, code, shown }) => ({ line, code, shown }))).toEqual([
      { line: 2, code: "console.log(1);", shown: "1" },
      { line: 9, code: "console.log(2);", shown: undefined },
    ]);
  });

  test("gets new output in the place of the old.", () => {
    const [[first]] = programsOf(page) as any;
    expect(withOutputs(page, new Map([[first, "3\n4"]]))).toBe(page.replace("```text\n1\n", "```text\n3\n4\n"));
  });

  test("with a block that never ends is refused.", () => {
    expect(() => programsOf("```ts\nlet x;")).toThrow("line 1");
  });
});

describe("Shown and printed text", () => {
  test.each([
    ["loss 0.1234", "loss 0.1234"],
    ["a  b", "a  b  \n"],
    ["step 1 … done", "step 1 x y done"],
    ["… done", "step 1\nstep 2 done"],
    ["step 1\n…", "step 1\nstep 2"],
    ["a … b … b", "a x b y b"],
  ])("agree: %j and %j.", (shown, printed) => {
    expect(difference(shown, printed)).toBeUndefined();
  });

  test.each([
    ["loss 0.1234", "loss 0.1235"],
    ["a  b", "a b"],
    ["0.4", "0.40"],
    ["a\nb", "a b"],
    ["step 1 … done", "step 1 x y"],
    ["a…a", "a"],
    ["step 1", "step 1\nstep 2"],
    ["12 nodes", "13 nodes"],
    ["w", "b"],
    ["", "1"],
    ["1 2", "1"],
    ["0.5", "-0.5"],
  ])("differ: %j and %j.", (shown, printed) => {
    expect(difference(shown, printed)).toContain("it printed");
  });
});
