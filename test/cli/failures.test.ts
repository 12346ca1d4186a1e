import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { Failure } from "../../src/base/failure.ts";
import { failureLines, failureObject, statusOf, toFailure } from "../../src/cli/failures.ts";

describe("toFailure", () => {
  it("keeps a Failure", () => {
    const failure = new Failure("LOCKED", "x");
    assert.equal(toFailure(failure), failure);
  });
  it("names the call and the path of a system error", () => {
    try {
      readFileSync("/does/not/exist");
      assert.fail();
    } catch (error) {
      const failure = toFailure(error);
      assert.equal(failure.code, "NOT_FOUND");
      assert.match(failure.message, /open failed for \/does\/not\/exist/);
    }
  });
  it("an abort is an interruption", () => {
    assert.equal(toFailure(new DOMException("x", "AbortError")).code, "INTERRUPTED");
  });
  it("CLI-7: anything else is our mistake, without its text in the sentence", () => {
    const failure = toFailure(new TypeError("x is not a function"));
    assert.equal(failure.code, "INTERNAL");
    assert.doesNotMatch(failure.message, /function/);
    assert.equal(toFailure("text").code, "INTERNAL");
  });
});

describe("statusOf (CLI-11)", () => {
  for (const [code, status, inRun] of [
    ["USAGE", 2, 125],
    ["KEY_UNTRUSTED", 4, 125],
    ["HTTP_FAILED", 7, 125],
    ["NOT_EXECUTABLE", 1, 126],
    ["EXEC_NOT_FOUND", 3, 127],
    ["INTERRUPTED", 130, 130],
  ] as const) {
    it(`${code}: ${status}, in run ${inRun}`, () => {
      assert.equal(statusOf(new Failure(code, "x"), undefined), status);
      assert.equal(statusOf(new Failure(code, "x"), "run"), inRun);
    });
  }
});

describe("failureLines", () => {
  const inner = new Error("connect ECONNREFUSED 127.0.0.1:1");
  const failure = new Failure("HTTP_FAILED", "cannot get https://user:secret@example.com/", {
    cause: new Failure("IO_FAILED", "no connection", { cause: inner }),
    hint: "perigee fetch\nagain",
  });
  it("CLI-6: prints the sentence, the chain of causes and what to try", () => {
    assert.deepEqual(failureLines(failure, false), [
      "error[HTTP_FAILED]: cannot get https://***@example.com/",
      "  cause: no connection",
      "  cause: connect ECONNREFUSED 127.0.0.1:1",
      "  try: perigee fetch",
      "       again",
    ]);
  });
  it("CLI-7: prints stacks only with --debug", () => {
    assert.ok(failureLines(failure, true).some((line) => /^ +at /.test(line)));
    assert.ok(failureLines(toFailure(new TypeError("x")), false).every((line) => !/^ +at /.test(line)));
  });
  it("says every address that was tried", () => {
    const cause = new AggregateError([new Error("one"), new Error("two")], "");
    assert.deepEqual(failureLines(new Failure("HTTP_FAILED", "x", { cause }), false).slice(1), [
      "  cause: one",
      "         two",
    ]);
  });
  it("ends on a cause that is its own", () => {
    const loop = new Error("loop");
    loop.cause = loop;
    assert.deepEqual(failureLines(new Failure("INTERNAL", "x", { cause: loop }), false), [
      "error[INTERNAL]: x",
      "  cause: loop",
    ]);
  });
  it("T-R47: foreign text cannot repaint the terminal", () => {
    const [line] = failureLines(new Failure("NOT_FOUND", "\u001b[2J\u202e"), false);
    assert.equal(line, "error[NOT_FOUND]: \\x1b[2J\\u{202e}");
  });
  it("T-D04: no credentials of a cause", () => {
    const lines = failureLines(new Failure("HTTP_FAILED", "x", { cause: "https://a:b@example.com" }), true);
    assert.ok(lines.every((line) => !line.includes("a:b")));
  });
});

describe("failureObject", () => {
  it("CLI-6: has null where there is nothing", () => {
    assert.deepEqual(failureObject(new Failure("LOCKED", "x"), false), {
      error: { code: "LOCKED", message: "x", cause: null, hint: null },
    });
  });
});
