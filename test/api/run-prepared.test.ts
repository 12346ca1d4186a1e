import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, it } from "node:test";
import { collectGarbage } from "../../src/api/gc.ts";
import { podStatus, removePods } from "../../src/api/pods.ts";
import { type PrepareOptions, preparePod } from "../../src/api/prepare.ts";
import { runPod } from "../../src/api/run.ts";
import { type RunPreparedOptions, runPreparedPod } from "../../src/api/run-prepared.ts";
import { readPodRecord, replacePodRecord } from "../../src/pod/record.ts";
import { fails } from "../helpers/failures.ts";
import { loggedText } from "../helpers/logs.ts";
import { guestWorld } from "../helpers/pod-world.ts";

const scene = guestWorld();
afterEach(() => collectGarbage(scene.world.settings, { gracePeriodMs: 0, expirePreparedMs: 0, markOnly: false }));

async function prepare(args: readonly string[], options: Partial<PrepareOptions> = {}): Promise<string> {
  const { world, image } = scene;
  return (await preparePod(world.settings, { apps: [{ image, args }], ...options })).uuid;
}

/** Runs it to its end; the status, and what the app printed. */
async function run(pod: string, options: Partial<RunPreparedOptions> = {}) {
  const { world } = scene;
  const runnable = await runPreparedPod(world.settings, { pod, foreground: false, ...options });
  const status = await (await runnable.spawn()).exited;
  const directory = join(world.data, "pods", "run", runnable.uuid);
  const [app = ""] = readPodRecord(directory)?.apps.map(({ name }) => name) ?? [];
  return { directory, status, log: loggedText(join(directory, "logs", app)), warnings: runnable.warnings };
}

const state = async (pod: string) => (await podStatus(scene.world.settings, { pod })).state;

describe("runPreparedPod", () => {
  it("LIFE-51: runs what was prepared, as the start says: host name, network, uuid file", async () => {
    const uuid = await prepare(["echo", "hello", ",", "exit", "7"], { setEnvironment: ["A=1"] });
    const uuidFile = scene.world.path("run.uuid");
    const { status, log, directory } = await run(uuid.slice(0, 8), { network: "host", hostname: "h", uuidFile });
    assert.deepEqual([status, log], [7, "hello\n"]);
    assert.equal(readFileSync(uuidFile, "utf8"), uuid);
    const record = readPodRecord(directory);
    assert.deepEqual([record?.network, record?.hostname, record?.prepared], ["host", "h", undefined]);
    assert.ok(record?.cgroups.every((path) => path.includes(uuid)) === true && record.cgroups.length > 0);
    assert.equal(await state(uuid), "exited");
  });

  it("is the pod that run makes of the same line", async () => {
    const { world, image } = scene;
    const options = {
      apps: [{ image, args: ["exit", "0"], memory: "64Mi" }],
      volumes: ["data,kind=empty"],
      mounts: ["volume=data,target=/data"],
    };
    const { uuid } = await preparePod(world.settings, options);
    const one = await runPreparedPod(world.settings, { pod: uuid, network: "host", foreground: true });
    const other = await runPod(world.settings, { ...options, network: "host", foreground: true });
    const planOf = (pod: string) => {
      const directory = join(world.data, "pods", "run", pod);
      const base = readPodRecord(directory)?.idBase;
      return readFileSync(join(directory, "plan"), "latin1").replaceAll(pod, "UUID").replaceAll(String(base), "BASE");
    };
    assert.equal(planOf(one.uuid), planOf(other.uuid));
    for (const pod of [one, other]) await (await pod.spawn()).exited;
  });

  for (const [why, options] of [
    ["a copy of the tree, with its own ids", { overlay: false }],
    ["the host's ids", { privateUsers: false }],
  ] as const) {
    it(`LIFE-50: on ${why}, as it was prepared`, async () => {
      const { log, status, directory } = await run(await prepare(["ids", ",", "stat", "/guest"], options));
      assert.equal(status, 0);
      assert.match(log, /path\.\/guest=1007\d\d,0,0,/);
      assert.equal(existsSync(join(directory, "apps", "guest", "root")), "overlay" in options);
      assert.equal(readPodRecord(directory)?.idBase === undefined, "privateUsers" in options);
    });
  }

  it("ISO-2: an image's isolators are still the image's, however far they lead", async () => {
    const { world } = scene;
    const value = { set: ["CAP_SYS_ADMIN", "CAP_KILL"] };
    const image = await world.stored("example.com/asking", {
      isolators: [{ name: "os/linux/capabilities-retain-set", value }],
    });
    const args = ["privileges"];
    const { uuid } = await preparePod(world.settings, { apps: [{ image, args }] });
    const asked = await preparePod(world.settings, { apps: [{ image, args, capsRetain: "CAP_SYS_ADMIN" }] });
    const bounding = async (pod: string) => /CapBnd:?[=\s]*(\S+)/.exec((await run(pod)).log)?.[1] ?? "none";
    assert.equal(Number.parseInt(await bounding(uuid), 16), 1 << 5, "CAP_KILL");
    assert.equal(Number.parseInt(await bounding(asked.uuid), 16), 1 << 21, "CAP_SYS_ADMIN");
  });

  it("ISO-5: whether it writes to the host is asked of the network that it gets", async () => {
    const uuid = await prepare(["exit", "0"], { privateUsers: false });
    const { world } = scene;
    const pod = await runPreparedPod(world.settings, { pod: uuid, network: "host", foreground: false });
    const plan = readFileSync(join(world.data, "pods", "run", uuid, "plan"));
    await (await pod.spawn()).exited;
    const other = await prepare(["exit", "0"], { privateUsers: false });
    const without = await runPreparedPod(world.settings, { pod: other, foreground: false });
    const filterOf = (bytes: Buffer) => /seccomp\0([^\0]*)\0/.exec(bytes.toString("latin1"))?.[1];
    assert.notEqual(filterOf(plan), undefined);
    assert.notEqual(filterOf(plan), filterOf(readFileSync(join(world.data, "pods", "run", other, "plan"))));
    await (await without.spawn()).exited;
  });
});

