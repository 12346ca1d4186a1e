/** What is done outside of a pod before an app of it is started again, and what becomes of the pod when that fails (SHIM-43 to SHIM-47). */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { AppPlan } from "../../src/shim/plan.ts";
import { hierarchies, limitingHierarchies } from "../helpers/hierarchies.ts";
import { loggedBytes } from "../helpers/logs.ts";
import {
  fileScratch,
  makeApp,
  makePod,
  type PodDirectory,
  recordedStatus,
  shim,
  startPod,
} from "../helpers/shim-pod.ts";

const scratch = fileScratch();

const guest = (...words: readonly string[]): readonly string[] => ["/guest", ...words];
const restart: AppPlan["restart"] = { policy: "on-failure", most: 2, keepRoot: false };

async function until(look: () => boolean): Promise<void> {
  while (!look()) await sleep(10);
}

/** State and start time of a process; `gone` of one that is none. */
function lookAt(pid: number): string {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "latin1")
      .replace(/^.*\) /, "")
      .split(" ");
    return fields[0] === "Z" || fields[0] === "X" ? "gone" : String(fields[19]);
  } catch {
    return "gone";
  }
}

function processOf(pod: PodDirectory, app: string): number {
  return Number(readFileSync(join(pod.path, "pids", app), "utf8").split(" ")[0]);
}

/** A cgroup for a test, and what it does with it. */
async function withCgroup(place: string, name: string, use: (cgroup: string) => Promise<void>): Promise<void> {
  const cgroup = join(place, `perigee-test-${process.pid}-${name}`);
  mkdirSync(cgroup);
  try {
    await use(cgroup);
  } finally {
    for (const path of [join(cgroup, "below"), cgroup]) if (existsSync(path)) rmdirSync(path);
  }
}

describe("a failure of the supervisor while its pod runs", () => {
  for (const place of limitingHierarchies()) {
    it(`SHIM-43: what the apps have said, and how they ended, is kept and told: ${place}`, async () => {
      await withCgroup(place, "supervisor", async (cgroup) => {
        const command = guest("cat", ",", "echo", "begin", ",", "print", "60000", ",", "exit", "3");
        const log = { path: "log", bytes: 1_000_000, files: 2 };
        const pod = await makePod(scratch, { app: { command, restart, log } });
        const running = await startPod(pod, { arguments: ["--report", "text"] });
        await running.event("ready");
        const app = processOf(pod, "main");
        const supervisor = Number(running.child.pid);
        // All that the app does comes at once, and what has to be made for its next run cannot be.
        running.child.kill("SIGSTOP");
        writeFileSync(join(cgroup, "cgroup.procs"), String(supervisor));
        writeFileSync(join(cgroup, "pids.max"), "1");
        running.stdin.end();
        await until(() => lookAt(app) === "gone");
        running.child.kill("SIGCONT");
        const { status, stdout, stderr, events } = await running.ended;
        assert.equal(status, 125);
        assert.match(stderr, /^error\[SHIM_FAILED\]: the pod could not be run: restart main\n {2}cause: EAGAIN/);
        assert.deepEqual(
          events.map(({ event }) => event),
          ["app-started", "ready", "app-exited", "failed", "exited"],
        );
        assert.deepEqual([events[2]?.["status"], events[4]?.["status"]], [3, 125]);
        assert.equal(await recordedStatus(pod), "3", "of its last end");
        const logged = loggedBytes(join(pod.path, "log")).toString("latin1");
        assert.equal(logged.length, "begin\n".length + 60_000);
        assert.ok(logged.startsWith(stdout), "a pod that is killed waits for no reader (LIFE-33)");
      });
    });

    it(`SHIM-43: apps that ran on are killed, and that is told of them: ${place}`, async () => {
      await withCgroup(place, "other", async (cgroup) => {
        const other = makeApp(scratch, { name: "other", command: guest("wait", "3600") });
        // Of the first app the input is the caller's.
        const own = join(cgroup, "below");
        mkdirSync(own);
        const command = guest("cat", ",", "exit", "3");
        const again = makeApp(scratch, { name: "again", command, restart, cgroups: [own] });
        const pod = await makePod(scratch, { apps: [again, other] });
        const running = await startPod(pod);
        await running.event("ready");
        writeFileSync(join(cgroup, "cgroup.procs"), String(running.child.pid));
        writeFileSync(join(cgroup, "pids.max"), "1");
        running.stdin.end();
        const { status, events } = await running.ended;
        const ends = events.filter(({ event }) => event === "app-exited");
        assert.deepEqual(
          [status, ...ends.map(({ app, status: end }) => `${app} ${end}`)],
          [125, "again 3", "other 137"],
        );
        assert.deepEqual([await recordedStatus(pod, "again"), await recordedStatus(pod, "other")], ["3", "137"]);
      });
    });
  }
  it("has a hierarchy that counts processes", () => assert.ok(limitingHierarchies().length > 0));
});

