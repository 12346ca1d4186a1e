import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, linkSync, mkdirSync, readdirSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { mergeLayers } from "../../src/store/merge.ts";
import type { Layer } from "../../src/store/stack.ts";
import { RecipeWorld } from "../helpers/recipe-world.ts";

let world: RecipeWorld;
before(async () => {
  world = await RecipeWorld.open();
});
after(() => world.remove());

/** A descriptor may be gone before it is looked at. */
function targetOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

const whiteout = (layer: Layer, path: string) => {
  mkdirSync(dirname(join(layer.rootfs, path)), { recursive: true });
  execFileSync("mknod", [join(layer.rootfs, path), "c", "0", "0"]);
};

/** `path` of a directory, `path=content` of a file, `path→target` of a hard link. */
async function merged(stack: readonly Layer[], removed: string[] = []): Promise<readonly string[]> {
  const lines: string[] = [];
  for await (const entry of mergeLayers(stack, { onRemoved: (path) => removed.push(path) })) {
    const path = entry.path.toString();
    let content = "";
    for await (const chunk of entry.body) content += Buffer.from(chunk).toString();
    if (entry.type === "directory") lines.push(path);
    else lines.push(entry.type === "hardlink" ? `${path}→${entry.link.toString()}` : `${path}=${content}`);
  }
  return lines;
}

describe("mergeLayers (RECIPE-40)", () => {
  it("one layer is itself", async () => {
    assert.deepEqual(await merged([world.layer("one", { "a/b": "1", c: "2" })]), [".", "a", "a/b=1", "c=2"]);
  });
  it("higher layers replace, directories are one, in the order of a walk", async () => {
    const low = world.layer("l1", { "a/x": "low", "a/y": "low", "a-b": "low", z: "low" });
    const top = world.layer("t1", { "a/y": "top", "a/w": "top", b: "top" });
    assert.deepEqual(await merged([low, top]), [
      ".",
      "a",
      "a/w=top",
      "a/x=low",
      "a/y=top",
      "a-b=low",
      "b=top",
      "z=low",
    ]);
  });
  it("a directory's attributes are the topmost layer's", async () => {
    const [low, top] = [world.layer("l2", { "a/x": "1" }), world.layer("t2", { "a/y": "1" })];
    chmodSync(join(top.rootfs, "a"), 0o700);
    const modes: number[] = [];
    for await (const { path, mode } of mergeLayers([low, top])) if (path.toString() === "a") modes.push(mode);
    assert.deepEqual(modes, [0o700]);
  });
  it("what a whiteout hides is gone, and told", async () => {
    const [low, top] = [world.layer("l3", { "a/x/deep": "1", "a/y": "1" }), world.layer("t3", {})];
    whiteout(top, "a/x");
    const removed: string[] = [];
    assert.deepEqual(await merged([low, top], removed), [".", "a", "a/y=1"]);
    assert.deepEqual(removed, ["a/x"]);
  });
  it("a whiteout hides a directory also right behind a file that the lower layer has not", async () => {
    const [low, top] = [world.layer("l9", { "s/www/x": "1" }), world.layer("t9", { "s/new/box": "2" })];
    whiteout(top, "s/www");
    assert.deepEqual(await merged([low, top]), [".", "s", "s/new", "s/new/box=2"]);
  });
  it("a file over a directory, and a directory over a file", async () => {
    const low = world.layer("l4", { "a/x": "1", b: "1" });
    const top = world.layer("t4", { a: "file", "b/y": "2" });
    assert.deepEqual(await merged([low, top]), [".", "a=file", "b", "b/y=2"]);
  });
  it("a directory made again after it was removed has nothing of before", async () => {
    const low = world.layer("l5", { "a/old": "1" });
    const middle = world.layer("m5", {});
    whiteout(middle, "a");
    const top = world.layer("t5", { "a/new": "2" });
    assert.deepEqual(await merged([low, middle, top]), [".", "a", "a/new=2"]);
  });
  it("a hard link whose first name is replaced or removed keeps its content", async () => {
    const low = world.layer("l6", { "a/first": "content" });
    for (const name of ["second", "third"]) linkSync(join(low.rootfs, "a/first"), join(low.rootfs, "a", name));
    assert.deepEqual(await merged([low]), [".", "a", "a/first=content", "a/second→a/first", "a/third→a/first"]);
    const replaced = world.layer("t6", { "a/first": "other" });
    const expected = ["a/second=content", "a/third→a/second"];
    assert.deepEqual(await merged([low, replaced]), [".", "a", "a/first=other", ...expected]);
    rmSync(join(replaced.rootfs, "a/first"));
    whiteout(replaced, "a/first");
    assert.deepEqual(await merged([low, replaced]), [".", "a", ...expected]);
  });
  it("what nobody reads is not opened", async () => {
    const low = world.layer("unread-low", { first: "content" });
    linkSync(join(low.rootfs, "first"), join(low.rootfs, "second"));
    const high = world.layer("unread-high", {});
    whiteout(high, "first");
    const place = join(low.rootfs, "first");
    for await (const { path } of mergeLayers([low, high])) assert.notEqual(path.toString(), "first");
    // A stream that was made opens its file in a moment.
    await sleep(50);
    const targets = readdirSync("/proc/self/fd").map((name) => targetOf(join("/proc/self/fd", name)));
    assert.ok(targets.length > 2 && !targets.includes(place));
  });
  it("a hard link out of a directory that is gone keeps its content", async () => {
    const low = world.layer("l7", { "a/first": "content" });
    mkdirSync(join(low.rootfs, "b"));
    linkSync(join(low.rootfs, "a/first"), join(low.rootfs, "b/second"));
    const top = world.layer("t7", {});
    whiteout(top, "a");
    assert.deepEqual(await merged([low, top]), [".", "b", "b/second=content"]);
  });
  it("leaves no process when its reader stops early", async () => {
    const low = world.layer("l8", {});
    for (let index = 0; index < 50; index += 1) writeFileSync(join(low.rootfs, `f${index}`), "x".repeat(10_000));
    for await (const _ of mergeLayers([low, world.layer("t8", {})])) break;
  });
});
