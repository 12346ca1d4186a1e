import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import command from "../../src/cli/commands/enter.ts";
import { fails } from "../helpers/failures.ts";
import { assertNothingLeft, leakSnapshot } from "../helpers/leak-check.ts";
import { Workspace } from "../helpers/program.ts";
import { testSettings } from "../helpers/settings.ts";
import { invoke } from "../helpers/trust.ts";

const clean = leakSnapshot();
const work = new Workspace();
let uuid = "";
before(() => {
  work.stored("example.com/guest", { exec: ["/guest"] });
  uuid = work.run(["--detach", "example.com/guest", "--", "sleep", "600"]).stdout.trim();
});
after(async () => {
  work.must(["stop", "--force", uuid]);
  work.must(["gc", "--grace-period=0s"]);
  await work.close();
  await assertNothingLeft(clean);
});

describe("perigee enter", () => {
  it("becomes the command: its status, output and nothing else", () => {
    const line = ["enter", uuid, "/guest", "echo", "hello", ",", "exit", "9"];
    assert.deepEqual(work.perigee(line), { status: 9, stdout: "hello\n", stderr: "" });
  });

  it("takes flags before the pod and none behind it (CLI-64)", () => {
    const line = ["enter", "--debug", "--app=guest", uuid, "--", "/guest", "echo", "--app=x", "--help"];
    assert.equal(work.must(line), "--app=x --help\n");
  });

  it("needs a pod", async () => {
    await assert.rejects(invoke(command, testSettings(), {}), fails("USAGE", /one pod is needed/));
  });
});
