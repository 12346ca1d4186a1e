import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Failure } from "../../src/base/failure.ts";
import { type FailedEvent, failureOf, parseEvent, parseEvents, type ShimEvent } from "../../src/shim/events.ts";

describe("failureOf", () => {
  it("SHIM-4: a pre-start handler that failed is told as that, with its app and its end", () => {
    const event: FailedEvent = {
      event: "failed",
      step: "pre-start",
      subject: "web",
      errno: "",
      message: "/x ended with status 3",
    };
    const failure = failureOf(event, 125);
    assert.equal(failure.message, "the pre-start handler failed, so the app was not started: web");
    assert.deepEqual([failure.code, failure.cause], ["SHIM_FAILED", "/x ended with status 3"]);
  });
});

describe("parseEvent", () => {
  it("reads every event of spec/shim.md", () => {
    const events: readonly ShimEvent[] = [
      { event: "ready", pid: 12 },
      { event: "app-started", app: "web", pid: 13 },
      { event: "app-exited", app: "web", status: 137 },
      { event: "handler-exited", app: "web", handler: "post-stop", status: 3 },
      { event: "failed", step: "exec", subject: "/x", errno: "ENOENT", message: "No such file or directory" },
      { event: "exited", status: 0 },
    ];
    for (const event of events) assert.deepEqual(parseEvent(JSON.stringify(event)), event);
  });
  it("gives names their bytes back: the shim escapes bytes, not characters", () => {
    const line = '{"event":"failed","step":"exec","subject":"/\\u00c3\\u00a9","errno":"","message":""}';
    assert.deepEqual(parseEvent(line), { event: "failed", step: "exec", subject: "/é", errno: "", message: "" });
  });
  for (const line of [
    "",
    "null",
    "[]",
    "{}",
    '{"event":"else"}',
    '{"event":"ready"}',
    '{"event":"ready","pid":"1"}',
    '{"event":"ready","pid":-1}',
    '{"event":"ready","pid":1.5}',
    '{"event":"ready","pid":1,"more":1}',
    '{"event":"app-exited","status":1}',
    '{"event":"handler-exited","app":"web","handler":"other","status":1}',
    '{"event":"failed","step":"x","subject":"y","errno":2,"message":"z"}',
    '{"event":"exited","status":0',
  ]) {
    it(`refuses ${line || "an empty line"}`, () => {
      assert.throws(
        () => parseEvent(line),
        (error) => error instanceof Failure && error.code === "SHIM_FAILED",
      );
    });
  }
});

describe("parseEvents", () => {
  async function* chunks(...parts: readonly string[]): AsyncGenerator<Uint8Array> {
    for (const part of parts) yield Buffer.from(part);
  }
  it("puts lines together, wherever the bytes were cut", async () => {
    const text = '{"event":"ready","pid":1}\n{"event":"exited","status":2}\n';
    for (let cut = 0; cut <= text.length; cut++) {
      const events = [];
      for await (const event of parseEvents(chunks(text.slice(0, cut), text.slice(cut)))) events.push(event.event);
      assert.deepEqual(events, ["ready", "exited"]);
    }
  });
  it("takes an unfinished line for none: the shim was killed while it wrote", async () => {
    const events = [];
    for await (const event of parseEvents(chunks('{"event":"ready","pid":1}\n{"eve'))) events.push(event.event);
    assert.deepEqual(events, ["ready"]);
  });
});

describe("failureOf", () => {
  const event: FailedEvent = {
    event: "failed",
    step: "mount",
    subject: "/a\u001b",
    errno: "EPERM",
    message: "Operation not permitted",
  };
  for (const [status, code, message] of [
    [125, "SHIM_FAILED", "the pod could not be run: mount /a\\x1b"],
    [126, "NOT_EXECUTABLE", "the app's program cannot be executed: /a\\x1b"],
    [127, "EXEC_NOT_FOUND", "the app's program is not in the image: /a\\x1b"],
  ] as const) {
    it(`${status} is ${code}, with the cause and something to try`, () => {
      const failure = failureOf(event, status);
      assert.deepEqual(
        [failure.code, failure.message, failure.cause],
        [code, message, "EPERM: Operation not permitted"],
      );
      assert.ok(failure.hint);
    });
  }
  it("of enter it tells of the command, and of the app that could not be entered", () => {
    const tell = (status: number, step = "mount") => failureOf({ ...event, step }, status, "enter").message;
    assert.equal(tell(125), "the app could not be entered: mount /a\\x1b");
    assert.equal(tell(126), "the command cannot be executed: /a\\x1b");
    assert.equal(tell(127), "the command is not in the app: /a\\x1b");
    assert.equal(tell(125, "cwd"), "the app's working directory cannot be entered: /a\\x1b");
  });
  it("a working directory that is not there is told as one", () => {
    const failure = failureOf({ ...event, step: "cwd", subject: "/srv" }, 125);
    assert.equal(failure.message, "the app's working directory cannot be entered: /srv");
    assert.match(failure.hint ?? "", /--working-dir/);
  });
});
