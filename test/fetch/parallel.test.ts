import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { atOnce, startAll } from "../../src/fetch/parallel.ts";

describe("startAll", () => {
  it("keeps the order of the items and never has more than a few under way", async () => {
    let running = 0;
    let most = 0;
    const job = async (item: number) => {
      running += 1;
      most = Math.max(most, running);
      await sleep(item % 3);
      running -= 1;
      return item * 2;
    };
    const items = Array.from({ length: 20 }, (_, index) => index);
    assert.deepEqual(
      await Promise.all(startAll(items, job).results),
      items.map((item) => item * 2),
    );
    assert.equal(most, atOnce);
  });

  it("stop ends what is under way, and gives what had succeeded", async () => {
    const job = async (item: string, signal: AbortSignal) => {
      if (item === "good") return item;
      if (item === "bad") throw new Error("bad");
      await sleep(60_000, undefined, { signal });
      return "never";
    };
    const started = startAll(["good", "slow", "bad"], job);
    await assert.rejects(Promise.all(started.results), /bad/);
    assert.deepEqual(await started.stop(), ["good"]);
  });

  it("the caller's signal stops it too", async () => {
    const caller = new AbortController();
    const [result] = startAll([1], (_, signal) => sleep(60_000, undefined, { signal }), caller.signal).results;
    caller.abort();
    await assert.rejects(async () => await result, { name: "AbortError" });
  });
});
