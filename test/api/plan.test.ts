import assert from "node:assert/strict";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { planPod } from "../../src/api/plan.ts";
import { runPod } from "../../src/api/run.ts";
import type { RunOptions } from "../../src/api/run-options.ts";
import { readPodRecord } from "../../src/pod/record.ts";
import { openStoreSync, treesOf } from "../../src/store/layout.ts";
import { fails } from "../helpers/failures.ts";
import { PodWorld } from "../helpers/pod-world.ts";

const exampleUuid = "00000000-0000-4000-8000-000000000000";
let world: PodWorld;
let image = "";
before(async () => {
  world = await PodWorld.open();
  const environment = [{ name: "SECRET", value: "of-the-image" }];
  image = await world.stored("example.com/guest", { exec: ["/guest"], environment });
});
after(() => world.close());

const plan = (options: Partial<RunOptions> = {}) => planPod(world.settings, { apps: [{ image }], ...options });

describe("planPod", () => {
  it("makes neither a pod nor a claim, whoever asks", async () => {
    const { topics, records, isolators } = await plan();
    assert.ok(topics.some(({ topic }) => topic === "cgroups"));
    assert.ok(records.length > 50);
    assert.deepEqual(isolators, []);
    assert.deepEqual(world.remains(), []);
    const settings = { ...world.settings, caller: { uid: 1000, gid: 1000, isRoot: false } };
    assert.deepEqual((await planPod(settings, { apps: [{ image }] })).records, records);
  });

  it("T-R07: shows no value of a variable", async () => {
    const shown = JSON.stringify(await plan({ setEnvironment: ["TOKEN=of-the-caller"] }));
    assert.match(shown, /TOKEN/);
    assert.doesNotMatch(shown, /of-the-(image|caller)/);
  });

  it("is what run does, but for uuid and ids", async () => {
    const options = { apps: [{ image, args: ["exit", "0"], memory: "64Mi" }], network: "host" };
    const { records } = await plan(options);
    const pod = await runPod(world.settings, { ...options, foreground: true });
    const directory = join(world.data, "pods", "run", pod.uuid);
    const bytes = readFileSync(join(directory, "plan"), "utf8");
    await (await pod.spawn()).exited;
    // Texts that need quotes, and values that are left out, are shown in another form than they are encoded.
    const plain = records
      .map((record) => record.trim().replaceAll('""', ""))
      .filter((record) => !/"|^(env|seccomp) /.test(record));
    assert.ok(plain.length > 60, String(plain.length));
    for (const record of plain) {
      const own = record
        .replaceAll(exampleUuid, pod.uuid)
        .replace(/^([ug]idmap 0) \d+/, `$1 ${readPodRecord(directory)?.idBase}`);
      assert.ok(bytes.includes(`${own.replaceAll(" ", "\0")}\0`), own);
    }
  });

  it("renders a tree that is missing", async () => {
    const trees = treesOf(openStoreSync(world.data));
    for (const tree of readdirSync(trees)) rmSync(join(trees, tree), { recursive: true });
    assert.ok((await plan()).records.length > 50);
    assert.equal(readdirSync(trees).length, 1);
  });

  it("refuses what run would refuse", async () => {
    await assert.rejects(plan({ network: "bridge" }), fails("NOT_FOUND"));
    await assert.rejects(plan({ hostname: "-" }), fails("USAGE"));
    await assert.rejects(
      planPod({ ...world.settings, insecure: new Set() }, { apps: [{ image }] }),
      fails("SIGNATURE_MISSING"),
    );
  });
});
