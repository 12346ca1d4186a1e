import assert from "node:assert/strict";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { claimantOf, claimName, isPodName, parsePodName, releaseNames } from "../../src/pod/names.ts";
import { openPods, Pod, resolvePod } from "../../src/pod/pod.ts";
import { fails } from "../helpers/failures.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

const rootIn = async (t: TestContext) => openPods(await temporaryDirectory(t));

describe("LIFE-54: names of pods", () => {
  it("are ACNames that nobody can take for the beginning of a uuid", () => {
    for (const name of ["web", "web-1", "cafes", "0g", "g".repeat(63)]) assert.equal(parsePodName(name), name);
    for (const name of ["", "Web", "a_b", "-a", "cafe", "dead-beef", "0", "1234", "a/b", "..", "g".repeat(64)]) {
      assert.throws(() => parsePodName(name), fails("USAGE", /./, { hint: /uuid/ }), name);
      assert.equal(isPodName(name), false, name);
    }
  });

  it("one pod has a name; when it is gone another may have it", async (t) => {
    const root = await rootIn(t);
    const living = new Set(["one"]);
    const isLiving = (uuid: string) => living.has(uuid);
    claimName(root, "web", "one", isLiving);
    assert.throws(() => claimName(root, "web", "two", isLiving), fails("ALREADY_EXISTS", /one is called web/));
    claimName(root, "log", "two", isLiving);
    living.delete("one");
    claimName(root, "web", "two", isLiving);
    assert.equal(claimantOf(root, "web"), "two");
  });

  it("releaseNames takes those of dead pods, and what a claim that was cut short left", async (t) => {
    const root = await rootIn(t);
    releaseNames(root, () => new Set());
    for (const [name, uuid] of [
      ["web", "one"],
      ["log", "two"],
    ] as const) {
      claimName(root, name, uuid, () => false);
    }
    const directory = join(root, "..", "pod-names");
    writeFileSync(join(directory, ".three"), "three");
    mkdirSync(join(directory, "strange"));
    releaseNames(root, () => new Set(["two"]));
    assert.deepEqual(readdirSync(directory).sort(), ["log", "strange"]);
    assert.equal(claimantOf(root, "../pods"), undefined);
  });

  it("resolvePod finds a pod by its name until gc has marked it", async (t) => {
    const root = await rootIn(t);
    const pod = Pod.create(root);
    t.after(() => pod.release());
    claimName(root, "web", pod.uuid, () => false);
    assert.equal(resolvePod(root, "web").uuid, pod.uuid);
    assert.throws(() => resolvePod(root, "other"), fails("NOT_FOUND"));
    pod.move("run");
    assert.equal(resolvePod(root, "web").phase, "run");
    pod.move("exited-garbage");
    assert.throws(() => resolvePod(root, "web"), fails("NOT_FOUND", /no pod web/));
    assert.equal(resolvePod(root, pod.uuid).uuid, pod.uuid);
  });
});
