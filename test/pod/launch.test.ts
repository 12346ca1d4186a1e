import assert from "node:assert/strict";
import { mkdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import type { PodCgroups } from "../../src/pod/cgroup-plan.ts";
import { type LaunchRequest, launchPod } from "../../src/pod/launch.ts";
import { findPod, openPods, Pod } from "../../src/pod/pod.ts";
import { preparePod } from "../../src/pod/prepare.ts";
import { encodePlan } from "../../src/shim/plan.ts";
import { fails } from "../helpers/failures.ts";
import { inputOf, planVectors } from "../helpers/plans.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

const noCgroups: PodCgroups = { enable: [], directories: [], init: [], apps: new Map(), remove: [], visible: [] };
const idBase = 0x7000_0000;

/** A prepared pod of the default plan's one app, whose tree belongs to 7:8. */
async function prepared(t: TestContext, more: Partial<LaunchRequest["input"]> = {}): Promise<LaunchRequest> {
  const [, vector] = planVectors().find(([name]) => name === "default.json") ?? [];
  assert.ok(vector !== undefined);
  const directory = await temporaryDirectory(t);
  const pod = Pod.create(openPods(directory));
  t.after(() => pod.release());
  const input = { ...inputOf(vector), cgroups: noCgroups, ...more };
  const trees = new Map<string, string>();
  for (const { name } of input.apps) {
    trees.set(name, join(directory, name));
    mkdirSync(join(directory, name), { mode: 0o751 });
  }
  const request = { apps: [], network: "none", hostname: "web", manifest: input.manifest, cgroups: noCgroups };
  return { prepared: preparePod(pod, { ...request, claim: () => idBase }), input, trees, emptyVolumes: [] };
}

describe("launchPod", () => {
  it("writes the plan the shim is given, and moves the pod to run, still locked", async (t) => {
    const request = await prepared(t);
    const { pod } = request.prepared;
    const { plan, start } = launchPod(request);
    assert.equal(pod.phase, "run");
    assert.equal(start.directory, pod.directory);
    assert.equal(start.lock, pod.fd);
    assert.deepEqual(readFileSync(start.plan), Buffer.from(encodePlan(plan)));
    assert.equal(statSync(start.plan).mode & 0o777, 0o600);
    assert.equal(findPod(join(pod.directory, "..", ".."), pod.uuid)?.state, "running");
  });

  it("makes roots with the tree's mode and owner in the pod's ids, and the pod's own files", async (t) => {
    const request = await prepared(t);
    const [app] = request.input.apps;
    assert.ok(app !== undefined && app.root.kind === "overlay");
    const { start } = launchPod(request);
    const upper = statSync(join(start.directory, app.root.upper));
    assert.deepEqual([upper.uid, upper.gid, upper.mode & 0o7777], [idBase, idBase, 0o751]);
    for (const { name, content } of app.files) {
      assert.equal(readFileSync(join(start.directory, "files", name), "utf8"), content);
      assert.equal(statSync(join(start.directory, "files", name)).mode & 0o777, 0o644);
    }
  });

  it("POD-14: empty volumes belong to whom the manifest says, with its mode whatever the umask", async (t) => {
    const request = await prepared(t);
    const umask = process.umask(0o077);
    t.after(() => process.umask(umask));
    const volume = {
      volume: "data",
      mode: 0o3775,
      uid: 5,
      gid: 6,
    } as const;
    const { start } = launchPod({ ...request, emptyVolumes: [volume] });
    const { uid, gid, mode } = statSync(join(start.directory, "volumes", "data"));
    assert.deepEqual([uid, gid, mode & 0o7777], [idBase + 5, idBase + 6, 0o3775]);
    for (const { name } of request.input.apps.flatMap((app) => app.files)) {
      assert.equal(statSync(join(start.directory, "files", name)).mode & 0o777, 0o644, name);
    }
  });

  it("leaves the pod in prepare, for its caller to discard, when it fails", async (t) => {
    const request = await prepared(t);
    const [name = ""] = request.trees.keys();
    const gone = new Map([[name, join(request.prepared.pod.directory, "nowhere")]]);
    assert.throws(() => launchPod({ ...request, trees: gone }), fails("NOT_FOUND"));
    assert.equal(request.prepared.pod.phase, "prepare");
    const blocked = { path: "/sys/fs/cgroup/none/perigee-x", writes: [] };
    const other = await prepared(t, { cgroups: { ...noCgroups, directories: [blocked] } });
    assert.throws(() => launchPod(other), fails("NOT_FOUND", /cgroups/));
    assert.equal(other.prepared.pod.phase, "prepare");
  });
});
