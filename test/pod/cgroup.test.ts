import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { createPodCgroups, findPodCgroups, killCgroups, removeCgroups } from "../../src/pod/cgroup.ts";
import { readCgroupLayout } from "../../src/pod/cgroup-layout.ts";
import { type PodCgroups, planPodCgroups } from "../../src/pod/cgroup-plan.ts";
import { fails } from "../helpers/failures.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

const nothing: PodCgroups = { enable: [], directories: [], init: [], apps: new Map(), remove: [], visible: [] };

describe("findPodCgroups (LIFE-22)", () => {
  it("finds what has the pod's uuid in its name, children first, and no other pod's", async (context) => {
    const base = await temporaryDirectory(context);
    for (const path of ["perigee-U/app-a", "perigee-U/init", "perigee-V"])
      mkdirSync(join(base, path), { recursive: true });
    const hierarchy = { version: 1, mountPoint: base, controllers: [], base, writable: true } as const;
    const found = findPodCgroups("U", { kind: "v1", hierarchies: [hierarchy] });
    assert.deepEqual(found.slice(0, 2).toSorted(), [`${base}/perigee-U/app-a`, `${base}/perigee-U/init`]);
    assert.deepEqual(found.slice(2), [`${base}/perigee-U`]);
    assert.deepEqual(findPodCgroups("W", { kind: "v1", hierarchies: [hierarchy] }), []);
  });
});

describe("createPodCgroups in a directory that stands for a hierarchy", () => {
  it("enables, makes and writes in order", async (context) => {
    const base = await temporaryDirectory(context);
    const path = join(base, "perigee-U");
    createPodCgroups({
      ...nothing,
      enable: [{ path: base, value: "+memory +pids" }],
      directories: [
        { path, writes: [{ file: "memory.max", value: "4096" }] },
        { path: join(path, "init"), writes: [] },
      ],
    });
    assert.equal(readFileSync(join(base, "cgroup.subtree_control"), "utf8"), "+memory +pids");
    assert.equal(readFileSync(join(path, "memory.max"), "utf8"), "4096");
    assert.ok(existsSync(join(path, "init")));
  });

  it("a cgroup that is there already is not ours: nothing is left of the attempt", async (context) => {
    const base = await temporaryDirectory(context);
    mkdirSync(join(base, "b"));
    const directories = ["a", "b"].map((name) => ({ path: join(base, name), writes: [] }));
    assert.throws(() => createPodCgroups({ ...nothing, directories }), fails("IO_FAILED", /cgroups/));
    assert.deepEqual(readdirSync(base), ["b"]);
  });

  it("a limit that cannot be written is a failure naming file and value", async (context) => {
    const base = await temporaryDirectory(context);
    const path = join(base, "a");
    const writes = [{ file: "no/such/file", value: "7" }];
    assert.throws(
      () => createPodCgroups({ ...nothing, directories: [{ path, writes }] }),
      fails("IO_FAILED", /write 7 to .*no\/such\/file/),
    );
    const optional = writes.map((write) => ({ ...write, optional: true }));
    createPodCgroups({ ...nothing, directories: [{ path, writes: optional }] });
  });
});

describe("killCgroups and removeCgroups in a directory that stands for a hierarchy", () => {
  it("gone or empty cgroups are done at once, and gone ones are removed", async (context) => {
    const base = await temporaryDirectory(context);
    mkdirSync(join(base, "empty"));
    await killCgroups([join(base, "empty"), join(base, "gone")]);
    await removeCgroups([join(base, "empty"), join(base, "gone")]);
    assert.deepEqual(readdirSync(base), []);
  });

  it("v2: tells the kernel to kill all at once", async (context) => {
    const base = await temporaryDirectory(context);
    const child = await sleeper(context);
    writeFileSync(join(base, "cgroup.procs"), `0\n1\n${child.pid}\n`);
    writeFileSync(join(base, "cgroup.kill"), "");
    const exited = once(child, "exit").then((result) => {
      writeFileSync(join(base, "cgroup.procs"), "");
      return result;
    });
    await killCgroups([base]);
    assert.deepEqual(await exited, [null, "SIGKILL"]);
    assert.equal(readFileSync(join(base, "cgroup.kill"), "utf8"), "1");
  });
});

describe("this machine's cgroups, below directories of our own", () => {
  const layout = readCgroupLayout();
  const isUsable = layout.hierarchies.some(({ writable }) => writable);

  it("makes the limits real, kills what is in them and leaves nothing", async (context) => {
    const uuid = randomUUID();
    const plan = planPodCgroups(layout, uuid, {
      pod: { pids: 100 },
      apps: [{ name: "a", limits: { memory: 64n * 1024n * 1024n, cpuMillicores: 500, cpuShares: 512 } }],
    });
    assert.equal(plan.init.length > 0, isUsable);
    createPodCgroups(plan);
    try {
      for (const { path, writes } of plan.directories) {
        for (const { file, value } of writes.filter(({ file }) => !/^devices|swap|memsw/.test(file))) {
          assert.equal(readFileSync(join(path, file), "utf8").trim(), value, `${path}/${file}`);
        }
        if (existsSync(join(path, "devices.list"))) {
          const list = readFileSync(join(path, "devices.list"), "utf8").trim().split("\n");
          assert.equal(list.length, 8);
          assert.ok(!list.includes("a *:* rwm"));
        }
      }
      const children = isUsable ? [await sleeper(context), await sleeper(context)] : [];
      const ends = children.map((child) => once(child, "exit"));
      for (const path of plan.init)
        for (const child of children) writeFileSync(join(path, "cgroup.procs"), String(child.pid));
      await killCgroups(plan.remove);
      for (const end of ends) assert.deepEqual(await end, [null, "SIGKILL"]);
    } finally {
      await removeCgroups(plan.remove);
    }
    for (const { path } of plan.directories) assert.ok(!existsSync(path), path);
  });
});

/** A process that waits to be killed, and is at the latest when the test ends. */
async function sleeper(context: { after(done: () => void): void }): Promise<ChildProcess> {
  const child = spawn(process.execPath, ["-e", "process.stdout.write('.'); setInterval(() => {}, 1e6)"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  context.after(() => void child.kill("SIGKILL"));
  await once(child.stdout, "data");
  return child;
}
