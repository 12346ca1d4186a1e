/** mapped: another verb as root of an ordinary user's pods; and the record `unprivileged` of a plan. */
import assert from "node:assert/strict";
import { chmodSync, chownSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { runShim, type Scratch, scratch } from "../helpers/shim.ts";
import { makeApp, makeScratch, type PodOptions, type Scratch as PodScratch, runPod } from "../helpers/shim-pod.ts";

const user = 1234;
const through = ["setpriv", `--reuid=${user}`, `--regid=${user}`, "--clear-groups", "--inh-caps=-all"];
const one = `0:${user}:1`;

let scene: Scratch;
before(() => {
  scene = scratch();
  chmodSync(scene.path, 0o755);
  mkdirSync(scene.at("own"));
  writeFileSync(scene.at("own/file"), "x");
  for (const name of ["own", "own/file"]) chownSync(scene.at(name), user, user);
  chmodSync(scene.at("own/file"), 0);
  writeFileSync(scene.at("refuses"), "#!/bin/sh\necho no range of yours >&2\nexit 1\n", { mode: 0o755 });
});
after(() => scene.remove());

const mapped = (...args: readonly string[]) => runShim(["mapped", ...args], scene.at("own"), { through });

describe("mapped", () => {
  it("LIFE-92: with one id the user is root to the verb, of files that are shut, too", () => {
    const { status, stdout, stderr } = mapped("", "", one, one, "pack");
    assert.equal(status, 0, stderr);
    const [, , , uid, gid] = stdout.subarray(4).toString("latin1").split("\0");
    assert.deepEqual([stdout.subarray(4, 5).toString(), uid, gid], [".", "0", "0"]);
  });

  it("an id that is not the user's cannot be mapped", () => {
    assert.equal(mapped("", "", "0:0:1", one, "pack").failed?.step, "id-map");
    assert.equal(mapped("", "", `0:${user}:1`, "0:0:1", "pack").failed?.step, "id-map");
  });

  it("ISO-27: what the program complains of is told, and no verb runs", () => {
    const { status, failed, stdout } = mapped(scene.at("refuses"), scene.at("refuses"), one, one, "pack");
    assert.equal(status, 1);
    assert.deepEqual(
      [failed?.step, failed?.subject, failed?.message],
      ["id-map", scene.at("refuses"), "no range of yours"],
    );
    assert.equal(stdout.length, 0);
    assert.equal(
      mapped(scene.at("missing"), scene.at("missing"), one, one, "pack").failed?.message,
      "No such file or directory",
    );
  });

  it("refuses what is no map, no absolute path and no verb", () => {
    for (const map of ["", "0", "0:1", "0:1:x", "a:b:c", "0:1234:1,", "0:1:1:1"]) {
      assert.equal(mapped("", "", map, one, "pack").status, 1, map);
    }
    assert.equal(mapped("newuidmap", "newgidmap", one, one, "pack").status, 1);
    for (const verb of ["nothing", "mapped"]) assert.equal(mapped("", "", one, one, verb).status, 2);
    assert.equal(mapped("", "").status, 2);
  });
});

describe("a plan with `unprivileged`", () => {
  let pods: PodScratch;
  before(async () => {
    pods = await makeScratch();
  });
  after(() => pods.remove());
  const refusal = async (options: PodOptions) => {
    const { status, events } = await runPod(pods, options);
    assert.equal(status, 125);
    return events.find(({ event }) => event === "failed");
  };

  it("is refused where it could not work", async () => {
    const plan = {
      unprivileged: ["", ""] as const,
      uidMaps: [{ inside: 0, outside: user, count: 1 }],
      gidMaps: [{ inside: 0, outside: user, count: 1 }],
    };
    const app = makeApp(pods);
    const plain = { ...app, root: { ...app.root, idmap: false } };
    for (const [why, options] of [
      ["idmap", { plan, apps: [app] }],
      ["groups", { plan, apps: [{ ...plain, groups: [0] }] }],
      [
        "a range without programs",
        { plan: { ...plan, uidMaps: [{ inside: 0, outside: user, count: 2 }] }, apps: [plain] },
      ],
      [
        "a program that is not absolute",
        { plan: { ...plan, unprivileged: ["newuidmap", "newgidmap"] as const }, apps: [plain] },
      ],
      ["no user namespace", { plan, user: false, apps: [plain] }],
    ] as const) {
      assert.equal((await refusal(options))?.["step"], "plan", why);
    }
  });
});

it("own is for directories below the working directory", () => {
  assert.equal(runShim(["own", "own", "5", "6", "0711"], scene.path).status, 0);
  assert.deepEqual([statSync(scene.at("own")).uid, statSync(scene.at("own")).mode & 0o7777], [5, 0o711]);
  assert.equal(runShim(["own", "own/file", "5", "6", "0711"], scene.path).failed?.errno, "ENOTDIR");
  assert.equal(runShim(["own", "own", "5", "6"], scene.path).status, 2);
  assert.equal(runShim(["own", "own", "5", "6", "999"], scene.path).status, 1);
});
