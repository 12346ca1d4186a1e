import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { IsolatorReport } from "../../src/pod/isolator-level.ts";
import { decideRestart, parseRestart, requireRestartable, restartWords } from "../../src/pod/restart.ts";
import { Isolators } from "../../src/schema/isolators.ts";
import { fails } from "../helpers/failures.ts";

const name = "perigee/restart";

describe("--restart", () => {
  for (const [restart, restartKeepRoot, value] of [
    [undefined, undefined, undefined],
    ["no", undefined, { policy: "no" }],
    ["always", true, { policy: "always", keepRoot: true }],
    ["on-failure", undefined, { policy: "on-failure" }],
    ["on-failure:3", undefined, { policy: "on-failure", retries: 3 }],
  ] as const) {
    it(`CLI-70: ${restart ?? "nothing"} is ${JSON.stringify(value)}, which the schema takes`, () => {
      const parsed = parseRestart({ restart, restartKeepRoot });
      assert.deepEqual(parsed, value);
      if (parsed !== undefined) assert.deepEqual(Isolators.parse([{ name, value: parsed }])[0]?.value, value);
    });
  }

  for (const restart of [
    "",
    "yes",
    "on-failure:",
    "on-failure:0",
    "on-failure:-1",
    "on-failure:1000000000",
    "always:3",
    "no:1",
  ]) {
    it(`CLI-70: ${JSON.stringify(restart)} is refused`, () =>
      assert.throws(() => parseRestart({ restart }), fails("USAGE", /--restart .*no, always, on-failure/)));
  }

  it("CLI-70: --restart-keep-root alone is refused", () => {
    assert.throws(() => parseRestart({ restartKeepRoot: true }), fails("USAGE", /--restart/));
  });
});

describe("the isolator perigee/restart", () => {
  const decide = (value: unknown, ofImage = false) => {
    const report: IsolatorReport[] = [];
    const isolators = Isolators.parse([{ name, value }]);
    const plan = decideRestart({ app: "web", isolators, fromImage: new Set(ofImage ? [name] : []), report });
    return { plan, said: report.map(({ state, why }) => `${state}: ${why}`) };
  };

  it("LIFE-60: becomes the plan's, and is told", () => {
    const { plan, said } = decide({ policy: "on-failure", retries: 1 });
    assert.deepEqual(plan, { policy: "on-failure", most: 1, keepRoot: false });
    assert.deepEqual(said, ["enforced: started again when it fails, 1 time at most, in a new root"]);
    assert.deepEqual(decide({ policy: "no" }), { plan: undefined, said: ["enforced: not started again"] });
    assert.equal(
      restartWords({ policy: "always", most: 0, keepRoot: true }),
      "started again after every end, in the root that it had",
    );
  });

  it("LIFE-60: of an image is ignored, aloud", () => {
    const { plan, said } = decide({ policy: "always" }, true);
    assert.equal(plan, undefined);
    assert.match(String(said), /^ignored: an image does not say/);
  });

  for (const value of [
    {},
    { policy: "often" },
    { policy: "always", retries: 2 },
    { policy: "on-failure", retries: 0 },
    "always",
  ]) {
    it(`LIFE-60: ${JSON.stringify(value)} is no value of it`, () => {
      const parsed = Isolators.safeParse([{ name, value }]);
      assert.match(String(parsed.error?.issues[0]?.message), /^LIFE-60: /);
    });
  }
});

describe("requireRestartable", () => {
  const plan = { policy: "always", most: 0, keepRoot: false } as const;
  const place = { app: "web", hasOverlay: true, hasTerminal: false, isApart: true };
  it("LIFE-61, LIFE-62: refuses what could not be done: a copied root made anew, a terminal, one of several apps without a cgroup", () => {
    requireRestartable(plan, place);
    requireRestartable({ ...plan, keepRoot: true }, { ...place, hasOverlay: false });
    assert.throws(() => requireRestartable(plan, { ...place, hasOverlay: false }), fails("UNSUPPORTED", /copy/));
    assert.throws(() => requireRestartable(plan, { ...place, hasTerminal: true }), fails("UNSUPPORTED", /terminal/));
    assert.throws(() => requireRestartable(plan, { ...place, isApart: false }), fails("KERNEL_LACKS", /several apps/));
  });
});