describe("LIFE-52: what is refused before the start leaves the pod prepared", () => {
  const cases: readonly (readonly [
    why: string,
    options: Partial<RunPreparedOptions>,
    failure: Parameters<typeof fails>,
  ])[] = [
    ["a network that there is not", { network: "bridge" }, ["NOT_FOUND"]],
    ["no host name", { hostname: "-" }, ["USAGE"]],
    ["interrupted", { signal: AbortSignal.abort() }, ["INTERRUPTED"]],
  ];
  for (const [why, options, failure] of cases) {
    it(why, async () => {
      const uuid = await prepare(["exit", "3"]);
      await assert.rejects(run(uuid, options), fails(...failure));
      assert.equal(await state(uuid), "prepared");
      assert.equal((await run(uuid)).status, 3);
    });
  }

  it("a terminal for an app that is to be started again", async () => {
    const uuid = await prepare([], { apps: [{ image: scene.image, args: ["exit", "3"], restart: "on-failure" }] });
    await assert.rejects(run(uuid, { interactive: true }), fails("UNSUPPORTED"));
    assert.equal(await state(uuid), "prepared");
  });

  it("TRUST-20: nobody vouches for its image any more", async () => {
    const { world } = scene;
    const uuid = await prepare(["exit", "3"]);
    const settings = { ...world.settings, insecure: new Set<never>() };
    await assert.rejects(runPreparedPod(settings, { pod: uuid, foreground: false }), fails("SIGNATURE_MISSING"));
    assert.equal(await state(uuid), "prepared");
  });

  it("ISO-13: with --strict at either line, what would not be done as written", async () => {
    const { world } = scene;
    const isolators = [{ name: "resource/memory", value: { request: "1G" } }];
    const image = await world.stored("example.com/slow", { isolators });
    const apps = [{ image, args: ["exit", "3"] }];
    const refused = fails("UNSUPPORTED", /as written/, { cause: /memory is ignored/ });
    await assert.rejects(preparePod(world.settings, { apps, strict: true }), refused);
    const { uuid } = await preparePod(world.settings, { apps });
    await assert.rejects(run(uuid, { strict: true }), refused);
    // As if it had been done when the pod was prepared, and could not be any more.
    const directory = join(world.data, "pods", "prepared", uuid);
    const record = readPodRecord(directory);
    assert.ok(record?.prepared !== undefined);
    replacePodRecord(directory, { ...record, prepared: { ...record.prepared, strict: true } });
    await assert.rejects(run(uuid), refused);
    replacePodRecord(directory, record);
    assert.equal((await run(uuid)).status, 3);
  });

  it("T-R21: a volume's source that has become a link, or is gone", async () => {
    const { world, image } = scene;
    const source = world.path("source");
    mkdirSync(source);
    const options = { volumes: [`data,kind=host,source=${source}`], mounts: ["volume=data,target=/data"] };
    const { uuid } = await preparePod(world.settings, { apps: [{ image }], ...options });
    rmSync(source, { recursive: true });
    await assert.rejects(run(uuid), fails("NOT_FOUND"));
    symlinkSync("/etc", source);
    await assert.rejects(run(uuid), fails("USAGE", /symbolic link/));
    rmSync(source);
    assert.equal(await state(uuid), "prepared");
  });

  it("a pod that is not there, or is not prepared: it is told in which state it is", async () => {
    const uuid = await prepare(["exit", "0"]);
    await run(uuid);
    await assert.rejects(run(uuid), fails("WRONG_STATE", /is exited, not prepared/));
    await removePods(scene.world.settings, { pods: [uuid] });
    await assert.rejects(run(uuid), fails("NOT_FOUND"));
  });
});

describe("LIFE-20: a prepared pod whose start fails leaves nothing", () => {
  it("neither pod nor ids nor uuid file", async () => {
    const { world, image } = scene;
    const { uuid } = await preparePod(world.settings, { apps: [{ image, exec: "/none" }] });
    const uuidFile = world.path("failed.uuid");
    await assert.rejects(run(uuid, { uuidFile }), fails("EXEC_NOT_FOUND"));
    assert.deepEqual(world.remains(), []);
    assert.equal(existsSync(uuidFile), false);
  });
});
