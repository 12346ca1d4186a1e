import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, lstatSync, readdirSync, readFileSync, statSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { after, afterEach, before, describe, it } from "node:test";
import { collectGarbage } from "../../src/api/gc.ts";
import { podStatus } from "../../src/api/pods.ts";
import { type RunOptions, runPod } from "../../src/api/run.ts";
import { saveUuidFile } from "../../src/api/uuid-file.ts";
import type { Progress } from "../../src/base/log.ts";
import { readPodRecord } from "../../src/pod/record.ts";
import { fails } from "../helpers/failures.ts";
import { assertNothingLeft, leakSnapshot } from "../helpers/leak-check.ts";
import { loggedText } from "../helpers/logs.ts";
import { PodWorld } from "../helpers/pod-world.ts";

const clean = leakSnapshot();
let world: PodWorld;
let image = "";
before(async () => {
  world = await PodWorld.open();
  const mountPoints = [{ name: "data", path: "/data" }];
  image = await world.stored("example.com/guest", { exec: ["/guest"], mountPoints }, { "data/hidden": "x" });
});
afterEach(async () => {
  await collectGarbage(world.settings, { gracePeriodMs: 0, expirePreparedMs: 0, markOnly: false });
});
after(async () => {
  await world.close();
  await assertNothingLeft(clean);
});

const volume = { volumes: ["data,kind=empty"] };

/** Runs the guest in the background to its end; its status and what it printed. */
async function run(args: readonly string[], options: Partial<RunOptions> = {}) {
  const { uuid, exited } = await world.start(image, args, { ...volume, ...options });
  const status = await exited;
  const log = loggedText(join(world.data, "pods", "run", uuid, "logs", "guest"));
  return { uuid, status, log };
}

describe("runPod", () => {
  it("runs a pod to its end and gives its lock away", async () => {
    const { uuid, status, log } = await run(["echo", "hello", ",", "exit", "7"]);
    assert.deepEqual([status, log], [7, "hello\n"]);
    const pod = await podStatus(world.settings, { pod: uuid });
    assert.deepEqual([pod.state, pod.apps[0]?.exitStatus], ["exited", 7]);
  });

  it("LIFE-14, LIFE-17: records the tree, and ids of its own that go with it", async () => {
    const { uuid } = await run(["exit", "0"]);
    const record = readPodRecord(join(world.data, "pods", "run", uuid));
    assert.equal(record?.apps[0]?.treeId, record?.apps[0]?.imageId);
    assert.ok((record?.idBase ?? 0) >= 0x7000_0000);
    assert.ok(record?.cgroups.every((path) => path.includes(uuid)));
    assert.equal(world.remains().length, 2);
    await collectGarbage(world.settings, { gracePeriodMs: 0, expirePreparedMs: 0, markOnly: false });
    assert.deepEqual(world.remains(), []);
  });

  it("runs on a copy of the tree without an overlay, with the pod's own ids", async () => {
    const { log, status } = await run(["ids", ",", "stat", "/guest"], { overlay: false });
    assert.equal(status, 0);
    assert.match(log, /path\.\/guest=1007\d\d,0,0,/);
  });

  it("saves the uuid as soon as there is a pod", async () => {
    const uuidFile = world.path("uuid");
    const { uuid } = await run(["exit", "0"], { uuidFile });
    assert.equal(readFileSync(uuidFile, "utf8"), uuid);
  });

  it("ACE-11: warns of a mount that hides what the image has, and of one that was made up", async () => {
    const given = { apps: [{ image, args: ["exit", "0"] }], foreground: false };
    const warnings = async (options: Partial<RunOptions>) => {
      const pod = await runPod(world.settings, { ...given, ...options });
      await (await pod.spawn()).exited;
      return pod.warnings.join("\n");
    };
    assert.match(await warnings(volume), /data hides what the image has at \/data/);
    assert.match(await warnings({}), /no volume for mount point data/);
  });

  it("notes that the image was used", async () => {
    const index = join(world.data, "store", "index");
    const record = join(index, readdirSync(index)[0] ?? "");
    utimesSync(record, 0, 0);
    await run(["exit", "0"]);
    assert.ok(Date.now() - statSync(record).mtimeMs < 60_000);
  });
});

