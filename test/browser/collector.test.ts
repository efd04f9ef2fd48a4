import { expect, test } from "vitest";
import * as page from "./collector.ts";

test("A page's tests run in order between their hooks, and each failure is told with its title and its message.", async () => {
  const log: string[] = [];
  page.describe.each([1, 2])("suite %i", (n) => {
    page.beforeAll(() => log.push(`open ${n}`));
    page.afterAll(() => log.push(`close ${n}`));
    page.test.each([{ name: "a" }, { name: "b" }])("$name holds", ({ name }) => {
      log.push(`${n}${name}`);
      page.expect(`${n}${name}`, "the text").toBe(name === "b" && n === 2 ? "else" : `${n}${name}`);
    });
    page.test("throws", async () => {
      page.expect(() => log.push("x"), "a call").toThrow(/never/);
    });
  });
  const outcome = await page.runCollected();
  expect(outcome.passed).toBe(3);
  expect(outcome.failures).toEqual([
    expect.stringMatching(/^suite 1 throws: a call .* does not throw \/never\/$/),
    'suite 2 b holds: the text "2b" is not "else"',
    expect.stringMatching(/^suite 2 throws/),
  ]);
  expect(log).toEqual(["open 1", "1a", "1b", "x", "close 1", "open 2", "2a", "2b", "x", "close 2"]);
  expect(await page.runCollected()).toEqual({ passed: 0, failures: [] });
});

test("A page's expectations see differences inside arrays and records, numbers of another size, and errors of another class.", () => {
  const { expect: here } = page;
  here({ a: [1, Number.NaN], b: {} }).toEqual({ a: [1, Number.NaN], b: {} });
  here(1).toBeLessThan(2);
  here(2).toBeLessThanOrEqual(2);
  here(() => JSON.parse("{")).toThrow(SyntaxError);
  expect(() => here({ a: [1, 2] }).toEqual({ a: [1, 3] })).toThrow(/does not equal/);
  expect(() => here({ a: 1 }).toEqual({ a: 1, b: 2 })).toThrow(/does not equal/);
  expect(() => here(2).toBeLessThan(2)).toThrow(/is not less than/);
  expect(() => here(Number.NaN).toBeLessThanOrEqual(2)).toThrow(/is not at most/);
  expect(() => here(() => JSON.parse("{")).toThrow(RangeError)).toThrow(/does not throw/);
});
