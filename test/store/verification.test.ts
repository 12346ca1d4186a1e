import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmod, lutimes, readdir, readFile, rename, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { silentLog } from "../../src/base/log.ts";
import type { ImageID } from "../../src/schema/image-id.ts";
import { mostShown } from "../../src/store/compare-trees.ts";
import { blobPath, openStore, type Store, stagingOf, trashOf, treePath } from "../../src/store/layout.ts";
import { ensureTree } from "../../src/store/trees.ts";
import { type TreeVerdict, verifyTree } from "../../src/store/verification.ts";
import { fails } from "../helpers/failures.ts";
import { describeTree } from "../helpers/image-tree.ts";
import { importReal, makeImage, type RealFile } from "../helpers/images.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

const files: readonly RealFile[] = [
  { path: "bin", type: "directory" },
  { path: "bin/tool", content: "tool", mode: 0o4755, owner: 12 },
  { path: "bin/same", type: "link", target: "bin/tool" },
  { path: "lib", type: "symlink", target: "bin" },
  { path: "implied/directory/file", content: "x" },
  { path: "z", content: "z" },
];

interface Setup {
  readonly store: Store;
  readonly id: ImageID;
  readonly rootfs: string;
  readonly archive: string;
  verify(changes?: { readonly repair?: boolean; readonly usedBy?: readonly string[] }): Promise<TreeVerdict>;
}

async function setUp(t: TestContext): Promise<Setup> {
  const store = await openStore(await temporaryDirectory(t));
  const base = await importReal(store, await makeImage({ name: "example.com/base" }, files));
  const top = await makeImage({ name: "example.com/top", dependencies: [{ imageName: "example.com/base" }] }, [
    { path: "top", content: "top" },
  ]);
  const { id } = await importReal(store, top);
  const { id: treeId, rootfs } = await ensureTree(store, id, { log: silentLog });
  return {
    store,
    id,
    rootfs,
    archive: blobPath(store, base.archive.sha512),
    verify: async ({ repair = true, usedBy = [] } = {}) => {
      const verdict = await verifyTree(store, id, { repair, users: () => new Map([[treeId, usedBy]]), log: silentLog });
      assert.deepEqual(await readdir(stagingOf(store)), []);
      assert.deepEqual(await readdir(trashOf(store)), []);
      return verdict;
    },
  };
}

const shown = ({ differences }: TreeVerdict) => differences.map(({ path, why }) => `${path}: ${why.join(", ")}`);