describe("LIFE-20: a pod that does not start leaves nothing", () => {
  const cases: readonly (readonly [why: string, options: Partial<RunOptions>, failure: Parameters<typeof fails>])[] = [
    ["an id outside of its user namespace", { apps: [{ image: "example.com/guest", user: "70000" }] }, ["UNSUPPORTED"]],
    ["no such user", { apps: [{ image: "example.com/guest", user: "nobody-here" }] }, ["NOT_FOUND", /nobody-here/]],
    ["a volume that is not there", { volumes: ["data,kind=host,source=/nowhere"] }, ["NOT_FOUND", /\/nowhere/]],
    ["a program that is not there", { apps: [{ image: "example.com/guest", exec: "/none" }] }, ["EXEC_NOT_FOUND"]],
    [
      "an app with a terminal that is to be started again",
      { apps: [{ image: "example.com/guest", restart: "always" }], interactive: true },
      ["UNSUPPORTED"],
    ],
    ["interrupted", { signal: AbortSignal.abort() }, ["INTERRUPTED"]],
    ["interrupted while its tree is copied", { overlay: false, signal: AbortSignal.abort() }, ["INTERRUPTED"]],
    ["a uuid file that cannot be written", { uuidFile: "/nowhere/uuid" }, ["NOT_FOUND", /nowhere/]],
    [
      "an image that is not stored, and may not be fetched",
      { apps: [{ image: "example.com/none" }], pullPolicy: "never" },
      ["NOT_FOUND"],
    ],
  ];
  for (const [why, options, failure] of cases) {
    it(why, async () => {
      const start = async () => {
        const pod = await runPod(world.settings, { apps: [{ image }], ...volume, ...options, foreground: false });
        await pod.spawn();
      };
      await assert.rejects(start(), fails(...failure));
      assert.deepEqual(world.remains(), []);
      assert.deepEqual(world.heard, []);
    });
  }

  it("nor a uuid file, whether it fails in the shim or is interrupted at the last moment", async () => {
    const uuidFile = world.path("failed.uuid");
    const failing = { apps: [{ image, exec: "/none" }], ...volume, uuidFile, foreground: false };
    const pod = await runPod(world.settings, failing);
    assert.equal(readFileSync(uuidFile, "utf8"), pod.uuid);
    await assert.rejects(pod.spawn(), fails("EXEC_NOT_FOUND"));
    assert.equal(existsSync(uuidFile), false);
    const interrupted = { apps: [{ image }], ...volume, uuidFile, signal: AbortSignal.abort(), foreground: true };
    await assert.rejects(runPod(world.settings, interrupted), fails("INTERRUPTED"));
    assert.equal(existsSync(uuidFile), false);
  });

  it("LIFE-36: and takes nothing away that was there, be it of an earlier pod or no file", async () => {
    const uuidFile = world.path("earlier.uuid");
    await saveUuidFile(uuidFile, "of an earlier pod");
    const unstartable = { apps: [{ image, user: "70000" }], ...volume, foreground: true };
    await assert.rejects(runPod(world.settings, { ...unstartable, uuidFile }), fails("UNSUPPORTED"));
    assert.equal(readFileSync(uuidFile, "utf8"), "of an earlier pod");
    const fifo = world.path("fifo.uuid");
    assert.equal(spawnSync("mkfifo", [fifo]).status, 0);
    await assert.rejects(runPod(world.settings, { ...unstartable, uuidFile: fifo }), fails("UNSUPPORTED"));
    const startable = { apps: [{ image }], ...volume, uuidFile: fifo, foreground: true };
    await assert.rejects(runPod(world.settings, startable), fails("IO_FAILED", /cannot write/));
    assert.ok(lstatSync(fifo).isFIFO());
    assert.deepEqual(world.remains(), []);
  });

  it("a file that many apps name is read once, also when they cannot be one pod", async () => {
    const file = await world.image("example.com/many", { exec: ["/guest"] });
    const finished: string[] = [];
    const progress = (step: Progress) => {
      if (step.finished === true) finished.push(step.task);
    };
    const settings = { ...world.settings, log: { ...world.settings.log, progress } };
    const apps = Array.from({ length: 50 }, () => ({ image: file }));
    await assert.rejects(
      runPod(settings, { apps, foreground: true }),
      fails("USAGE", /two apps of the pod are called/),
    );
    assert.equal(finished.filter((task) => task.startsWith("unpacking ")).length, 1);
    assert.equal(new Set(finished).size, finished.length);
    assert.deepEqual(world.remains(), []);
  });
});
