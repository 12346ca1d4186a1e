import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { failureCodes } from "../../src/base/failure.ts";
import { exitMeanings, topic, topicNames } from "../../src/cli/topics.ts";

describe("topic", () => {
  for (const name of topicNames) {
    it(`${name} is a page that fits`, () => {
      const lines = topic(name) ?? [];
      assert.ok(lines.length > 5);
      for (const line of lines) assert.ok(line.length <= 116, line);
    });
  }
  it("is undefined for another word", () => assert.equal(topic("nonsense"), undefined));
  it("CLI-11: exit-codes names every code, and every status has a meaning", () => {
    const text = topic("exit-codes")?.join(" ") ?? "";
    for (const [code, status] of failureCodes()) {
      assert.ok(text.includes(code), code);
      assert.ok(exitMeanings.has(status), `${code}: ${status}`);
    }
  });
});
