import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { CgroupLimits } from "../../src/pod/cgroup-plan.ts";
import type { IsolatorReport } from "../../src/pod/isolator-level.ts";
import { decideLimits, type LimitOptions } from "../../src/pod/limits.ts";
import { Isolators } from "../../src/schema/isolators.ts";
import { fails } from "../helpers/failures.ts";

const options: LimitOptions = {
  features: { memory: true, cpu: true, pids: true, io: true, devices: true, network: true },
  blockVersion: 2,
  network: "host",
  blockDevices: () => ({ devices: ["8:0", "254:0"], unknown: [] }),
};

interface Case extends Partial<LimitOptions> {
  /** Limits of the pod; undefined: it is the pod that is asked about. */
  readonly pod?: CgroupLimits;
}

function decide(named: Readonly<Record<string, unknown>>, { pod, ...changed }: Case = {}) {
  const report: IsolatorReport[] = [];
  const isolators = Isolators.parse(Object.entries(named).map(([name, value]) => ({ name, value })));
  const level = { app: pod === undefined ? undefined : "web", isolators, fromImage: new Set<string>(), report };
  const limits = decideLimits(level, pod, { ...options, ...changed });
  return { limits, states: report.map(({ state }) => state), why: report.map(({ why }) => why).join("\n") };
}

const bandwidth = (limit: string) => ({ "resource/block-bandwidth": { default: true, limit } });
const operations = (limit: string) => ({ "resource/block-iops": { default: true, limit } });

describe("processes (ISO-8, ISO-10)", () => {
  it("a pod has 2048 unasked, an app none of its own", () => {
    assert.deepEqual(decide({}).limits, { pids: 2048 });
    assert.deepEqual(decide({}, { pod: { pids: 2048 } }).limits, {});
  });

  it("the pod's may be less or more; an app's is bounded by the pod's (ACE-21)", () => {
    assert.deepEqual(decide({ "perigee/pids": 5000 }).limits, { pids: 5000 });
    assert.deepEqual(decide({ "perigee/pids": 10 }, { pod: { pids: 2048 } }).limits, { pids: 10 });
    const more = decide({ "perigee/pids": 4000 }, { pod: { pids: 2048 } });
    assert.deepEqual([more.limits, more.states], [{ pids: 2048 }, ["modified"]]);
    assert.match(more.why, /2048, which is the pod's/);
  });

  it("asked for without the controller it is refused, unasked it is left out", () => {
    const features = { ...options.features, pids: "no such controller" };
    assert.deepEqual(decide({}, { features }).limits, {});
    assert.throws(() => decide({ "perigee/pids": 5 }, { features }), fails("KERNEL_LACKS", /perigee\/pids/));
  });
});

describe("a pod of an ordinary user (ISO-23, ISO-24)", () => {
  const asked = { "resource/memory": { limit: "64Mi" }, "resource/cpu": { limit: "500m" }, "os/linux/cpu-shares": 100 };
  const nothing = { memory: "none", cpu: "none", pids: "none", io: "none", devices: "none", network: "none" };

  it("what was delegated is enforced as for root", () => {
    const delegated = decide({ ...asked, "perigee/pids": 10 }, { isUnprivileged: true });
    assert.deepEqual(delegated.limits, decide({ ...asked, "perigee/pids": 10 }).limits);
    assert.deepEqual(new Set(delegated.states), new Set(["enforced"]));
  });

  it("what was not is ignored, with the reason and the way out; root is refused", () => {
    const alone = decide(
      { ...asked, ...bandwidth("1Mi"), ...operations("100") },
      { isUnprivileged: true, features: nothing },
    );
    assert.deepEqual(alone.limits, { pids: 2048 });
    assert.deepEqual(new Set(alone.states), new Set(["ignored"]));
    assert.equal(alone.states.length, 5);
    assert.match(alone.why, /^none: systemd-run --user --scope -p Delegate=yes/);
    for (const [name, value] of Object.entries(asked)) {
      assert.throws(() => decide({ [name]: value }, { features: nothing }), fails("KERNEL_LACKS"));
    }
  });

  it("one controller of several counts by itself", () => {
    const features = { ...nothing, memory: true as const };
    const some = decide(asked, { isUnprivileged: true, features });
    assert.deepEqual(some.limits, { memory: 67108864n, pids: 2048 });
    assert.deepEqual(some.states, ["enforced", "ignored", "ignored"]);
  });

  it("processes are bounded for each user where no cgroup counts them, and that is said when a number was asked for", () => {
    const counted = decide({ "perigee/pids": 10 }, { isUnprivileged: true, features: nothing });
    assert.deepEqual([counted.limits, counted.states], [{ pids: 10 }, ["modified"]]);
    assert.match(counted.why, /10 of each user of the pod/);
    assert.deepEqual(decide({}, { isUnprivileged: true, features: nothing, pod: { pids: 10 } }).limits, {});
  });
});

describe("block devices (ACE-43, ISO-11)", () => {
  it("one limit for reading and one for writing on each of the pod's disks, named in the report", () => {
    const { limits, states, why } = decide({ ...bandwidth("1Mi"), ...operations("100") });
    assert.deepEqual(limits.block, { devices: ["8:0", "254:0"], bytes: 1048576n, operations: 100n });
    assert.deepEqual(states, ["enforced", "enforced"]);
    assert.match(why, /1048576 bytes a second, reading and writing each, on 8:0, 254:0/);
  });

  it("ACE-21: bounded by the pod's, which also holds for what the app leaves open", () => {
    const pod = { block: { devices: ["8:0"], bytes: 1_000_000n, operations: 50n } };
    const { limits, states } = decide(bandwidth("2M"), { pod });
    assert.deepEqual([limits.block?.bytes, limits.block?.operations, states], [1_000_000n, 50n, ["modified"]]);
    assert.equal(decide({}, { pod }).limits.block, undefined);
  });

  it("ACE-22: what a v1 hierarchy cannot do is reported as a change", () => {
    const { limits, states, why } = decide(operations("100"), { blockVersion: 1 });
    assert.deepEqual([limits.block?.operations, states], [100n, ["modified"]]);
    assert.match(why, /page cache.*not counted with the others/);
    assert.doesNotMatch(decide(operations("100"), { blockVersion: 1, pod: {} }).why, /with the others/);
  });

  it("ACE-22: nothing on a disk is reported, a file system that does not tell its devices too", () => {
    const none = decide(operations("100"), { blockDevices: () => ({ devices: [], unknown: [] }) });
    assert.deepEqual([none.limits.block, none.states], [undefined, ["ignored"]]);
    const hidden = decide(operations("100"), { blockDevices: () => ({ devices: [], unknown: ["/srv"] }) });
    assert.deepEqual([hidden.limits.block, hidden.states], [undefined, ["ignored"]]);
    assert.match(hidden.why, /\/srv/);
    const partly = decide(operations("100"), { blockDevices: () => ({ devices: ["8:0"], unknown: ["/srv"] }) });
    assert.deepEqual([partly.limits.block?.devices, partly.states], [["8:0"], ["modified"]]);
  });

  it("without the controller it is refused", () => {
    const features = { ...options.features, io: "no such controller" };
    assert.throws(() => decide(bandwidth("1Mi"), { features }), fails("KERNEL_LACKS", /block-bandwidth/));
  });

  it("disks are looked for only when something limits them", () => {
    const blockDevices = () => assert.fail("asked");
    assert.deepEqual(decide({ "resource/memory": { limit: "1G" } }, { blockDevices }).states, ["enforced"]);
  });
});
