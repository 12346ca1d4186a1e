/** A bounded run of every fuzz target; `npm run fuzz` runs longer. PERIGEE_SEED repeats a run. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { testSeed } from "../helpers/random.ts";
import { fuzz } from "./run.ts";
import { inputOf, targets } from "./targets.ts";

/** Rounds of each; the seeds themselves come first. */
const rounds: Readonly<Record<string, number>> = {
  tar: 1500,
  archive: 1000,
  gzip: 800,
  bzip2: 1000,
  xz: 1500,
  zstd: 1500,
  json: 5000,
  manifest: 2500,
  pax: 10_000,
};

describe("fuzz: the readers of foreign bytes refuse with a Failure, or accept, and end (T-R46, A05, A06)", () => {
  const seed = testSeed();
  for (const name of Object.keys(targets)) {
    it(`${name}, seed ${seed}`, async (context) => {
      context.diagnostic(`PERIGEE_SEED=${seed}`);
      const seeds = targets[name]?.seeds.length ?? 0;
      const bounds = { rounds: rounds[name] ?? 1000, milliseconds: 15_000, atLeast: seeds + 1 };
      const { crash, rounds: done } = await fuzz(name, { seed, ...bounds });
      if (crash !== undefined) {
        const input = inputOf(name, seed, crash.round).toString("base64").slice(0, 20_000);
        assert.fail(`target ${name}, seed ${seed}, round ${crash.round}: ${crash.why}\ninput in base64: ${input}`);
      }
      assert.ok(seeds > 10 && done > seeds, `only ${done} rounds with ${seeds} seeds`);
    });
  }
  it("a round can be made again, and another seed makes another", () => {
    for (const name of Object.keys(targets)) {
      const first = (number: number) =>
        Array.from({ length: 20 }, (_, index) => inputOf(name, number, 1_000_000 + index));
      assert.deepEqual(first(1), first(1));
      assert.notDeepEqual(first(1), first(2));
    }
  });
});

describe("fuzz: what is wrong is found", () => {
  it("a throw that is no Failure ends the run with its round", async () => {
    const { crash } = await fuzz("broken", { seed: 1, rounds: 10, milliseconds: 1000 });
    assert.match(crash?.why ?? "", /no target broken/);
  });
});
