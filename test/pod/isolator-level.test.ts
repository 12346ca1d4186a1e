import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Level, lastValue, say } from "../../src/pod/isolator-level.ts";

const level: Level = {
  app: "web",
  isolators: [
    { name: "os/linux/cpu-shares", value: 5 },
    { name: "os/linux/cpu-shares", value: 7 },
  ],
  fromImage: new Set(),
  report: [],
};

describe("a level of isolators", () => {
  it("the last of a name counts; what is not there is undefined", () => {
    assert.equal(lastValue(level, "os/linux/cpu-shares"), 7);
    assert.equal(lastValue(level, "os/linux/oom-score-adj"), undefined);
  });

  it("what is said of an isolator names its app (ACE-22)", () => {
    say(level, "os/linux/cpu-shares", "modified", "because");
    assert.deepEqual(level.report, [{ name: "os/linux/cpu-shares", app: "web", state: "modified", why: "because" }]);
  });
});
