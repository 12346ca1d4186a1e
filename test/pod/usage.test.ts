import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { readUsage } from "../../src/pod/usage.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

type Files = Readonly<Record<string, string>>;
const app = (name: string) => ({ name, imageId: "sha512-aa", imageName: "example.com/x", treeId: "t" });

/** A pod directory whose init is this process, and directories that look like cgroups. */
async function place(t: TestContext, cgroups: Readonly<Record<string, Files>>, apps: readonly string[]) {
  const directory = await temporaryDirectory(t);
  const stat = readFileSync("/proc/self/stat", "utf8");
  const start = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  writeFileSync(join(directory, "pid"), `${process.pid} ${start}\n`);
  const paths = Object.entries(cgroups).map(([name, files]) => {
    const path = join(directory, name);
    mkdirSync(path, { recursive: true });
    for (const [file, text] of Object.entries(files)) writeFileSync(join(path, file), text);
    return path;
  });
  return readUsage(directory, { apps: apps.map(app), cgroups: paths.toReversed() });
}

const unified: Files = {
  "cpu.stat": "usage_usec 5000\nuser_usec 1\n",
  "memory.current": "1000\n",
  "memory.stat": "anon 1\ninactive_file 400\n",
  "pids.current": "7\n",
  "io.stat": "8:0 rbytes=10 wbytes=20 rios=1\n8:16 rbytes=1 wbytes=2 rios=1\n",
};
const ofUnified = { cpuMicroseconds: 5000, memory: 600, pids: 7, read: 11, written: 22, summed: [] };

describe("readUsage (LIFE-87)", () => {
  it("v2: one cgroup counts everything, and the app's is the pod's when there is one", async (t) => {
    const usage = await place(t, { "c/perigee-u": unified }, ["web"]);
    assert.deepEqual(usage, { pod: ofUnified, apps: [{ name: "web", usage: ofUnified }] });
  });

  it("v1: each hierarchy counts its own; hybrid: what v1 does not count, v2 does", async (t) => {
    const v1: Readonly<Record<string, Files>> = {
      "cpu/perigee-u": { "cpuacct.usage": "7000000\n" },
      "memory/perigee-u": {
        "memory.usage_in_bytes": "900\n",
        "memory.stat": "inactive_file 1\ntotal_inactive_file 100\n",
      },
      "pids/perigee-u": { "pids.current": "3\n" },
      "blkio/perigee-u": { "blkio.throttle.io_service_bytes": "8:0 Read 5\n8:0 Write 6\n8:0 Total 11\nTotal 11\n" },
    };
    const counted = { cpuMicroseconds: 7000, memory: 800, pids: 3, read: 5, written: 6, summed: [] };
    assert.deepEqual((await place(t, v1, ["web"]))?.pod, counted);
    const { "cpu/perigee-u": _, ...others } = v1;
    const hybrid = await place(t, { ...others, "unified/perigee-u": { "cpu.stat": "usage_usec 9\n" } }, ["web"]);
    assert.deepEqual(hybrid?.pod, { ...counted, cpuMicroseconds: 9 });
  });

  it("apps of a pod of several have cgroups of their own, or are summed over their processes", async (t) => {
    const usage = await place(
      t,
      { "c/perigee-u": unified, "c/perigee-u/app-web": { ...unified, "pids.current": "2" } },
      ["web", "log"],
    );
    assert.deepEqual(usage?.pod, ofUnified);
    assert.deepEqual(usage?.apps[0]?.usage, { ...ofUnified, pids: 2 });
    assert.deepEqual(usage?.apps[1]?.usage.summed, [], "nothing is known of an app without a process");
    assert.equal(usage?.apps[1]?.usage.memory, undefined);
  });

  it("without a controller the processes that live are summed, and it says so", async (t) => {
    const procs = `${process.pid}\n0\n`;
    const usage = await place(t, { "f/perigee-u": { "cgroup.procs": procs } }, ["web"]);
    assert.deepEqual(usage?.pod.summed, ["cpuMicroseconds", "memory", "pids", "read", "written"]);
    assert.ok(Number(usage?.pod.memory) > 1024 * 1024 && Number(usage?.pod.pids) >= 1);
    const without = await place(t, {}, ["web"]);
    assert.ok(Number(without?.pod.cpuMicroseconds) > 0, "without a cgroup: init and what descends from it");
  });

  it("what is in the files of a cgroup is a number or nothing", async (t) => {
    const broken = { "cpu.stat": "usage_usec x\n", "memory.current": "max\n", "pids.current": "" };
    const usage = await place(t, { "c/perigee-u": { ...broken, "cgroup.procs": "4194304\n" } }, ["web"]);
    assert.deepEqual([usage?.pod.cpuMicroseconds, usage?.pod.memory, usage?.pod.summed], [undefined, undefined, []]);
  });

  it("a pod without an init has none", async (t) => {
    assert.equal(readUsage(await temporaryDirectory(t), { apps: [], cgroups: [] }), undefined);
  });
});
