import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import command from "../../src/cli/commands/attach.ts";
import { fails } from "../helpers/failures.ts";
import { assertNothingLeft, leakSnapshot } from "../helpers/leak-check.ts";
import { Workspace } from "../helpers/program.ts";
import { testSettings } from "../helpers/settings.ts";
import { invoke } from "../helpers/trust.ts";

const clean = leakSnapshot();
const work = new Workspace();
before(() => {
  work.stored("example.com/guest", { exec: ["/guest"] });
});
after(async () => {
  work.must(["gc", "--grace-period=0s"]);
  await work.close();
  await assertNothingLeft(clean);
});

describe("perigee attach", () => {
  it("becomes the connection: the app's status, its streams and nothing else (CLI-87)", () => {
    const line = ["--detach", "example.com/guest", "--stdin=stream"];
    const { stdout: uuid } = work.run([...line, "--", "cat", ",", "error", "wrong", ",", "exit", "9"]);
    const outcome = work.perigee(["attach", "--close-stdin", uuid.trim()], { input: "hello\n" });
    assert.deepEqual(outcome, { status: 9, stdout: "hello\n", stderr: "wrong\n" });
  });

  it("needs a pod, and flags that fit each other", async () => {
    await assert.rejects(invoke(command, testSettings(), {}), fails("USAGE", /one pod is needed/));
    const { status, stderr } = work.perigee(["attach", "--no-stdin", "--close-stdin", "6f3a"]);
    assert.equal(status, 125);
    assert.match(stderr, /exclude each other/);
  });
});
