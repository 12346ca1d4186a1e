import assert from "node:assert/strict";
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { readPodRecord } from "../../src/pod/record.ts";
import { type CommandRequest, makeStepPod } from "../../src/recipe/pod-of-step.ts";
import { type Layer, viewOf } from "../../src/store/stack.ts";
import { fails } from "../helpers/failures.ts";
import { guest } from "../helpers/program.ts";
import { RecipeWorld } from "../helpers/recipe-world.ts";

let world: RecipeWorld;
let layers: readonly Layer[];
before(async () => {
  world = await RecipeWorld.open();
  layers = [world.layer("low", { "etc/hosts": "own" }), world.layer("top", { "srv/x": "1" })];
  copyFileSync(guest, world.path("low/guest"));
  mkdirSync(world.data, { recursive: true });
});
after(() => world.remove());

function request(changes: Partial<CommandRequest> = {}): CommandRequest {
  rmSync(world.path("scratch"), { recursive: true, force: true });
  mkdirSync(world.path("scratch"));
  return {
    data: world.data,
    imageName: "example.com/made",
    view: viewOf(layers),
    scratch: world.path("scratch"),
    command: ["/guest"],
    user: "0",
    group: "0",
    environment: [["A", "1"]],
    workingDirectory: "/srv",
    network: "none",
    insecure: new Set(),
    hostFiles: { resolvConf: "nameserver 192.0.2.1\n", hosts: "" },
    log: world.settings.log,
    ...changes,
  };
}

/** The records of the plan, each as its fields. */
async function planOf(changes: Partial<CommandRequest> = {}): Promise<readonly string[]> {
  const pod = await makeStepPod(request(changes));
  try {
    assert.ok(existsSync(pod.upper()));
    return readFileSync(pod.start.plan, "latin1").split("\0");
  } finally {
    await pod.discard();
    assert.deepEqual(world.podRemains(), []);
  }
}

describe("makeStepPod (RECIPE-30)", () => {
  it("confined as any pod: namespaces of its own, no network, a filter, no new privileges", async () => {
    const plan = await planOf();
    for (const word of ["user", "net", "pid", "no-new-privileges", "seccomp", "masked", "loopback"]) {
      if (word !== "masked") assert.ok(plan.includes(word), word);
    }
    assert.ok(plan.includes("A=1") && plan.includes("/srv") && plan.includes("/proc/kcore"));
    assert.ok(!plan.includes("/etc/resolv.conf"));
  });
  it("the layers lie below, topmost first, and are not written", async () => {
    const plan = await planOf();
    const lowers = plan.flatMap((word, index) => (word === "lower" ? [plan[index + 1]] : []));
    assert.deepEqual(lowers, [world.path("top"), world.path("low")]);
  });
  it("network and insecure only as asked", async () => {
    const open = await planOf({ network: "host", insecure: new Set(["seccomp", "paths"]) });
    assert.ok(!open.includes("net") && !open.includes("seccomp") && !open.includes("/proc/kcore"));
    assert.ok(open.includes("/etc/resolv.conf") && !open.includes("/etc/hosts"));
  });
  it("the upper directory has the mode of the image's root", async () => {
    const pod = await makeStepPod(request());
    assert.equal(statSync(pod.upper()).mode, statSync(world.path("top")).mode);
    assert.equal(statSync(pod.upper()).uid, pod.idBase);
    assert.ok(pod.mountTargets.includes("/dev") && pod.mountTargets.includes("/etc/hostname"));
    await pod.discard();
  });
  it("LIFE-14: its record names every tree of the store that it stands on, and no layer", async () => {
    const ids = [`sha512-${"1".repeat(128)}`, `layer-sha256-${"2".repeat(64)}`, `deps-sha512-${"3".repeat(128)}`];
    const stack = ids.map((id) => ({ ...world.layer(id, { x: "" }), id }));
    const pod = await makeStepPod(request({ view: viewOf([...stack, ...layers]) }));
    const record = readPodRecord(pod.pod.directory);
    assert.deepEqual([record?.apps[0]?.treeId, record?.trees], [ids[0], [ids[0], ids[2]]]);
    await pod.discard();
  });
  it("what cannot be leaves nothing", async () => {
    await assert.rejects(makeStepPod(request({ user: "nobody" })), fails("NOT_FOUND"));
    await assert.rejects(makeStepPod(request({ workingDirectory: "/proc/1" })), fails("MANIFEST_INVALID"));
    assert.deepEqual(world.podRemains(), []);
    assert.ok(existsSync(join(world.data, "pods")));
  });
});