describe("verifyTree", () => {
  it("finds a tree as it was rendered, directories that no entry describes included", async (t) => {
    const { verify } = await setUp(t);
    const verdict = await verify();
    assert.deepEqual([verdict.tree, verdict.differenceCount], ["same", 0]);
    assert.match(verdict.treeHash, /^[0-9a-f]{128}$/);
  });

  it("VERIFY-4: gives every store the same hash of the same images", async (t) => {
    const [one, other] = [await setUp(t), await setUp(t)];
    assert.equal((await one.verify()).treeHash, (await other.verify()).treeHash);
  });

  const damages: readonly (readonly [string, (rootfs: string) => Promise<unknown>, readonly string[]])[] = [
    ["content", (at) => writeFile(join(at, "z"), "y").then(() => settle(join(at, "z"))), ["z: content"]],
    ["a mode", (at) => chmod(join(at, "z"), 0o600), ["z: mode"]],
    ["a time", (at) => utimes(join(at, "z"), 1, 1), ["z: time"]],
    ["the time of a link", (at) => lutimes(join(at, "lib"), 1, 1), ["lib: time"]],
    [
      "a missing directory",
      (at) => rm(join(at, "implied"), { recursive: true }).then(() => settle(at)),
      ["implied: missing", "implied/directory: missing", "implied/directory/file: missing"],
    ],
    [
      "a planted file",
      (at) => writeFile(join(at, "bin/evil"), "").then(() => settle(join(at, "bin"))),
      ["bin/evil: added"],
    ],
    ["another target of a link", (at) => relink(at), ["lib: link"]],
    ["names of a file parted", (at) => part(at), ["bin/tool: hard links"]],
    ["an attribute", async (at) => execFileSync("setfattr", ["-n", "user.x", "-v", "1", join(at, "z")]), ["z: xattrs"]],
  ];
  for (const [what, damage, expected] of damages) {
    it(`VERIFY-2: names ${what} and mends the tree from the archives`, async (t) => {
      const { rootfs, verify } = await setUp(t);
      const before = describeTree(rootfs);
      await damage(rootfs);
      const found = await verify({ repair: false });
      assert.equal(found.tree, "differs");
      assert.deepEqual(shown(found), expected);
      assert.equal((await verify()).tree, "repaired");
      assert.equal((await verify()).tree, "same");
      assert.deepEqual(describeTree(rootfs), before);
    });
  }

  it("VERIFY-2: mends a tree that cannot be walked", async (t) => {
    const { rootfs, verify } = await setUp(t);
    // In the directory itself, because the path of a socket must be short; a process that ends leaves it there.
    const listen = "require('node:net').createServer().listen('s', () => process.exit(0))";
    execFileSync(process.execPath, ["-e", listen], { cwd: rootfs });
    const verdict = await verify();
    assert.equal(verdict.tree, "repaired");
    assert.match(shown(verdict).join(), /socket/);
    assert.equal((await verify()).tree, "same");
  });

  it("counts what it does not name", async (t) => {
    const { rootfs, verify } = await setUp(t);
    for (let index = 0; index < mostShown + 5; index += 1) await writeFile(join(rootfs, "bin", `f${index}`), "");
    const verdict = await verify();
    assert.deepEqual([verdict.differences.length, verdict.differenceCount], [mostShown, mostShown + 6]);
  });

  it("VERIFY-3: leaves a tree that a pod uses", async (t) => {
    const { rootfs, verify } = await setUp(t);
    await writeFile(join(rootfs, "z"), "changed");
    const verdict = await verify({ usedBy: ["6f3a1c52"] });
    assert.deepEqual([verdict.tree, verdict.usedBy], ["differs", ["6f3a1c52"]]);
    assert.equal(await readFile(join(rootfs, "z"), "utf8"), "changed");
  });

  it("reads the archives also when there is no tree", async (t) => {
    const { store, archive, verify, rootfs } = await setUp(t);
    const { tree } = await verify();
    assert.equal(tree, "same");
    for (const name of await readdir(join(store.root, "trees"))) await rm(treePath(store, name), { recursive: true });
    assert.equal((await verify()).tree, "not rendered");
    await assert.rejects(readdir(rootfs));
    const bytes = await readFile(archive);
    bytes.write("TOOL", bytes.indexOf("tool"));
    await writeFile(archive, bytes);
    await assert.rejects(verify(), fails("DIGEST_MISMATCH", /example\.com\/base/));
  });

  it("VERIFY-1, T-D14: replaces no tree from an archive that has changed", async (t) => {
    const { rootfs, archive, verify } = await setUp(t);
    await writeFile(join(rootfs, "z"), "changed");
    await writeFile(archive, (await readFile(archive)).subarray(0, -512));
    await assert.rejects(verify(), fails("DIGEST_MISMATCH"));
    assert.equal(await readFile(join(rootfs, "z"), "utf8"), "changed");
  });
});

/** Gives a path the time of all files of these archives again. */
async function settle(path: string): Promise<void> {
  const time = new Date("2020-01-01T00:00:00Z");
  await utimes(path, time, time);
}

async function relink(rootfs: string): Promise<void> {
  await rm(join(rootfs, "lib"));
  await symlink("/etc", join(rootfs, "lib"));
  const time = new Date("2020-01-01T00:00:00Z");
  await lutimes(join(rootfs, "lib"), time, time);
  await settle(rootfs);
}

async function part(rootfs: string): Promise<void> {
  const [tool, copy] = [join(rootfs, "bin/tool"), join(rootfs, "bin/copy")];
  execFileSync("cp", ["-a", tool, copy]);
  await rename(copy, tool);
  await settle(join(rootfs, "bin"));
}
