/** Names of pods where uuids stand, and what becomes of an app's files after its end: export and cat-manifest. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { endPods, guestImage, guestWork } from "../helpers/guest-work.ts";
import type { ListedPod } from "../helpers/program.ts";

const image = guestImage;
const work = guestWork((world) => endPods(world, "--expire-prepared=0s"));

const insecure = "--insecure-options=image";
const detach = (...args: readonly string[]) => work.must([insecure, "run", "--detach", ...args]).trim();
const status = (pod: string) =>
  JSON.parse(work.must(["status", "--format", "json", pod])) as ListedPod & { name?: string };

describe("LIFE-54: --pod-name", () => {
  it("stands wherever a uuid does, from prepare to rm, and is shown", () => {
    const uuid = work.must([insecure, "prepare", "--pod-name", "front", image, "--", "wait"]).trim();
    assert.deepEqual([status("front").uuid, status("front").name], [uuid, "front"]);
    assert.match(work.must(["list"]), /NAME\n.* front\n/);
    assert.equal(work.must([insecure, "run-prepared", "--detach", "front"]).trim(), uuid);
    assert.match(work.must(["status", "front"]), /^name=front$/m);
    assert.equal(JSON.parse(work.must(["cat-manifest", "front"])).apps[0].name, "guest");
    assert.equal(work.must(["stop", "front"]).trim(), uuid);
    assert.equal(work.must(["export", "front", work.path("front.aci")]).trim(), work.path("front.aci"));
    work.must(["rm", "front"]);
    assert.equal(work.perigee(["status", "front"]).status, 3);
  });

  it("is one pod's, until gc has marked it", () => {
    const first = detach("--pod-name", "web", image, "--", "wait");
    const second = work.perigee([insecure, "run", "--detach", "--pod-name", "web", image]);
    assert.deepEqual([second.status, second.stderr.includes(`pod ${first} is called web`)], [125, true], second.stderr);
    work.must(["stop", "web"]);
    assert.equal(work.run(["--pod-name", "web", image]).status, 125);
    work.must(["gc", "--mark-only"]);
    assert.equal(work.perigee(["status", "web"]).status, 3);
    const next = detach("--pod-name", "web", image, "--", "wait");
    assert.equal(status("web").uuid, next);
    assert.equal(status(first).name, undefined);
    work.must(["gc", "--grace-period=0s"]);
    assert.equal(status("web").uuid, next);
    work.must(["stop", "web"]);
  });

  it("of ten that ask for one at once, one gets it, and nothing is left of the others", async () => {
    const children = Array.from({ length: 10 }, () =>
      work.start([insecure, "prepare", "--pod-name", "race", image], "ignore"),
    );
    const statuses = await Promise.all(
      children.map((child) => new Promise((resolve) => child.once("exit", (code) => resolve(code)))),
    );
    assert.deepEqual(statuses.toSorted(), [0, ...Array(9).fill(6)]);
    assert.equal(work.pods().filter(({ state }) => state === "prepared").length, 1);
  });

  it("is no name that could be a uuid, or is none at all", () => {
    for (const name of ["cafe", "0", "Web", "../x", ""]) {
      const refused = work.perigee([insecure, "prepare", "--pod-name", name, image]);
      assert.equal(refused.status, 2, name);
    }
  });
});
