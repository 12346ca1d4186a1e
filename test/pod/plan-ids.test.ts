import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { buildPlan, type PlanInput } from "../../src/pod/plan.ts";
import { idMaps, requireMapped } from "../../src/pod/plan-ids.ts";
import { findCallerIds } from "../../src/shim/caller-ids.ts";
import { describePlan } from "../../src/shim/plan.ts";
import { fails } from "../helpers/failures.ts";
import { inputOf, planVectors } from "../helpers/plans.ts";

const one = findCallerIds({ uid: 1000, gid: 100, name: "alice", read: () => undefined, isExecutable: () => true });
const many = findCallerIds({
  uid: 1000,
  gid: 100,
  name: "alice",
  read: (path) => (/sub[ug]id/.test(path) ? "alice:100000:65536\n" : ""),
  isExecutable: (path) => path.startsWith("/usr/bin/"),
});

/** A plan of the vectors, as an ordinary user's who was delegated nothing. */
function input(userNamespace: PlanInput["userNamespace"], change: Partial<PlanInput> = {}): PlanInput {
  const [, vector] =
    planVectors().find(([, { userNamespace: own, network }]) => own !== undefined && network === "none") ?? [];
  assert.ok(vector !== undefined);
  const made = inputOf(vector);
  const apps = made.apps.map((app) => ({
    ...app,
    user: { uid: 0, gid: 0, groups: [0] },
    root: { ...app.root, idmap: false },
  }));
  const cgroups = { enable: [], directories: [], init: [], apps: new Map(), remove: [], visible: [] };
  return { ...made, apps, cgroups, userNamespace, ...change };
}

const records = (plan: PlanInput) => describePlan(buildPlan(plan)).map((line) => line.trim());
const ofKind = (plan: PlanInput, keyword: string) => records(plan).filter((line) => line.split(" ")[0] === keyword);

describe("a plan with the ids of an ordinary user", () => {
  it("ISO-21, ISO-27: maps the ranges by programs at their absolute paths", () => {
    assert.deepEqual(ofKind(input(many), "unprivileged"), ["unprivileged /usr/bin/newuidmap /usr/bin/newgidmap"]);
    assert.deepEqual(ofKind(input(many), "uidmap"), ["uidmap 0 1000 1", "uidmap 1 100000 65536"]);
    assert.deepEqual(ofKind(input(many), "gidmap"), ["gidmap 0 100 1", "gidmap 1 100000 65536"]);
  });

  it("ISO-22: with one id there are no groups, of terminals neither, and no programs", () => {
    assert.deepEqual(ofKind(input(one), "unprivileged"), ['unprivileged "" ""']);
    assert.deepEqual(ofKind(input(one), "group"), []);
    assert.equal(
      records(input(one)).some((line) => /devpts.*gid=/.test(line)),
      false,
    );
    assert.equal(
      records(input(many)).some((line) => /devpts.*gid=5/.test(line)),
      true,
    );
  });

  it("ISO-22: another user is refused with what is lacking and the way out", () => {
    const other = input(one, {
      apps: input(one).apps.map((app) => ({ ...app, user: { uid: 33, gid: 33, groups: [33] } })),
    });
    assert.throws(
      () => buildPlan(other),
      fails("UNSUPPORTED", /id 33/, { cause: /subuid/, hint: /usermod --add-subuids/ }),
    );
    assert.doesNotThrow(() => buildPlan({ ...other, userNamespace: many }));
    const beyond = {
      ...other,
      userNamespace: many,
      apps: other.apps.map((app) => ({ ...app, user: { uid: 0, gid: 70000, groups: [] } })),
    };
    assert.throws(() => beyond.apps.map((app) => requireMapped(beyond, app)), fails("UNSUPPORTED", /id 70000/));
  });

  it("ISO-24: processes are bounded for each user, where no cgroup counts them", () => {
    assert.deepEqual(new Set(ofKind(input(one), "rlimit")), new Set(["rlimit core 0 0", "rlimit nproc 2048 2048"]));
    assert.equal(
      ofKind(input({ base: 0x7000_0000, count: 65536 }), "rlimit").includes("rlimit nproc 2048 2048"),
      false,
    );
  });

  it("ISO-25: without cgroups of its own the pod sees none", () => {
    assert.equal(ofKind(input(one), "mask").includes("mask /sys/fs/cgroup"), true);
    assert.equal(
      ofKind(input(one, { network: "host" }), "mount").some((line) => /^mount \/sys \/sys bind \S*rec/.test(line)),
      true,
    );
  });

  it("T-R54: the host's root is never mapped", () => {
    assert.throws(() => idMaps(input({ base: 0, count: 65536 })), fails("INTERNAL", /root/));
  });
});