describe("what an app left behind", () => {
  for (const place of hierarchies()) {
    it(`SHIM-45: is killed also in cgroups below the app's own: ${place}`, async () => {
      await withCgroup(place, "nested", async (cgroup) => {
        const other = makeApp(scratch, { name: "other", command: guest("wait", "3600") });
        const command = guest("fork", "1", ",", "wait", "3600");
        const again = makeApp(scratch, { name: "again", command, restart, cgroups: [cgroup] });
        const pod = await makePod(scratch, { apps: [other, again] });
        const running = await startPod(pod);
        running.stdin.end();
        await running.event("ready");
        await running.output(/^forked=1,ok$/m);
        const app = processOf(pod, "again");
        const besides = () =>
          readFileSync(join(cgroup, "cgroup.procs"), "utf8")
            .trim()
            .split("\n")
            .map(Number)
            .filter((pid) => pid !== app);
        // The process that made the app's root may still be about to end.
        await until(() => besides().length === 1);
        const [left = 0] = besides();
        const before = lookAt(left);
        assert.notEqual(before, "gone");
        mkdirSync(join(cgroup, "below"));
        writeFileSync(join(cgroup, "below", "cgroup.procs"), String(left));
        process.kill(app, "SIGKILL");
        await running.output(/^forked=1,ok$.*^forked=1,ok$/ms);
        assert.notEqual(lookAt(left), before, "it outlived its run");
        running.child.kill("SIGTERM");
        await running.ended;
      });
    });
  }
});

describe("a volume that is shared with the host", () => {
  it("SHIM-47: stays as it is on both sides when the root of a run is left behind", async () => {
    const source = join(scratch.directory, "shared");
    mkdirSync(source);
    const mounts = [
      ...makeApp(scratch).mounts,
      { source, target: "/data", type: "bind" as const, flags: ["rec", "shared"] as const, data: "" },
    ];
    const command = guest("cat", "/data/below/kept", ",", "exit", "4");
    const pod = await makePod(scratch, { app: { command, mounts, restart }, user: false });
    // A mount namespace stands for the host; the pod directory has to be of it, too.
    const script = [
      "set -e",
      `exec 5< ${pod.path}`,
      `mount -t tmpfs top ${source}`,
      `mount --make-shared ${source}`,
      `mkdir ${source}/below`,
      `mount -t tmpfs below ${source}/below`,
      `echo kept > ${source}/below/kept`,
      `grep ${source} /proc/self/mountinfo > ${source}/before`,
      'set +e; "$@"; status=$?; set -e',
      `grep ${source} /proc/self/mountinfo > ${source}/after`,
      `cmp ${source}/before ${source}/after`,
      `cat ${source}/below/kept`,
      "exit $status",
    ];
    const instead = [
      "--mount",
      "--propagation=private",
      "sh",
      "-c",
      script.join("\n"),
      "sh",
      shim,
      "run",
      "3",
      "4",
      "5",
    ];
    const running = await startPod(pod, { program: "/usr/bin/unshare", instead });
    running.stdin.end();
    const { status, stdout, stderr, events } = await running.ended;
    assert.deepEqual([status, stdout], [4, "kept\n".repeat(4)], stderr + JSON.stringify(events));
  });
});
