/** What every device must do: one suite for all of them. */
import { afterAll, describe, expect, test } from "vitest";
import type { Program } from "../../src/kernel/program.ts";
import type { LoadedProgram, Runner } from "../../src/runtime/runner.ts";
import { addWord, affine, BLOCK, buffer, callStep, check, of, place, program, refuseNegative, sumWords, whoDid } from "./programs.ts";

interface Loaded {
  readonly run: LoadedProgram["run"];
  readonly loaded: LoadedProgram;
  readonly floats: (id: number, count: number) => Float32Array;
  readonly words: (id: number, count: number) => Int32Array;
}

export function loadOn(device: Runner, p: Program): Loaded {
  const addresses = place(device, p);
  const loaded = device.load(p, ({ id }) => addresses.get(id)!, { threads: "all" });
  return {
    loaded,
    run: () => loaded.run(),
    floats: (id, count) => device.heap.view("float32", addresses.get(id)!, count) as Float32Array,
    words: (id, count) => device.heap.view("int32", addresses.get(id)!, count) as Int32Array,
  };
}

export function deviceSuite(name: string, make: (threads: number) => Runner): void {
  describe.each([1, 2, 3])(`${name} on %i threads`, (threads) => {
    const device = make(threads);
    afterAll(() => device.close());
    const load = (p: Program): Loaded => loadOn(device, p);

    test.each([1, 5, 63, 64, 65, 1000, 4099])("a call over %i elements does every block once", (count) => {
      const blocks = Math.ceil(count / BLOCK);
      const { run, floats } = load(
        program({
          codes: [affine(2, 1)],
          buffers: [buffer(0, count), buffer(1, count + 1)],
          steps: [callStep(0, [of(0), of(1), count], blocks)],
        }),
      );
      floats(0, count).set(Array.from({ length: count }, (_, i) => i / 3));
      floats(1, count + 1).fill(-1);
      expect(run()).toEqual({ ok: true });
      expect([...floats(1, count)]).toEqual([...floats(0, count)].map((x) => Math.fround(Math.fround(x * 2) + 1)));
      expect(floats(1, count + 1)[count]).toBe(-1);
    });

    test("a barrier makes what stood above visible to all threads", () => {
      const count = 1024;
      const sums = load(
        program({
          codes: [affine(1, 1), sumWords, affine(1, 0)],
          buffers: [buffer(0, count), buffer(1, count), buffer(2, 64)],
          steps: [
            {
              do: "loop",
              times: 50,
              reverse: false,
              steps: [callStep(0, [of(0), of(1), count], 16), { do: "barrier" }, callStep(2, [of(1), of(0), count], 16), { do: "barrier" }],
            },
            callStep(1, [of(0), of(2), count]),
          ],
        }),
      );
      sums.floats(0, count).fill(0);
      for (let i = 0; i < 20; i++) expect(sums.run()).toEqual({ ok: true });
      expect([...sums.floats(0, count)]).toEqual(new Array(count).fill(1000));
      expect(sums.words(2, 1)[0]).toBe((new Int32Array(Float32Array.of(1000).buffer)[0]! * count) | 0);
    });

    test("a section runs its steps in order on thread 0", () => {
      const { run, words } = load(
        program({
          codes: [addWord, whoDid],
          buffers: [buffer(0, 1), buffer(1, 16)],
          threadBytes: 64,
          steps: [
            {
              do: "section",
              steps: [
                callStep(0, [of(0), 5]),
                callStep(0, [of(0), 5], 3),
                callStep(1, [{ privateScratch: "address" }, 64, of(1)], 16),
                { do: "barrier" },
              ],
            },
            { do: "barrier" },
            { do: "section", steps: [{ do: "loop", times: 4, reverse: false, steps: [callStep(0, [of(0), 100])] }] },
          ],
        }),
      );
      words(0, 1)[0] = 0;
      expect(run()).toEqual({ ok: true });
      expect(words(0, 1)[0]).toBe(420);
      expect([...words(1, 16)]).toEqual(new Array(16).fill(1));
    });

    test("each thread has private scratch of its own", () => {
      const { run, words } = load(
        program({
          codes: [whoDid],
          buffers: [buffer(0, 500)],
          threadBytes: 256,
          steps: [callStep(0, [{ privateScratch: "address" }, 256, of(0)], 500)],
        }),
      );
      for (let i = 0; i < 20; i++) {
        words(0, 500).fill(0);
        expect(run()).toEqual({ ok: true });
        expect(words(0, 500).every((by) => by >= 1 && by <= threads)).toBe(true);
      }
    });

    test("a loop moves arguments with every turn", () => {
      const times = 10;
      const steps = [callStep(0, [of(0), of(0, 4 * BLOCK), BLOCK], 1, { perTurn: [4 * BLOCK, 4 * BLOCK, 0] }), { do: "barrier" } as const];
      const { run, floats } = load(
        program({
          codes: [affine(2, 1)],
          buffers: [buffer(0, BLOCK * (times + 1))],
          steps: [{ do: "loop", times, reverse: false, steps }],
        }),
      );
      for (let again = 0; again < 3; again++) {
        floats(0, BLOCK).fill(1);
        expect(run()).toEqual({ ok: true });
        for (let t = 0; t <= times; t++) expect(floats(0, BLOCK * (times + 1))[BLOCK * t + 7]).toBe(2 ** (t + 1) - 1);
      }
    });

    test("a reversed loop starts at the last turn", () => {
      const times = 6;
      const steps = [callStep(0, [of(0, 4 * BLOCK), of(0), BLOCK], 1, { perTurn: [4 * BLOCK, 4 * BLOCK, 0] }), { do: "barrier" } as const];
      const { run, floats } = load(
        program({ codes: [affine(1, 1)], buffers: [buffer(0, BLOCK * (times + 1))], steps: [{ do: "loop", times, reverse: true, steps }] }),
      );
      const all = floats(0, BLOCK * (times + 1));
      all.fill(0);
      expect(run()).toEqual({ ok: true });
      expect(Array.from({ length: times + 1 }, (_, t) => all[BLOCK * t])).toEqual([6, 5, 4, 3, 2, 1, 0]);
    });

    test("loops inside loops move arguments with both turns, and empty ones do nothing", () => {
      const inner = callStep(0, [of(0), 1], 1, { perTurn: [4, 1], perOuterTurn: [[16, 10]] });
      const { run, words } = load(
        program({
          codes: [addWord],
          buffers: [buffer(0, 12)],
          steps: [
            { do: "loop", times: 3, reverse: false, steps: [{ do: "loop", times: 4, reverse: true, steps: [inner] }, { do: "barrier" }] },
            { do: "loop", times: 0, reverse: false, steps: [callStep(0, [of(0), 1000])] },
          ],
        }),
      );
      words(0, 12).fill(0);
      expect(run()).toEqual({ ok: true });
      expect([...words(0, 12)]).toEqual([1, 2, 3, 4, 11, 12, 13, 14, 21, 22, 23, 24]);
    });

    test("a failed check stops at the commit and names the smallest position", () => {
      const count = 400;
      const { run, words } = load(
        program({
          codes: [refuseNegative, addWord],
          buffers: [buffer(0, count), buffer(1, 1)],
          checks: [check("first"), check("second")],
          steps: [callStep(0, [of(0), { check: 1 }], count / 4), { do: "barrier" }, { do: "commit" }, callStep(1, [of(1), 1])],
        }),
      );
      words(0, count).fill(3);
      words(1, 1)[0] = 0;
      expect(run()).toEqual({ ok: true });
      words(0, count)[301] = -9;
      words(0, count)[77] = -5;
      for (let i = 0; i < 10; i++) expect(run()).toEqual({ ok: false, check: 1, position: 77, value: -5 });
      expect(words(1, 1)[0]).toBe(1);
      words(0, count).fill(0);
      expect(run()).toEqual({ ok: true });
      expect(words(1, 1)[0]).toBe(2);
    });

    test("a check that fails after the last commit is reported all the same", () => {
      const { run, words } = load(
        program({ codes: [refuseNegative], buffers: [buffer(0, 8)], checks: [check("x")], steps: [callStep(0, [of(0), { check: 0 }], 2)] }),
      );
      words(0, 8).set([1, 1, 1, 1, 1, -1, -2, 1]);
      expect(run()).toEqual({ ok: false, check: 0, position: 5, value: -1 });
    });

    test("programs share one scratch arena, and go on when a larger one moves it", () => {
      const scratchProgram = (count: number): Program =>
        program({
          codes: [affine(1, 1)],
          buffers: [buffer(0, count), buffer(1, count), buffer(2, count, "scratch", 256)],
          scratchBytes: 256 + 4 * count,
          steps: [
            callStep(0, [of(0), of(2), count], Math.ceil(count / BLOCK)),
            { do: "barrier" },
            callStep(0, [of(2), of(1), count], Math.ceil(count / BLOCK)),
          ],
        });
      const small = load(scratchProgram(100));
      small.floats(0, 100).fill(1);
      small.run();
      const large = load(scratchProgram(3_000_000));
      large.floats(0, 3_000_000).fill(5);
      large.run();
      expect(large.floats(1, 3_000_000)[2_999_999]).toBe(7);
      small.floats(1, 100).fill(0);
      small.run();
      expect(small.floats(1, 100)[99]).toBe(3);
      large.loaded.dispose();
      expect(() => large.run()).toThrow(/disposed/);
    });

    test("ten thousand small runs, one after another, each do their work", () => {
      const { run, words } = load(program({ codes: [addWord], buffers: [buffer(0, 1)], steps: [callStep(0, [of(0), 1])], work: 1 }));
      words(0, 1)[0] = 0;
      for (let i = 0; i < 10_000; i++) run();
      expect(words(0, 1)[0]).toBe(10_000);
    });
  });
}
