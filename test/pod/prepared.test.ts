import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { claimOf, claimRange } from "../../src/pod/id-ranges.ts";
import { findPod, openPods, Pod } from "../../src/pod/pod.ts";
import { preparePod } from "../../src/pod/prepare.ts";
import { putDown, readWaiting, takePrepared } from "../../src/pod/prepared.ts";
import { type PodRecord, readPodRecord, replacePodRecord } from "../../src/pod/record.ts";
import { PodManifest } from "../../src/schema/pod-manifest.ts";
import { fails } from "../helpers/failures.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

const manifest = PodManifest.parse({ acKind: "PodManifest", acVersion: "0.8.11", apps: [] });
const cgroups = { enable: [], directories: [], init: [], apps: new Map(), remove: [], visible: [] } as const;
const terms = {
  overlay: false,
  allowSymlinkSources: true,
  strict: true,
  imageIsolators: { web: ["os/linux/cpu-shares"] },
  layers: ["x"],
};

/** A pod that was put down. */
async function prepared(t: TestContext) {
  const data = await temporaryDirectory(t);
  const root = openPods(data);
  const pod = Pod.create(root);
  const { uuid } = pod;
  const apps = [{ name: "web", imageId: "sha512-aa", imageName: "example.com/web", treeId: "tree" }];
  const { record } = preparePod(pod, { apps, manifest, cgroups, claim: () => claimRange(data, uuid), prepared: terms });
  await putDown(data, root, pod, record);
  return { data, root, uuid, record, directory: join(root, "prepared", uuid) };
}

describe("putDown", () => {
  it("LIFE-3, LIFE-10: leaves the pod in prepared, its lock free, with all that its start needs", async (t) => {
    const { data, root, uuid, record } = await prepared(t);
    assert.equal(findPod(root, uuid)?.state, "prepared");
    const pod = await takePrepared(root, uuid.slice(0, 8));
    assert.equal(findPod(root, uuid)?.state, "prepared");
    const waiting = readWaiting(data, pod);
    assert.deepEqual(waiting.record, JSON.parse(JSON.stringify(record)));
    assert.deepEqual(waiting.manifest, JSON.parse(JSON.stringify(manifest)));
    const { manifestSha512, ...others } = waiting.terms;
    assert.deepEqual(others, terms);
    assert.match(manifestSha512, /^[0-9a-f]{128}$/);
    pod.release();
  });
});

describe("takePrepared", () => {
  it("LIFE-52: of two callers one gets the pod, the other is told what became of it", async (t) => {
    const { root, uuid } = await prepared(t);
    const pod = await takePrepared(root, uuid);
    const other = takePrepared(root, uuid);
    setTimeout(() => pod.move("run"), 50);
    await assert.rejects(other, fails("WRONG_STATE", /is running, not prepared/));
    pod.release();
    await assert.rejects(takePrepared(root, uuid), fails("WRONG_STATE", /is exited, not prepared/));
    rmSync(join(root, "run", uuid), { recursive: true });
    await assert.rejects(takePrepared(root, uuid), fails("NOT_FOUND"));
  });

  it("waits for one who only looks, and says so when somebody holds it", async (t) => {
    const { root, uuid } = await prepared(t);
    const holder = Pod.take(root, uuid, "prepared");
    setTimeout(() => holder?.release(), 100);
    (await takePrepared(root, uuid)).release();
    const other = Pod.take(root, uuid, "prepared");
    await assert.rejects(takePrepared(root, uuid), fails("LOCKED"));
    other?.release();
  });
});

describe("readWaiting (LIFE-22, LIFE-50)", () => {
  const cases: readonly (readonly [why: string, damage: (directory: string) => void, text: RegExp])[] = [
    ["a record that is gone", (d) => rmSync(join(d, "record")), /record is missing/],
    ["a record that is torn", (d) => writeFileSync(join(d, "record"), "{"), /record is not what perigee wrote/],
    ["a manifest that is gone", (d) => rmSync(join(d, "manifest")), /manifest is missing/],
    ["a manifest that was changed", (d) => writeFileSync(join(d, "manifest"), "{}"), /manifest is not what/],
    [
      "a link in its place",
      (d) => {
        rmSync(join(d, "manifest"));
        symlinkSync("/etc/hostname", join(d, "manifest"));
      },
      /manifest is not a regular file/,
    ],
  ];
  for (const [why, damage, text] of cases) {
    it(why, async (t) => {
      const { data, uuid, directory } = await prepared(t);
      damage(directory);
      const read = () => readWaiting(data, { uuid, directory });
      assert.throws(read, fails("WRONG_STATE", /cannot be run any more/, { cause: text, hint: /perigee rm/ }));
    });
  }

  it("LIFE-17: ids that are another's by now, whoever lost them", async (t) => {
    const { data, uuid, directory, record } = await prepared(t);
    const claim = claimOf(data, record.idBase ?? 0);
    assert.equal(readFileSync(claim, "utf8"), uuid);
    rmSync(claim);
    claimRange(data, "another");
    assert.ok(existsSync(claim));
    assert.throws(() => readWaiting(data, { uuid, directory }), fails("WRONG_STATE", /./, { cause: /its own/ }));
  });
});

describe("replacePodRecord", () => {
  it("LIFE-14: puts the record of the start in place of the other, and leaves nothing beside it", async (t) => {
    const { directory, record } = await prepared(t);
    const next: PodRecord = { ...record, network: "host", hostname: "h", prepared: undefined };
    replacePodRecord(directory, next);
    assert.deepEqual(readPodRecord(directory), JSON.parse(JSON.stringify(next)));
    assert.deepEqual(
      readdirSync(directory).filter((name) => name.includes("record")),
      ["record"],
    );
  });
});
