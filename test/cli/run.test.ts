import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { podStatus } from "../../src/api/pods.ts";
import command from "../../src/cli/commands/run.ts";
import { assertNothingLeft, leakSnapshot } from "../helpers/leak-check.ts";
import { PodWorld } from "../helpers/pod-world.ts";
import { Workspace } from "../helpers/program.ts";
import { invoke } from "../helpers/trust.ts";

const clean = leakSnapshot();
const work = new Workspace();
let world: PodWorld;
before(async () => {
  world = await PodWorld.open();
  await world.stored("example.com/guest", { exec: ["/guest"] });
  work.stored("example.com/guest", { exec: ["/guest"] });
});
after(async () => {
  await world.close();
  work.must(["gc", "--grace-period=0s"]);
  await work.close();
  await assertNothingLeft(clean);
});

describe("perigee run --detach", () => {
  it("prints the uuid when the pod runs, and warns before", async () => {
    const args = ["--detach", "--volume", "data,kind=empty", "example.com/guest", "--", "exit", "5"];
    const { lines, json } = await invoke(command, world.settings, { args });
    const { uuid } = Object(json);
    assert.deepEqual(lines, [uuid]);
    assert.match(world.heard.join("\n"), /volume data is mounted nowhere/);
    const { apps } = await podStatus(world.settings, { pod: uuid, wait: "forever" });
    assert.equal(apps[0]?.exitStatus, 5);
  });
});

describe("perigee run", () => {
  it("becomes the pod: the app's status, output and nothing else", () => {
    const { status, stdout, stderr } = work.run(["example.com/guest", "--", "echo", "hello", ",", "exit", "9"]);
    assert.deepEqual([status, stdout, stderr], [9, "hello\n", ""]);
  });

  it("ends with 125 for failures of ours, 127 and 126 for the program's", () => {
    const image = "example.com/guest";
    assert.equal(work.run(["--net=bridge", image]).status, 125);
    assert.equal(work.run([]).status, 125);
    assert.equal(work.run([image, "--exec", "/none"]).status, 127);
    assert.equal(work.run([image, "--exec", "/etc/hostname"]).status, 126);
  });

  it("tells of a failure of the shim in JSON when asked to", () => {
    const { status, stderr } = work.run(["--format=json", "example.com/guest", "--exec", "/none"]);
    assert.equal(status, 127);
    assert.equal(JSON.parse(stderr).error.code, "EXEC_NOT_FOUND");
  });

  it("saves the uuid", () => {
    const file = work.path("uuid");
    assert.equal(work.run(["--uuid-file-save", file, "example.com/guest", "--", "exit", "0"]).status, 0);
    assert.equal(work.pods().at(-1)?.uuid, readFileSync(file, "utf8"));
  });
});
