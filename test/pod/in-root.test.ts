import assert from "node:assert/strict";
import { closeSync, mkdirSync, readdirSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { namesInRoot, openInRoot, readInRoot, statInRoot } from "../../src/pod/in-root.ts";
import { fails } from "../helpers/failures.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

/** A root with `etc/name`, beside it `outside` with a file that must never be seen. */
async function makeRoot(context: Parameters<typeof temporaryDirectory>[0]): Promise<string> {
  const directory = await temporaryDirectory(context);
  mkdirSync(join(directory, "root", "etc"), { recursive: true });
  writeFileSync(join(directory, "root", "etc", "name"), "inside");
  mkdirSync(join(directory, "outside"));
  writeFileSync(join(directory, "outside", "name"), "canary");
  return join(directory, "root");
}

const read = (root: string, path: string) => readInRoot(root, path, 100)?.toString();

describe("readInRoot (T-R18, T-R24)", () => {
  it("reads a file, through links inside", async (context) => {
    const root = await makeRoot(context);
    symlinkSync("etc", join(root, "relative"));
    symlinkSync("/etc/name", join(root, "absolute"));
    symlinkSync("../../../etc/./name", join(root, "etc", "up"));
    for (const path of ["/etc/name", "etc//name", "/relative/name", "/absolute", "/etc/up", "/etc/../etc/name"]) {
      assert.equal(read(root, path), "inside", path);
    }
  });

  it("what points out of the root stays in it", async (context) => {
    const root = await makeRoot(context);
    symlinkSync("../outside/name", join(root, "a"));
    symlinkSync(join(root, "..", "outside"), join(root, "b"));
    symlinkSync("/../../..", join(root, "c"));
    symlinkSync("/proc/self/root", join(root, "d"));
    for (const path of [
      "/a",
      "/b/name",
      "/../outside/name",
      "/c/outside/name",
      "/d/etc/passwd",
      "/etc/../../outside/name",
    ]) {
      assert.equal(read(root, path), undefined, path);
    }
    assert.equal(read(root, "/c/etc/name"), "inside");
  });

  it("refuses loops, and 41 links but not 40", async (context) => {
    const root = await makeRoot(context);
    symlinkSync("loop", join(root, "loop"));
    assert.throws(() => read(root, "/loop"), fails("IMAGE_INVALID", /40 links/));
    symlinkSync("etc/name", join(root, "l1"));
    for (let number = 2; number <= 41; number += 1) symlinkSync(`l${number - 1}`, join(root, `l${number}`));
    assert.equal(read(root, "/l40"), "inside");
    assert.throws(() => read(root, "/l41"), fails("IMAGE_INVALID"));
  });

  it("refuses anything but a small regular file", async (context) => {
    const root = await makeRoot(context);
    assert.throws(() => read(root, "/etc"), fails("IMAGE_INVALID", /regular/));
    writeFileSync(join(root, "sparse"), "");
    truncateSync(join(root, "sparse"), 4 * 1024 ** 3);
    assert.throws(() => read(root, "/sparse"), fails("IMAGE_INVALID", /more than 100 bytes/));
    writeFileSync(join(root, "full"), "x".repeat(100));
    assert.equal(read(root, "/full")?.length, 100);
  });

  it("a part that is too long, or below a file, is no crash", async (context) => {
    const root = await makeRoot(context);
    assert.throws(() => read(root, `/${"x".repeat(256)}`), fails("IMAGE_INVALID"));
    assert.equal(read(root, "/etc/name/more"), undefined);
    assert.equal(read(root, "/nothing"), undefined);
  });

  it("leaves no descriptor open, whatever happened", async (context) => {
    const root = await makeRoot(context);
    symlinkSync("loop", join(root, "loop"));
    const before = readdirSync("/proc/self/fd").length;
    for (const path of ["/etc/name", "/nothing", "/loop", "/etc", "/etc/../../x/y", `/${"x".repeat(300)}`]) {
      try {
        readInRoot(root, path, 100);
      } catch {}
    }
    assert.equal(readdirSync("/proc/self/fd").length, before);
  });
});

describe("openInRoot, statInRoot, namesInRoot", () => {
  it("the root is a path of itself", async (context) => {
    const root = await makeRoot(context);
    const descriptor = openInRoot(root, "/");
    assert.ok(descriptor !== undefined);
    closeSync(descriptor);
    assert.ok(statInRoot(root, "/../..")?.isDirectory());
    assert.equal(statInRoot(root, "/nothing"), undefined);
  });

  it("namesInRoot lists a directory and names a file", async (context) => {
    const root = await makeRoot(context);
    assert.deepEqual(namesInRoot(root, "/etc"), ["name"]);
    assert.deepEqual(namesInRoot(root, "/etc/name"), ["/etc/name"]);
    assert.equal(namesInRoot(root, "/nothing"), undefined);
  });
});
