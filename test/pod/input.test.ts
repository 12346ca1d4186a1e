import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { takesInput, withInputFlag } from "../../src/pod/input.ts";
import { Annotations } from "../../src/schema/annotations.ts";
import { fails } from "../helpers/failures.ts";

const name = "coreos.com/rkt/stage2/stdin";

describe("--stdin (LIFE-102, CLI-89)", () => {
  it("is an annotation of the app, in place of one that is typed", () => {
    const own = Annotations.parse([
      { name: "a", value: "b" },
      { name, value: "null" },
    ]);
    assert.deepEqual(withInputFlag(own, { stdin: "stream" }), [
      { name: "a", value: "b" },
      { name, value: "stream" },
    ]);
    assert.deepEqual(withInputFlag(own, {}), own);
  });

  it("means a pipe with `stream` and nothing else", () => {
    for (const [value, expected] of [
      ["stream", true],
      ["null", false],
      ["tty", false],
      ["Stream", false],
    ] as const) {
      assert.equal(takesInput({ annotations: Annotations.parse([{ name, value }]) }), expected, value);
    }
    assert.equal(takesInput({ annotations: [] }), false);
  });

  it("is stream or null, and a terminal is another flag", () => {
    assert.throws(() => withInputFlag([], { stdin: "pipe" }), fails("USAGE", /null or stream, not pipe/));
    assert.throws(
      () => withInputFlag([], { stdin: "tty" }),
      (error: { hint?: string }) => /--interactive/.test(error.hint ?? ""),
    );
  });
});
