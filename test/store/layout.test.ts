import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmod, mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { openStore, openStoreSync } from "../../src/store/layout.ts";
import { fails } from "../helpers/failures.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

describe("openStore", () => {
  it("makes everything for the owner alone, whatever the umask (T-R50)", async (t) => {
    const data = join(await temporaryDirectory(t), "made", "data");
    const before = process.umask(0);
    try {
      await openStore(data);
    } finally {
      process.umask(before);
    }
    assert.equal((await stat(data)).mode & 0o7777, 0o700);
    for (const entry of await readdir(data, { recursive: true, withFileTypes: true })) {
      const { mode } = await stat(join(entry.parentPath, entry.name));
      assert.equal(mode & 0o7777, entry.isDirectory() ? 0o700 : 0o600, entry.name);
    }
  });

  it("opens what is there, and makes again what a crash left out", async (t) => {
    const data = await temporaryDirectory(t);
    const store = openStoreSync(data);
    await writeFile(join(store.root, "manifests", "kept"), "x");
    await rm(join(store.root, "trash"), { recursive: true });
    await rm(join(store.root, "staging"), { recursive: true });
    assert.deepEqual(openStoreSync(data), store);
    assert.deepEqual((await readdir(store.root)).sort(), [
      "blobs",
      "index",
      "lock",
      "manifests",
      "staging",
      "trash",
      "trees",
      "turns",
      "version",
    ]);
    assert.equal(await readFile(join(store.root, "manifests", "kept"), "utf8"), "x");
  });

  for (const [what, content] of [
    ["empty", ""],
    ["zeros, as a loss of power leaves it", "\0\0"],
  ] as const) {
    it(`DUR-3: finishes a store whose version is ${what}: its maker died`, async (t) => {
      const data = await temporaryDirectory(t);
      await openStore(data);
      await writeFile(join(data, "store", "version"), content);
      await rm(join(data, "store", "trees"), { recursive: true });
      const store = await openStore(data);
      assert.equal(await readFile(join(store.root, "version"), "utf8"), "1\n");
      assert.ok((await stat(join(store.root, "trees"))).isDirectory());
    });
  }

  it("leaves a data directory that was there as it is", async (t) => {
    const data = join(await temporaryDirectory(t), "shared");
    await mkdir(data);
    await chmod(data, 0o755);
    const store = await openStore(data);
    assert.equal((await stat(data)).mode & 0o7777, 0o755);
    assert.equal((await stat(store.root)).mode & 0o7777, 0o700);
  });

  for (const [what, version] of [
    ["a later version", "2\n"],
    ["something else", "\u001b[2Jowned"],
  ]) {
    it(`refuses a store of ${what}, naming the way out`, async (t) => {
      const data = await temporaryDirectory(t);
      const store = await openStore(data);
      await writeFile(join(store.root, "version"), version ?? "");
      await assert.rejects(openStore(data), fails("WRONG_STATE", /another layout/, { hint: /--dir/ }));
    });
  }

  it("refuses a directory called store that is not one of ours", async (t) => {
    const data = await temporaryDirectory(t);
    await mkdir(join(data, "store", "blobs", "sha512"), { recursive: true });
    await assert.rejects(openStore(data), fails("WRONG_STATE", /another layout/));
    assert.deepEqual(await readdir(join(data, "store")), ["blobs"]);
  });

  it("T-R50: another user is stopped at the top of the data directory", async (t) => {
    const parent = await temporaryDirectory(t);
    await chmod(parent, 0o755);
    const data = join(parent, "data");
    await openStore(data);
    assert.equal(spawnSync("find", [data]).status, 0);
    // Whoever is not root cannot become another user; for him the mode says it.
    assert.equal((await stat(data)).mode & 0o077, 0);
    if (process.geteuid?.() !== 0) return;
    const found = spawnSync("find", [data], { uid: 1000, gid: 1000, encoding: "utf8" });
    assert.notEqual(found.status, 0);
    assert.equal(found.stdout, `${data}\n`);
  });
});
