import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { runAgain } from "../../src/shim/again.ts";
import { fails } from "../helpers/failures.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

describe("runAgain", () => {
  it("is this program, and leaves our own umask alone", async (t) => {
    const directory = await temporaryDirectory(t);
    const before = process.umask();
    const { status, stdout } = await runAgain(["version", "--format", "json"], {
      directory,
      environment: { HOME: directory },
      umask: 0o077,
    });
    assert.deepEqual([status, JSON.parse(stdout).nodeVersion], [0, process.versions.node]);
    assert.equal(process.umask(), before);
  });
  it("hands back what went wrong", async (t) => {
    const directory = await temporaryDirectory(t);
    const { status, stderr } = await runAgain(["nonsense"], {
      directory,
      environment: { HOME: directory },
      umask: 0o022,
    });
    assert.equal(status, 2);
    assert.match(stderr, /^error\[USAGE\]/);
  });
  it("ends when it is interrupted", async (t) => {
    const directory = await temporaryDirectory(t);
    const options = { directory, environment: { HOME: directory }, umask: 0o022 };
    await assert.rejects(runAgain(["version"], { ...options, signal: AbortSignal.abort() }), fails("INTERRUPTED"));
    const controller = new AbortController();
    const running = runAgain(["version"], { ...options, signal: controller.signal });
    controller.abort();
    await assert.rejects(running, fails("INTERRUPTED"));
  });
});
