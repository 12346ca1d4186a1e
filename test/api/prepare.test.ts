import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, it } from "node:test";
import { collectGarbage } from "../../src/api/gc.ts";
import { removeImages } from "../../src/api/images.ts";
import { listPods, podStatus, removePods } from "../../src/api/pods.ts";
import { type PrepareOptions, preparePod } from "../../src/api/prepare.ts";
import { stopPods } from "../../src/api/stop.ts";
import { readPodRecord } from "../../src/pod/record.ts";
import { fails } from "../helpers/failures.ts";
import { guestWorld } from "../helpers/pod-world.ts";

const scene = guestWorld();
const prepare = (options: Partial<PrepareOptions> = {}) => {
  const { world, image } = scene;
  return preparePod(world.settings, { apps: [{ image }], ...options });
};
const collect = (expirePreparedMs: number) =>
  collectGarbage(scene.world.settings, { gracePeriodMs: 0, expirePreparedMs, markOnly: false });
afterEach(() => collect(0));

describe("preparePod", () => {
  it("LIFE-50: leaves a pod in prepared that is listed, with what its start needs, and no cgroup", async () => {
    const { world } = scene;
    const { uuid, warnings } = await prepare({ volumes: ["data,kind=empty"], overlay: false, privateUsers: true });
    assert.match(warnings.join("\n"), /volume data is mounted nowhere/);
    const [pod] = await listPods(world.settings);
    assert.deepEqual(
      [pod?.uuid, pod?.state, pod?.apps[0]?.state, pod?.network],
      [uuid, "prepared", "created", undefined],
    );
    const record = readPodRecord(join(world.data, "pods", "prepared", uuid));
    assert.ok(record?.prepared !== undefined && (record.idBase ?? 0) >= 0x7000_0000);
    const { overlay, allowSymlinkSources, strict } = record.prepared;
    assert.deepEqual([overlay, allowSymlinkSources, strict], [false, false, false]);
    assert.deepEqual(record.prepared.layers, [record.apps[0]?.imageId]);
    assert.deepEqual(record.cgroups, []);
  });

  it("ISO-1: remembers whose isolators they are", async () => {
    const { world } = scene;
    const isolators = [
      { name: "os/linux/cpu-shares", value: 7 },
      { name: "os/linux/oom-score-adj", value: 5 },
    ];
    const image = await world.stored("example.com/isolated", { isolators });
    const { uuid } = await prepare({ apps: [{ image, cpuShares: "9" }] });
    const record = readPodRecord(join(world.data, "pods", "prepared", uuid));
    assert.deepEqual(record?.prepared?.imageIsolators, { isolated: ["os/linux/oom-score-adj"] });
  });

  it("saves the uuid where it is asked to", async () => {
    const uuidFile = scene.world.path("prepared.uuid");
    const { uuid } = await prepare({ uuidFile });
    assert.equal(readFileSync(uuidFile, "utf8"), uuid);
  });

  it("LIFE-18: gc takes it after its time, with its ids, and neither its trees nor its images before", async () => {
    const { world, image } = scene;
    const { uuid } = await prepare();
    assert.deepEqual(await collect(60_000), { marked: [], removed: [], failed: [], trees: [], blobs: [], layers: [] });
    await assert.rejects(removeImages(world.settings, { images: [image] }), fails("LOCKED", new RegExp(uuid)));
    assert.deepEqual((await collect(0)).removed, [uuid]);
    assert.deepEqual(world.remains(), []);
  });

  it("is removed, looked at and not stopped by the other verbs", async () => {
    const { world } = scene;
    const { uuid } = await prepare();
    assert.equal((await podStatus(world.settings, { pod: uuid })).state, "prepared");
    const stop = { pods: [uuid], force: false, timeoutMs: 1000 };
    assert.deepEqual(await stopPods(world.settings, stop), [{ uuid, killed: false }]);
    assert.deepEqual(await removePods(world.settings, { pods: [uuid] }), [{ uuid }]);
    assert.deepEqual(world.remains(), []);
  });
});

describe("LIFE-50: what cannot run is refused when it is prepared, and leaves nothing", () => {
  const cases: readonly (readonly [
    why: string,
    options: Partial<PrepareOptions>,
    failure: Parameters<typeof fails>,
  ])[] = [
    ["an id outside of its user namespace", { apps: [{ image: "example.com/guest", user: "70000" }] }, ["UNSUPPORTED"]],
    ["no such user", { apps: [{ image: "example.com/guest", user: "nobody-here" }] }, ["NOT_FOUND", /nobody-here/]],
    [
      "a volume that is not there",
      { volumes: ["a,kind=host,source=/nowhere"], mounts: ["volume=a,target=/a"] },
      ["NOT_FOUND"],
    ],
    [
      "a directory in /proc",
      { apps: [{ image: "example.com/guest", workingDirectory: "/proc/1" }] },
      ["MANIFEST_INVALID"],
    ],
    ["an image that is not stored", { apps: [{ image: "example.com/none" }], pullPolicy: "never" }, ["NOT_FOUND"]],
    ["interrupted", { signal: AbortSignal.abort() }, ["INTERRUPTED"]],
    ["a uuid file that cannot be written", { uuidFile: "/nowhere/uuid" }, ["NOT_FOUND", /nowhere/]],
  ];
  for (const [why, options, failure] of cases) {
    it(why, async () => {
      await assert.rejects(prepare(options), fails(...failure));
      assert.deepEqual(scene.world.remains(), []);
    });
  }

  it("nor a uuid file that it wrote, nor one of another when it did not", async () => {
    const uuidFile = scene.world.path("kept.uuid");
    writeFileSync(uuidFile, "of an earlier pod");
    await assert.rejects(prepare({ uuidFile, apps: [{ image: scene.image, user: "70000" }] }), fails("UNSUPPORTED"));
    assert.equal(readFileSync(uuidFile, "utf8"), "of an earlier pod");
  });
});
