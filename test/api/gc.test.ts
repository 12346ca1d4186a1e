import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { type CollectOptions, collectGarbage } from "../../src/api/gc.ts";
import type { Settings } from "../../src/api/settings.ts";
import { silentLog } from "../../src/base/log.ts";
import { openPods, Pod } from "../../src/pod/pod.ts";
import { writePodRecord } from "../../src/pod/record.ts";
import { FileLock } from "../../src/shim/flock.ts";
import { lockOf, openStoreSync, treePath } from "../../src/store/layout.ts";
import { fails } from "../helpers/failures.ts";
import { importImage } from "../helpers/images.ts";
import { testSettings } from "../helpers/settings.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

async function settingsOf(t: TestContext): Promise<Settings> {
  const settings = testSettings();
  return { ...settings, directories: { ...settings.directories, data: await temporaryDirectory(t) } };
}

const collect = (settings: Settings, more: Partial<CollectOptions> = {}) =>
  collectGarbage(settings, { gracePeriodMs: 0, expirePreparedMs: 0, markOnly: false, ...more });

function podOf({ directories }: Settings, treeId: string): Pod {
  const pod = Pod.create(openPods(directories.data));
  const apps = [{ name: "web", imageId: "i", imageName: "example.com/web", treeId }];
  const createdAt = new Date().toISOString();
  writePodRecord(pod.directory, { uuid: pod.uuid, createdAt, apps, network: "none", hostname: "h", cgroups: [] });
  return pod;
}

function tree({ directories }: Settings, id: string): string {
  const path = treePath(openStoreSync(directories.data), id);
  mkdirSync(join(path, "rootfs"), { recursive: true });
  writeFileSync(join(path, "manifest.ok"), "");
  return path;
}

describe("collectGarbage", () => {
  it("LIFE-14: keeps the trees of pods in every phase, and sweeps those of none", async (t) => {
    const settings = await settingsOf(t);
    const preparing = podOf(settings, "preparing");
    const running = podOf(settings, "running");
    running.move("run");
    const kept = podOf(settings, "kept");
    kept.move("run");
    kept.release();
    for (const id of ["preparing", "running", "kept", "unused"]) tree(settings, id);
    const { marked, removed, trees } = await collect(settings, { gracePeriodMs: 60_000 });
    assert.deepEqual([marked, removed, trees], [[kept.uuid], [], ["unused"]]);
    const trees2 = readdirSync(join(settings.directories.data, "store", "trees")).sort();
    assert.deepEqual(trees2, ["kept", "preparing", "running"]);
    assert.deepEqual((await collect(settings)).trees, ["kept"]);
    preparing.release();
    running.release();
  });

  it("keeps what images have, and marks only when asked to", async (t) => {
    const settings = await settingsOf(t);
    const { id } = await importImage(openStoreSync(settings.directories.data), { name: "example.com/web" });
    const pod = podOf(settings, "t");
    pod.move("run");
    pod.release();
    const unused = tree(settings, "unused");
    const result = await collect(settings, { markOnly: true });
    assert.deepEqual(result, { marked: [pod.uuid], removed: [], failed: [], trees: [], blobs: [], layers: [] });
    assert.ok(existsSync(unused));
    assert.deepEqual(await collect(settings), {
      marked: [],
      removed: [pod.uuid],
      failed: [],
      trees: ["unused"],
      blobs: [],
      layers: [],
    });
    assert.ok(existsSync(treePath(openStoreSync(settings.directories.data), id)));
  });

  it("waits for other users of the store, says so, and can be interrupted", async (t) => {
    const settings = await settingsOf(t);
    const lock = FileLock.open(lockOf(openStoreSync(settings.directories.data)), "shared");
    const said: string[] = [];
    const log = { ...silentLog, info: (text: string) => said.push(text) };
    const signal = AbortSignal.timeout(20);
    await assert.rejects(collect({ ...settings, log }, { signal }), fails("INTERRUPTED"));
    assert.deepEqual(said, ["waiting for other users of the store"]);
    const collecting = collect(settings);
    lock?.release();
    assert.deepEqual((await collecting).failed, []);
  });
});
