import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { seedVolumes } from "../../src/api/seed-volumes.ts";
import { fails } from "../helpers/failures.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

const idBase = 0x7000_0000;
const volume = { volume: "data", mode: 0o755, uid: 0, gid: 0 };

/** A tree with files at /srv, and a pod directory beside it. */
async function scene(t: TestContext) {
  const directory = await temporaryDirectory(t);
  const tree = join(directory, "tree");
  mkdirSync(join(tree, "srv", "deep"), { recursive: true });
  writeFileSync(join(tree, "srv", "deep", "file"), "content");
  chmodSync(join(tree, "srv"), 0o1770);
  const pod = join(directory, "pod");
  mkdirSync(pod);
  const seed = (target: string, signal?: AbortSignal) =>
    seedVolumes({
      directory: pod,
      volumes: [{ ...volume, seed: { app: "web", target } }],
      trees: new Map([["web", tree]]),
      idBase,
      signal,
    });
  return { tree, pod, seed, made: join(pod, "volumes", "data") };
}

describe("seedVolumes (POD-52)", () => {
  it("copies what the image has, owners shifted into the pod's ids, mode and owner of the directory as the image's", async (t) => {
    const { seed, made } = await scene(t);
    await seed("/srv");
    assert.equal(readFileSync(join(made, "deep", "file"), "utf8"), "content");
    for (const path of [made, join(made, "deep"), join(made, "deep", "file")])
      assert.deepEqual([statSync(path).uid, statSync(path).gid], [idBase, idBase], path);
    assert.equal(statSync(made).mode & 0o7777, 0o1770);
  });

  it("of an empty directory takes owner and mode; what is missing, or no directory, it leaves to be made", async (t) => {
    const { tree, pod, seed, made } = await scene(t);
    mkdirSync(join(tree, "empty"), { mode: 0o711 });
    chmodSync(join(tree, "empty"), 0o711);
    for (const target of ["/missing", "/srv/deep/file"]) {
      await seed(target);
      assert.ok(!existsSync(join(pod, "volumes")), target);
    }
    await seed("/empty");
    assert.deepEqual([readdirSync(made), statSync(made).mode & 0o7777], [[], 0o711]);
  });

  it("T-R19, T-R21: follows links of the image inside of its tree, and never out of it", async (t) => {
    const { tree, seed, made } = await scene(t);
    const outside = join(tree, "..", "outside");
    mkdirSync(outside);
    writeFileSync(join(outside, "secret"), "");
    symlinkSync("/srv", join(tree, "inside"));
    symlinkSync(outside, join(tree, "leading"));
    await seed("/leading");
    assert.ok(!existsSync(made), "the host's directory is none of the image's");
    await seed("/inside");
    assert.deepEqual(readdirSync(made), ["deep"]);
  });

  it("T-R34: writes into a directory that it made itself, or not at all", async (t) => {
    const { pod, seed, made } = await scene(t);
    mkdirSync(join(pod, "volumes"));
    mkdirSync(made);
    writeFileSync(join(made, "mine"), "");
    await assert.rejects(seed("/srv"), fails("IO_FAILED"));
    assert.deepEqual(readdirSync(made), ["mine"]);
  });

  it("ends when it is interrupted", async (t) => {
    const { seed } = await scene(t);
    await assert.rejects(seed("/srv", AbortSignal.abort()));
  });

  it("of an image of layers copies what they show there together, links followed inside of the image", async (t) => {
    const { pod } = await scene(t);
    const [low, top] = ["low", "top"].map((id) => ({ id, rootfs: join(pod, "..", id) }));
    assert.ok(low !== undefined && top !== undefined);
    for (const [path, content] of [
      [join(low.rootfs, "srv/kept"), "low"],
      [join(low.rootfs, "srv/gone"), "low"],
      [join(low.rootfs, "srv/both"), "low"],
      [join(top.rootfs, "srv/both"), "top"],
    ] as const) {
      mkdirSync(join(path, ".."), { recursive: true });
      writeFileSync(path, content);
    }
    execFileSync("mknod", [join(top.rootfs, "srv/gone"), "c", "0", "0"]);
    symlinkSync("../../srv", join(low.rootfs, "link"));
    chmodSync(join(top.rootfs, "srv"), 0o1770);
    const trees = new Map([["web", [low, top]]]);
    const volumes = ["/link", "/srv/both", "/nothing"].map((target, index) => ({
      ...{ ...volume, volume: `v${index}`, seed: { app: "web", target } },
    }));
    await seedVolumes({ directory: pod, volumes, trees, idBase });
    const made = join(pod, "volumes/v0");
    assert.deepEqual(readdirSync(join(pod, "volumes")), ["v0"]);
    assert.deepEqual(readdirSync(made).sort(), ["both", "kept"]);
    assert.equal(readFileSync(join(made, "both"), "utf8"), "top");
    assert.deepEqual([statSync(made).uid, statSync(made).mode & 0o7777], [idBase, 0o1770]);
    assert.equal(statSync(join(made, "kept")).uid, idBase);
  });

  it("volumes without a seed are not its business", async (t) => {
    const { pod } = await scene(t);
    await seedVolumes({ directory: pod, volumes: [volume], trees: new Map(), idBase });
    assert.ok(!existsSync(join(pod, "volumes")));
  });
});
