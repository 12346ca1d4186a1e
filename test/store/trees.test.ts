import assert from "node:assert/strict";
import { lstat, mkdir, readdir, readFile, readlink, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { silentLog } from "../../src/base/log.ts";
import { lockStore } from "../../src/store/gc.ts";
import { blobPath, openStore, type Store, stagingOf, trashOf, treePath, treesOf } from "../../src/store/layout.ts";
import { ensureTree, findTree, treeIdOf } from "../../src/store/trees.ts";
import { fails } from "../helpers/failures.ts";
import { importReal, makeImage, type RealFile } from "../helpers/images.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

const newStore = async (t: TestContext): Promise<Store> => openStore(await temporaryDirectory(t));
const isRoot = process.geteuid?.() === 0;
const options = { log: silentLog };

const base: readonly RealFile[] = [
  { path: "bin", type: "directory" },
  { path: "bin/tool", content: "tool of base", mode: 0o4755 },
  { path: "bin/same", type: "link", target: "bin/tool" },
  { path: "usr", type: "directory", mode: 0o700 },
  { path: "lib", type: "symlink", target: "usr" },
  { path: "data", type: "directory", mode: 0o1777 },
  { path: "data/own", content: "x", owner: 1234 },
];

/** What is in a tree: path → mode, size, mtime, owner and content, so that two trees can be compared. */
async function look(rootfs: string): Promise<Readonly<Record<string, string>>> {
  const found: Record<string, string> = {};
  for (const path of ["", ...(await readdir(rootfs, { recursive: true }))]) {
    const full = join(rootfs, path);
    const { mode, mtimeMs, uid, nlink } = await lstat(full);
    const kind = mode & 0o170000;
    const content =
      kind === 0o100000 ? await readFile(full, "utf8") : kind === 0o120000 ? `→ ${await readlink(full)}` : "";
    found[path] = [mode.toString(8), mtimeMs, uid, kind === 0o100000 ? nlink : "", content].join(" ");
  }
  return found;
}

/** What this process has read and written so far, from the kernel. */
async function counters(): Promise<{ readonly bytes: number; readonly calls: number }> {
  const text = await readFile("/proc/self/io", "latin1");
  const value = (name: string) => Number(new RegExp(`^${name}: (\\d+)$`, "m").exec(text)?.[1]);
  return { bytes: value("rchar") + value("wchar"), calls: value("syscr") + value("syscw") };
}

async function isClean(store: Store): Promise<boolean> {
  return (await readdir(stagingOf(store))).length === 0 && (await readdir(trashOf(store))).length === 0;
}

describe("ensureTree", () => {
  it("is the tree unpacked at fetch for a lone image, without unpacking again", async (t) => {
    const store = await newStore(t);
    const { id } = await importReal(store, await makeImage({ name: "example.com/base" }, base));
    const { ino } = await stat(join(treePath(store, id), "rootfs"));
    const tree = await ensureTree(store, id, options);
    assert.deepEqual(tree, { id, rootfs: join(treePath(store, id), "rootfs") });
    assert.equal((await stat(tree.rootfs)).ino, ino);
  });

  it("does no I/O proportional to the image when the tree is there, with and without dependencies", async (t) => {
    const costs: number[] = [];
    for (const size of [1, 30_000_000]) {
      const store = await newStore(t);
      const content = "x".repeat(size);
      const files = [{ path: "large", content }, ...Array.from({ length: 200 }, (_, index) => ({ path: `f${index}` }))];
      await importReal(store, await makeImage({ name: "example.com/base" }, size === 1 ? files.slice(0, 1) : files));
      const top = await makeImage({ name: "example.com/top", dependencies: [{ imageName: "example.com/base" }] }, []);
      const { id } = await importReal(store, top);
      await ensureTree(store, id, options);
      const before = await counters();
      await ensureTree(store, id, options);
      const after = await counters();
      assert.ok(after.bytes - before.bytes < 64 * 1024, `${after.bytes - before.bytes} bytes of ${size}`);
      costs.push(after.calls - before.calls);
    }
    const [small = 0, large = 0] = costs;
    assert.ok(Math.abs(large - small) < 10, `${small} and ${large} system calls that read or write`);
  });

  it("ACI-4: renders a lost tree just as fetch had unpacked it", async (t) => {
    const store = await newStore(t);
    const { id } = await importReal(store, await makeImage({ name: "example.com/base" }, base));
    const rootfs = join(treePath(store, id), "rootfs");
    const before = await look(rootfs);
    assert.equal(Object.keys(before).length, base.length + 1);
    await rm(treePath(store, id), { recursive: true });
    assert.equal(findTree(store, id), undefined);
    await ensureTree(store, id, options);
    assert.deepEqual(await look(rootfs), before);
    assert.ok(await isClean(store));
  });

  it("ACE-5: a later image replaces one name of a file, and the other names keep their content", async (t) => {
    for (const replaced of ["first", "second", "third"]) {
      const store = await newStore(t);
      const names = ["first", "second", "third"];
      const links = names.slice(1).map((path): RealFile => ({ path, type: "link", target: "first" }));
      const below = await makeImage({ name: "example.com/base" }, [{ path: "first", content: "of base" }, ...links]);
      const { id: belowId } = await importReal(store, below);
      const top = await makeImage({ name: "example.com/top", dependencies: [{ imageName: "example.com/base" }] }, [
        { path: replaced, content: "of top" },
      ]);
      const { id } = await importReal(store, top);
      const found = await look((await ensureTree(store, id, options)).rootfs);
      for (const name of names) {
        const expected = name === replaced ? / 1 of top$/ : / 2 of base$/;
        assert.match(found[name] ?? "", expected, `${name} where ${replaced} is replaced`);
      }
      const { rootfs } = await ensureTree(store, belowId, options);
      assert.match((await look(rootfs))["first"] ?? "", / 3 of base$/, "the tree of the image below is as it was");
    }
  });

  it("ACE-4, ACE-5, ACE-7: lays images over each other through the lists of those above", async (t) => {
    const store = await newStore(t);
    await importReal(store, await makeImage({ name: "example.com/base" }, base));
    const top = await makeImage(
      {
        name: "example.com/top",
        dependencies: [{ imageName: "example.com/base" }],
        whitelist: ["/bin/same", "/lib/new", "/data/own", "/data/none"],
      },
      [
        { path: "lib/new", content: "new" },
        { path: "dropped", content: "x" },
      ],
    );
    const { id } = await importReal(store, top);
    const tree = await ensureTree(store, id, options);
    assert.equal(tree.id, await treeIdOf(store, id));
    const found = await look(tree.rootfs);
    assert.deepEqual(Object.keys(found).sort(), ["", "bin", "bin/same", "data", "data/own", "lib", "lib/new"]);
    assert.match(
      found["bin/same"] ?? "",
      /^104755 .* 1 tool of base$/,
      "the content came along without its first name",
    );
    assert.match(found["lib"] ?? "", /^40755 /, "the link was replaced by a directory");
    assert.match(found["data"] ?? "", /^41777 /);
    assert.equal((await stat(join(tree.rootfs, "data/own"))).uid, isRoot ? 1234 : process.geteuid?.());
    assert.deepEqual(findTree(store, tree.id), tree);
    assert.ok(await isClean(store));
  });

  it("gives one tree to many that ask at once", async (t) => {
    const store = await newStore(t);
    const { id } = await importReal(store, await makeImage({ name: "example.com/base" }, base));
    await rm(treePath(store, id), { recursive: true });
    const trees = await Promise.all(Array.from({ length: 4 }, () => ensureTree(store, id, options)));
    assert.equal(new Set(trees.map((tree) => tree.rootfs)).size, 1);
    assert.deepEqual(await readdir(treesOf(store)), [id]);
    assert.ok(await isClean(store));
  });

  it("makes room where something without its mark has the name", async (t) => {
    const store = await newStore(t);
    const { id } = await importReal(store, await makeImage({ name: "example.com/base" }, base));
    await rm(join(treePath(store, id), "manifest.ok"));
    await writeFile(join(treePath(store, id), "rootfs", "planted"), "x");
    assert.equal(findTree(store, id), undefined);
    const { rootfs } = await ensureTree(store, id, options);
    assert.equal((await readdir(rootfs)).includes("planted"), false);
    assert.ok(findTree(store, id) !== undefined);
  });

  it("T-D14: refuses an archive that has changed, and leaves no tree", async (t) => {
    const store = await newStore(t);
    const record = await importReal(store, await makeImage({ name: "example.com/base" }, base));
    await rm(treePath(store, record.id), { recursive: true });
    const path = blobPath(store, record.archive.sha512);
    const bytes = await readFile(path);
    const at = bytes.indexOf("tool of base");
    bytes.write("evil", at);
    await writeFile(path, bytes);
    await assert.rejects(ensureTree(store, record.id, options), fails("DIGEST_MISMATCH", /example\.com\/base/));
    assert.deepEqual(await readdir(treesOf(store)), []);
    assert.ok(await isClean(store));
  });

  it("ends at once, with nothing left, when it is interrupted", async (t) => {
    const store = await newStore(t);
    const { id } = await importReal(store, await makeImage({ name: "example.com/base" }, base));
    await rm(treePath(store, id), { recursive: true });
    const signal = AbortSignal.abort();
    await assert.rejects(ensureTree(store, id, { log: silentLog, signal }), fails("INTERRUPTED"));
    assert.deepEqual(await readdir(treesOf(store)), []);
    assert.ok(await isClean(store));
  });

  it("waits while somebody removes from the store", async (t) => {
    const store = await newStore(t);
    const { id } = await importReal(store, await makeImage({ name: "example.com/base" }, base));
    const sweeper = await lockStore(store, "exclusive");
    const aside = join(store.root, "aside");
    await rename(treePath(store, id), aside);
    const waiting = ensureTree(store, id, options);
    await rename(aside, treePath(store, id));
    sweeper.release();
    assert.equal((await waiting).id, id);
  });
});

describe("findTree", () => {
  it("finds only what is whole", async (t) => {
    const store = await newStore(t);
    assert.equal(findTree(store, "sha512-none"), undefined);
    await mkdir(join(treePath(store, "sha512-half"), "rootfs"), { recursive: true });
    assert.equal(findTree(store, "sha512-half"), undefined);
  });
});
