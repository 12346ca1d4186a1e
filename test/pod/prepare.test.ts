import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { Failure } from "../../src/base/failure.ts";
import { discardPod } from "../../src/pod/gc.ts";
import { findPod, openPods, Pod } from "../../src/pod/pod.ts";
import { type PrepareRequest, preparePod } from "../../src/pod/prepare.ts";
import { readPodRecord } from "../../src/pod/record.ts";
import { PodManifest } from "../../src/schema/pod-manifest.ts";
import { fails } from "../helpers/failures.ts";
import { temporaryPrefix } from "../helpers/temporary.ts";

let data = "";
let pod: Pod;
beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), temporaryPrefix));
  pod = Pod.create(openPods(data));
});
afterEach(() => {
  pod.release();
  rmSync(data, { recursive: true, force: true });
});

const manifest = PodManifest.parse({ acKind: "PodManifest", acVersion: "0.8.11", apps: [] });
const apps = [{ name: "web", imageId: "sha512-aa", imageName: "example.com/web", treeId: "tree" }];

function request(more: Partial<PrepareRequest> = {}): PrepareRequest {
  const path = `/sys/fs/cgroup/pids/perigee-${pod.uuid}`;
  const cgroups = { enable: [], directories: [], init: [], apps: new Map(), remove: [path], visible: [] } as const;
  return { apps, network: "none", hostname: "h", manifest, cgroups, claim: () => 0x7000_0000, ...more };
}

describe("preparePod", () => {
  it("LIFE-14: records trees, ids and cgroups before any of them is used", () => {
    const { record } = preparePod(pod, request());
    assert.deepEqual(readPodRecord(pod.directory), record);
    assert.deepEqual(record.apps, apps);
    assert.equal(record.idBase, 0x7000_0000);
    assert.deepEqual(record.cgroups, [`/sys/fs/cgroup/pids/perigee-${pod.uuid}`]);
    assert.ok(Math.abs(Date.parse(record.createdAt) - Date.now()) < 60_000);
    assert.equal(findPod(join(data, "pods"), pod.uuid)?.state, "preparing");
  });

  it("keeps the manifest, and all of it for root alone", () => {
    preparePod(pod, request());
    assert.deepEqual(JSON.parse(readFileSync(join(pod.directory, "manifest"), "utf8")), manifest);
    for (const name of readdirSync(pod.directory)) {
      assert.equal(statSync(join(pod.directory, name)).mode & 0o077, 0, name);
    }
  });

  it("claims no ids without a user namespace", () => {
    assert.equal(preparePod(pod, request({ claim: undefined })).record.idBase, undefined);
  });

  it("LIFE-10: leaves a pod that its caller can discard when it fails", async () => {
    const claim = (): number => {
      throw new Failure("LIMIT_EXCEEDED", "none left");
    };
    assert.throws(() => preparePod(pod, request({ claim })), fails("LIMIT_EXCEEDED"));
    await discardPod(data, join(data, "pods"), pod);
    assert.deepEqual(
      readdirSync(join(data, "pods"), { recursive: true }).filter(
        (name) => /-/.test(String(name)) && !/garbage$/.test(String(name)),
      ),
      [],
    );
  });

  it("is never done twice to one pod", () => {
    preparePod(pod, request());
    assert.throws(() => preparePod(pod, request()), fails("IO_FAILED", /cannot prepare/));
  });
});
