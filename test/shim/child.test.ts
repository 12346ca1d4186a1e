import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { EventEmitter } from "node:events";
import { describe, it } from "node:test";
import { Failure } from "../../src/base/failure.ts";
import { answerOf, requireStreams, shimFailure, startVerb } from "../../src/shim/child.ts";
import "../helpers/shim.ts";

const line = (fields: object): string =>
  `${JSON.stringify({ event: "failed", step: "s", subject: "", errno: "", message: "m", ...fields })}\n`;

describe("shimFailure", () => {
  it("says subject, message, step and errno", () => {
    const failure = shimFailure(
      "unpack",
      line({ step: "link", subject: "a/b", errno: "ENOENT", message: "No such file" }),
      "",
    );
    assert.deepEqual(
      [failure.code, failure.message, failure.subject, failure.cause],
      ["SHIM_FAILED", "a/b: No such file", "a/b", "step link, ENOENT"],
    );
  });

  it("X05: a full disk is DISK_FULL, an attribute too large for the file system LIMIT_EXCEEDED", () => {
    assert.equal(shimFailure("unpack", line({ errno: "ENOSPC", subject: "f" }), "").code, "DISK_FULL");
    assert.equal(shimFailure("unpack", line({ errno: "EDQUOT" }), "").code, "DISK_FULL");
    for (const [errno, code] of [
      ["ENOSPC", "LIMIT_EXCEEDED"],
      ["E2BIG", "LIMIT_EXCEEDED"],
      ["ERANGE", "LIMIT_EXCEEDED"],
      ["EDQUOT", "DISK_FULL"],
      ["EINVAL", "SHIM_FAILED"],
    ] as const) {
      const failure = shimFailure("unpack", line({ errno, step: "setxattr", subject: "f" }), "");
      assert.equal(failure.code, code, errno);
    }
  });

  it("foreign names are shown escaped, and are UTF-8 where they can be", () => {
    const subject = Buffer.from("ü\u001b[2J").toString("latin1");
    assert.equal(shimFailure("pack", line({ subject }), "").message, "ü\\x1b[2J: m");
  });

  it("T-K04: a process that ends before it is the shim, as where the machine has no descriptor left, says so", () => {
    const failure = shimFailure("unpack", "", "SIGABRT");
    assert.deepEqual([failure.code, failure.message.split(":")[0]], ["LIMIT_EXCEEDED", "cannot start perigee-shim"]);
    assert.equal(shimFailure("unpack", "*** stack smashing detected ***\n", "SIGABRT").code, "SHIM_FAILED");
  });

  it("what is no failure line is kept as the cause", () => {
    for (const report of ["", "Segmentation fault\n", '{"event":"ready"}', "[]", "null"]) {
      const failure = shimFailure("remove", report, "SIGSEGV");
      assert.equal(failure.message, "perigee-shim remove ended with SIGSEGV");
      assert.equal(failure.cause, report.trim() === "" ? undefined : report.trim());
    }
  });
});

describe("startVerb", () => {
  it("a directory that is not there is named", async () => {
    await assert.rejects(
      answerOf(startVerb("remove", [], "/nowhere/at/all")),
      (error) => error instanceof Failure && error.code === "NOT_FOUND" && error.subject === "/nowhere/at/all",
    );
  });

  it("does not start when told so before", () => {
    assert.throws(
      () => startVerb("remove", [], "/", { signal: AbortSignal.abort() }),
      (error) => error instanceof Failure && error.code === "INTERRUPTED",
    );
  });
});

describe("requireStreams", () => {
  it("takes a process, and one that was not found: that is told later", () => {
    requireStreams(spawn("/bin/true", { stdio: "pipe" }));
    requireStreams(spawn("/nowhere", { stdio: "pipe" }).on("error", () => {}));
  });

  it("tells when no descriptor was free for the streams", () => {
    const script = `
      const { spawn } = require("node:child_process");
      const { openSync } = require("node:fs");
      try { for (;;) openSync("/dev/null"); } catch {}
      process.stdout.write(String(spawn("/bin/true").stdio));`;
    // What requireStreams takes for the sign of it is what Node does.
    const line = 'ulimit -n 40; exec "$0" -e "$1"';
    assert.equal(spawnSync("sh", ["-c", line, process.execPath, script]).stdout.toString(), "undefined");
    const child = new EventEmitter() as ChildProcess;
    assert.throws(
      () => requireStreams(child),
      (error) => error instanceof Failure && error.code === "LIMIT_EXCEEDED" && /ulimit/.test(error.hint ?? ""),
    );
    child.emit("error", new Error("told later"));
  });
});
