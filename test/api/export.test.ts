import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, it } from "node:test";
import { buildImage } from "../../src/api/build.ts";
import { type ExportOptions, exportApp } from "../../src/api/export.ts";
import { fetchImages } from "../../src/api/fetch.ts";
import { collectGarbage } from "../../src/api/gc.ts";
import { showImage } from "../../src/api/images.ts";
import type { RunOptions } from "../../src/api/run.ts";
import { runPod } from "../../src/api/run.ts";
import { setAttributes } from "../helpers/attributes.ts";
import { fails } from "../helpers/failures.ts";
import { loggedText } from "../helpers/logs.ts";
import { guestWorld } from "../helpers/pod-world.ts";
import { imageManifest, valuesOf } from "../helpers/program.ts";

const scene = guestWorld();
let exports = 0;
afterEach(() => collectGarbage(scene.world.settings, { gracePeriodMs: 0, expirePreparedMs: 0, markOnly: false }));

/** Runs a pod to its end; its uuid. */
async function ended(image: string, args: readonly string[], options: Partial<RunOptions> = {}): Promise<string> {
  const pod = await runPod(scene.world.settings, { apps: [{ image, args }], foreground: false, ...options });
  await (await pod.spawn()).exited;
  return pod.uuid;
}

async function exported(pod: string, options: Partial<ExportOptions> = {}) {
  exports += 1;
  const output = scene.world.path(`exported-${exports}.aci`);
  return await exportApp(scene.world.settings, { pod, output, ...options });
}

/** What a pod of the archive prints. */
async function printed(archive: string, args: readonly string[]): Promise<string> {
  const uuid = await ended(archive, args);
  const logs = join(scene.world.data, "pods", "run", uuid, "logs");
  return readdirSync(logs)
    .map((name) => loggedText(join(logs, name)))
    .join("");
}

const ways: readonly (readonly [why: string, options: Partial<RunOptions>])[] = [
  ["an overlay with ids of its own", {}],
  ["an overlay with the host's ids", { privateUsers: false }],
  ["a copied root", { overlay: false }],
];

describe("exportApp (LIFE-53)", () => {
  for (const [why, options] of ways) {
    it(`what was written is there, as the app saw it, and what was mounted is not: ${why}`, async () => {
      const { world } = scene;
      const image = await world.stored("example.com/base", {}, { "keep/one": "1", "etc/hosts": "own\n" });
      const volume = { volumes: ["data,kind=empty"], mounts: ["volume=data,target=/made/data"] };
      const args = [
        "write",
        "/keep/two",
        "new",
        ",",
        "write",
        "/made/data/lost",
        "x",
        ",",
        "write",
        "/keep/one",
        "changed",
      ];
      const uuid = await ended(image, args, { ...options, ...volume });
      const { path, name } = await exported(uuid);
      assert.equal(name, "example.com/base");
      const log = await printed(path, [
        "list",
        "/",
        ",",
        "list",
        "/keep",
        ",",
        "stat",
        "/keep/two",
        ",",
        "cat",
        "/keep/one",
      ]);
      assert.deepEqual(valuesOf(log, "list./keep").join().split(/[ ,]/).sort(), ["one", "two"], log);
      assert.doesNotMatch(log, /made|lost/);
      assert.match(log, /path\.\/keep\/two=100\d\d\d,0,0,/);
      assert.match(log, /changed/);
    });
  }

  it("what an overlay hides is not there: whiteouts, and what lies below directories that were made anew", async () => {
    const { world } = scene;
    const files = { "a/gone": "1", "a/kept": "2", "b/old": "3" };
    const image = await world.stored("example.com/hiding", {}, files);
    const uuid = await ended(image, ["write", "/a/new", "x", ",", "write", "/b/new", "y"]);
    const upper = join(world.data, "pods", "run", uuid, "apps", "hiding", "upper");
    assert.equal(spawnSync("mknod", [join(upper, "a", "gone"), "c", "0", "0"]).status, 0);
    setAttributes(upper, [{ path: Buffer.from("b"), name: "user.overlay.opaque", value: Buffer.from("y") }]);
    const { path } = await exported(uuid);
    const log = await printed(path, ["list", "/a", ",", "list", "/b"]);
    assert.deepEqual(valuesOf(log, "list./a").join().split(/[ ,]/).sort(), ["kept", "new"], log);
    assert.deepEqual(valuesOf(log, "list./b"), ["new"]);
  });

  it("is the same however often it is done, and leaves nothing in the pod", async () => {
    const uuid = await ended(scene.image, ["write", "/x", "y"]);
    const directory = join(scene.world.data, "pods", "run", uuid, "apps", "guest");
    const before = readdirSync(directory);
    const [first, second] = [await exported(uuid), await exported(uuid)];
    assert.equal(first.id, second.id);
    assert.deepEqual(readFileSync(first.path), readFileSync(second.path));
    const third = await exported(uuid, { compression: "none" });
    assert.equal(third.id, first.id);
    assert.ok(third.size > first.size);
    assert.deepEqual(readdirSync(directory), before);
  });

  it("has what its dependencies brought, and no dependencies nor whitelist any more", async () => {
    const { world } = scene;
    await world.stored("example.com/below", {}, { "below/file": "b", "below/other": "o" });
    const place = world.path("top");
    mkdirSync(join(place, "rootfs"), { recursive: true });
    const dependencies = [{ imageName: "example.com/below" }];
    const document = { ...imageManifest("example.com/top"), dependencies, pathWhitelist: ["/guest", "/below/file"] };
    writeFileSync(join(place, "manifest"), JSON.stringify(document));
    await buildImage(world.settings, { directory: place, output: `${place}.aci` });
    await fetchImages(world.settings, { images: [{ reference: `${place}.aci` }] });
    const uuid = await ended("example.com/top", ["write", "/x", "y"]);
    const { path, id } = await exported(uuid);
    assert.match(await printed(path, ["list", "/below", ",", "cat", "/x"]), /list\.\/below=file\ny/);
    await fetchImages(world.settings, { images: [{ reference: path }] });
    const manifest = JSON.parse((await showImage(world.settings, { image: id })).toString("utf8"));
    assert.deepEqual(
      [manifest.name, manifest.dependencies, manifest.pathWhitelist],
      ["example.com/top", undefined, undefined],
    );
    assert.equal(manifest.app.exec[0], "/guest");
  });

  it("refuses a pod that has not ended, an app that there is not, and an output that is there", async () => {
    const { world, image } = scene;
    const running = await world.start(image, ["wait"]);
    await assert.rejects(exported(running.uuid), fails("WRONG_STATE", /is running/));
    running.signal(9);
    await running.exited;
    const two = { apps: ["one", "two"].map((name) => ({ image, name, args: ["exit", "0"] })) };
    const uuid = await ended(image, [], two);
    await assert.rejects(exported(uuid), fails("USAGE", /2 apps/, { hint: /one, two/ }));
    await assert.rejects(exported(uuid, { app: "three" }), fails("NOT_FOUND", /no app three/, { hint: /one, two/ }));
    const { path } = await exported(uuid, { app: "two" });
    await assert.rejects(exported(uuid, { app: "two", output: path }), fails("ALREADY_EXISTS"));
    assert.equal((await exported(uuid, { app: "two", output: path, overwrite: true })).path, path);
    await assert.rejects(exported(uuid, { app: "one", output: "x.tar" }), fails("USAGE", /\.aci/));
    await assert.rejects(exported(uuid, { app: "one", signal: AbortSignal.abort() }), fails("INTERRUPTED"));
  });
});
