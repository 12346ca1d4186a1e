/** What `npm run scale` does with hundreds of pods, with few: nothing fails, nothing is left behind, and what is killed disturbs nobody else. */
import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { guestWork } from "../helpers/guest-work.ts";
import { assertNothingLeft, leakSnapshot } from "../helpers/leak-check.ts";
import { mix } from "../scale/mixed.ts";
import {
  assertRunning,
  atOnce,
  endAll,
  killSome,
  memoryOf,
  oneAfterAnother,
  runningTogether,
} from "../scale/rounds.ts";
import { storm } from "../scale/storm.ts";

const work = guestWork();
/** The same in every run; npm run scale takes others. */
const seed = 1;

describe("LIFE-111: many pods", () => {
  afterEach(() => endAll(work));

  it("T-C02, T-L01: 30 one after the other, none fails and none leaves anything", async () => {
    const clean = leakSnapshot();
    assert.deepEqual((await oneAfterAnother(work, 30)).failures, []);
    await endAll(work);
    await assertNothingLeft(clean);
  });

  it("T-C02: 20 started at once, none fails", async () => {
    assert.deepEqual((await atOnce(work, 20)).failures, []);
  });

  it("T-C02, T-K05, T-L02: 20 together cost 2 MiB each at most; of 8 the supervisor is killed, of 4 the init: one gc clears up, the others go on", async () => {
    const clean = leakSnapshot();
    const { round, pods } = await runningTogether(work, 20);
    assert.deepEqual(round.failures, []);
    assertRunning(work, pods);
    for (const pod of pods) assert.ok(memoryOf(pod) <= 2 * 1024 ** 2, `${pod.uuid}: ${memoryOf(pod)} bytes`);
    const others = await killSome(work, pods, { supervisors: 8, inits: 4 });
    assert.equal(others.length, 8);
    assertRunning(work, others);
    await endAll(work);
    await assertNothingLeft(clean);
  });

  it("T-C04: workers fetch, run, enter, stop, remove, list and collect at once: each sees what it did, no lock is stuck", async () => {
    const names = ["example.com/one", "example.com/two", "example.com/three"];
    const images = new Map(names.map((name) => [name, work.image(name)] as const));
    for (const archive of images.values()) work.must(["--insecure-options=image", "fetch", archive]);
    assert.deepEqual(await mix(work, { workers: 6, commands: 7, seed, images }), []);
  });

  it("T-K06: 24 kills at random instants: after each 8 the invariants hold", async () => {
    await storm(work, { kills: 24, every: 8, seed });
  });
});
