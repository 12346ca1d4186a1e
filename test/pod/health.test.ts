import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { decideHealth, type HealthFlags, healthWords, parseHealth, restartForHealth } from "../../src/pod/health.ts";
import type { IsolatorReport } from "../../src/pod/isolator-level.ts";
import { Isolators } from "../../src/schema/isolators.ts";
import { fails } from "../helpers/failures.ts";

const name = "perigee/health-check";

describe("--health-cmd", () => {
  for (const [healthCommand, command] of [
    ["none", []],
    ["curl -f http://localhost/ || exit 1", ["/bin/sh", "-c", "curl -f http://localhost/ || exit 1"]],
    ['["/bin/check", "--quick"]', ["/bin/check", "--quick"]],
    ['["CMD", "/bin/check", ""]', ["/bin/check", ""]],
    ['["CMD-SHELL", "exit 0"]', ["/bin/sh", "-c", "exit 0"]],
    ['["NONE"]', []],
  ] as const) {
    it(`LIFE-65: ${healthCommand} is ${JSON.stringify(command)}, which the schema takes`, () => {
      const parsed = parseHealth({ healthCommand });
      assert.deepEqual(parsed, { command });
      assert.deepEqual(Isolators.parse([{ name, value: parsed }])[0]?.value, { command });
    });
  }

  for (const healthCommand of ["", " ", "[", "[]", "[1]", '["CMD"]', '[""]', '["CMD-SHELL"]', '["CMD", ["x"]]']) {
    it(`LIFE-65: ${JSON.stringify(healthCommand)} is refused`, () =>
      assert.throws(() => parseHealth({ healthCommand }), fails("USAGE", /--health-cmd/)));
  }

  it("LIFE-65: has times, retries and what becomes of an unhealthy app", () => {
    const flags: HealthFlags = {
      healthCommand: '["/c"]',
      healthInterval: 1500,
      healthTimeout: 200,
      healthStartPeriod: 0,
      healthRetries: "7",
      healthOnFailure: "restart",
    };
    const value = { command: ["/c"], interval: 1.5, timeout: 0.2, startPeriod: 0, retries: 7, onFailure: "restart" };
    assert.deepEqual(parseHealth(flags), value);
    assert.deepEqual(Isolators.parse([{ name, value }])[0]?.value, value);
    assert.equal(parseHealth({}), undefined);
  });

  for (const [flags, message] of [
    [{ healthInterval: 0 }, /--health-interval/],
    [{ healthTimeout: 0 }, /--health-timeout/],
    [{ healthInterval: 86_400_001 }, /--health-interval/],
    [{ healthRetries: "0" }, /--health-retries/],
    [{ healthRetries: "many" }, /--health-retries/],
    [{ healthOnFailure: "stop" }, /none, kill or restart/],
  ] as const) {
    it(`LIFE-65: ${JSON.stringify(flags)} is refused, and so are flags without a command`, () => {
      assert.throws(() => parseHealth({ healthCommand: "x", ...flags }), fails("USAGE", message));
      assert.throws(() => parseHealth(flags), fails("USAGE", /--health-…/));
    });
  }
});

describe("the isolator perigee/health-check", () => {
  const decide = (value: unknown, ofImage = false) => {
    const report: IsolatorReport[] = [];
    const isolators = Isolators.parse([{ name, value }]);
    const plan = decideHealth({ app: "web", isolators, fromImage: new Set(ofImage ? [name] : []), report });
    return { plan, said: report.map(({ state, why }) => `${state}: ${why}`) };
  };
  const defaults = { interval: 30_000, timeout: 30_000, startPeriod: 0, retries: 3 };

  it("LIFE-65: has the defaults of podman, in milliseconds", () => {
    assert.deepEqual(decide({ command: ["/c"] }).plan, { command: ["/c"], ...defaults, action: "none" });
    assert.deepEqual(decide({ command: ["/c"], interval: 0.25 }).plan?.interval, 250);
    assert.deepEqual(decide({ command: [] }), { plan: undefined, said: ["enforced: not checked"] });
  });

  it("LIFE-65: an image may have one, but what becomes of the app it does not say", () => {
    const value = { command: ["/c"], onFailure: "kill" };
    assert.equal(decide(value).plan?.action, "kill");
    const { plan, said } = decide(value, true);
    assert.equal(plan?.action, "none");
    assert.match(String(said), /^modified: checked every 30 s.*an image does not say/);
    assert.match(String(decide({ command: ["/c"] }, true).said), /^enforced: /);
  });

  it("LIFE-65: is told to people", () => {
    const plan = { command: ["/c"], interval: 500, timeout: 1000, startPeriod: 0, retries: 1, action: "kill" } as const;
    assert.equal(healthWords(plan), "checked every 0.5 s, 1 s at most; unhealthy after 1 failure, then it is killed");
  });

  for (const value of [{}, { command: [""] }, { command: ["x"], interval: 0 }, { command: ["x"], onFailure: "stop" }]) {
    it(`LIFE-65: ${JSON.stringify(value)} is no value of it`, () => {
      assert.match(String(Isolators.safeParse([{ name, value }]).error?.issues[0]?.message), /^LIFE-65: /);
    });
  }
});

describe("restartForHealth", () => {
  const health = { command: ["/c"], interval: 1, timeout: 1, startPeriod: 0, retries: 1, action: "restart" } as const;
  it("SHIM-19: gives an app that its checks start again a policy, if it has none", () => {
    assert.deepEqual(restartForHealth(undefined, health), { policy: "unhealthy", most: 0, keepRoot: false });
    const always = { policy: "always", most: 0, keepRoot: true } as const;
    assert.equal(restartForHealth(always, health), always);
    assert.equal(restartForHealth(undefined, { ...health, action: "kill" }), undefined);
    assert.equal(restartForHealth(undefined, undefined), undefined);
  });
});
