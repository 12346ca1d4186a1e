import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { podStatus } from "../../src/api/pods.ts";
import { preparePod } from "../../src/api/prepare.ts";
import command from "../../src/cli/commands/run-prepared.ts";
import { assertNothingLeft, leakSnapshot } from "../helpers/leak-check.ts";
import { PodWorld } from "../helpers/pod-world.ts";
import { Workspace } from "../helpers/program.ts";
import { invoke } from "../helpers/trust.ts";

const clean = leakSnapshot();
const work = new Workspace();
const image = "example.com/guest";
let world: PodWorld;
before(async () => {
  world = await PodWorld.open();
  await world.stored(image, { exec: ["/guest"] });
  work.stored(image, { exec: ["/guest"] });
});
after(async () => {
  await world.close();
  work.must(["gc", "--grace-period=0s"]);
  await work.close();
  await assertNothingLeft(clean);
});

describe("perigee run-prepared --detach", () => {
  it("prints the uuid when the pod runs; the uuid may come from a file", async () => {
    const uuidFile = world.path("uuid");
    const { uuid } = await preparePod(world.settings, { apps: [{ image, args: ["exit", "5"] }], uuidFile });
    const { lines } = await invoke(command, world.settings, { options: { detach: true, "uuid-file": uuidFile } });
    assert.deepEqual(lines, [uuid]);
    const { apps } = await podStatus(world.settings, { pod: uuid, wait: "forever" });
    assert.equal(apps[0]?.exitStatus, 5);
  });
});

describe("perigee run-prepared", () => {
  const run = (...args: readonly string[]) => work.perigee(["--insecure-options=image", "run-prepared", ...args]);
  const prepare = (...args: readonly string[]) =>
    work.must(["--insecure-options=image", "prepare", "--quiet", image, ...args]).trim();

  it("becomes the pod: the app's status, output and nothing else", () => {
    const { status, stdout, stderr } = run(prepare("--", "echo", "hello", ",", "exit", "9"));
    assert.deepEqual([status, stdout, stderr], [9, "hello\n", ""]);
  });

  it("CLI-11: ends with 125 for failures of ours and says which, 127 for a program that is not there", () => {
    const uuid = prepare("--", "exit", "0");
    assert.equal(run("--net=bridge", uuid).status, 125);
    assert.equal(run(uuid).status, 0);
    const again = run("--format=json", uuid);
    assert.equal(again.status, 125);
    const { code, message } = JSON.parse(again.stderr).error;
    assert.deepEqual([code, message], ["WRONG_STATE", `pod ${uuid} is exited, not prepared`]);
    assert.equal(run().status, 125);
    assert.equal(run(prepare("--exec", "/none")).status, 127);
  });
});
