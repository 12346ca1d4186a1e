import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { Failure } from "../../src/base/failure.ts";
import { findPods, openPods, Pod, resolvePod } from "../../src/pod/pod.ts";

let data = "";
let root = "";
before(() => {
  data = mkdtempSync(join(tmpdir(), `perigee-pod-${process.pid}-`));
  root = openPods(data);
});
after(() => rmSync(data, { recursive: true, force: true }));

const stateOfPod = (uuid: string) => findPods(root).find((pod) => pod.uuid === uuid)?.state;
const fails = (code: string) => (error: unknown) => error instanceof Failure && error.code === code;

describe("Pod", () => {
  it("T-R50: the directories are for their owner alone", () => {
    for (const path of [root, join(root, "run"), join(root, "embryo")])
      assert.equal(statSync(path).mode & 0o777, 0o700);
  });

  it("LIFE-10: moves by rename with the lock held, and its state follows", () => {
    const pod = Pod.create(root);
    assert.equal(stateOfPod(pod.uuid), "preparing");
    pod.move("run");
    assert.equal(stateOfPod(pod.uuid), "running");
    assert.equal(pod.directory, join(root, "run", pod.uuid));
    assert.throws(() => pod.move("prepare"), fails("INTERNAL"));
    pod.release();
    assert.equal(stateOfPod(pod.uuid), "exited");
  });

  it("LIFE-12: a second process cannot take what is held", () => {
    const pod = Pod.create(root);
    assert.equal(Pod.take(root, pod.uuid, "prepare"), undefined);
    pod.release();
    const taken = Pod.take(root, pod.uuid, "prepare");
    assert.equal(taken?.uuid, pod.uuid);
    taken?.release();
  });

  it("LIFE-13: a pod that is not where it was looked for is not taken", () => {
    const pod = Pod.create(root);
    pod.move("garbage");
    pod.release();
    assert.equal(Pod.take(root, pod.uuid, "prepare"), undefined);
  });

  it("what is not named like a pod is none", () => {
    mkdirSync(join(root, "run", "lost+found"));
    writeFileSync(join(root, "run", "note"), "");
    assert.equal(
      findPods(root).some((pod) => pod.uuid.length !== 36),
      false,
    );
  });

  it("leaves no embryo behind", () => {
    const pod = Pod.create(root);
    assert.equal(existsSync(join(root, "embryo", pod.uuid)), false);
    pod.release();
  });
});

describe("resolvePod", () => {
  it("TYPE-9: finds by uuid, by prefix, in any case", () => {
    const pod = Pod.create(root);
    for (const text of [pod.uuid, pod.uuid.slice(0, 13), pod.uuid.toUpperCase()])
      assert.equal(resolvePod(root, text).uuid, pod.uuid);
    pod.release();
  });

  it("refuses what could be several", () => {
    for (const uuid of ["abcd0000-0000-4000-8000-000000000001", "abcd0000-0000-4000-8000-000000000002"])
      mkdirSync(join(root, "run", uuid));
    assert.throws(() => resolvePod(root, "abcd"), fails("AMBIGUOUS"));
  });

  for (const [text, code] of [
    ["abc", "USAGE"],
    ["../..", "USAGE"],
    ["", "USAGE"],
    ["ffffffff-0000", "NOT_FOUND"],
  ] as const) {
    it(`${JSON.stringify(text)} is ${code}`, () => assert.throws(() => resolvePod(root, text), fails(code)));
  }
});
