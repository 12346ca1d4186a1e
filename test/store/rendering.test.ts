import assert from "node:assert/strict";
import { lstat, mkdir, readFile, readlink, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { type Log, silentLog } from "../../src/base/log.ts";
import type { ImageID } from "../../src/schema/image-id.ts";
import { storedArchives } from "../../src/store/layer-archives.ts";
import { planTree } from "../../src/store/layers.ts";
import { blobPath, openStore, type Store } from "../../src/store/layout.ts";
import { renderLayersInto } from "../../src/store/rendering.ts";
import { fails } from "../helpers/failures.ts";
import { type FakeImage, importReal, makeImage, type RealFile } from "../helpers/images.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

interface Setup {
  readonly store: Store;
  readonly rootfs: string;
  add(image: FakeImage, files: readonly RealFile[]): Promise<ImageID>;
  render(id: ImageID, options?: { readonly log?: Log; readonly signal?: AbortSignal }): Promise<readonly string[]>;
}

async function setUp(t: TestContext): Promise<Setup> {
  const home = await temporaryDirectory(t);
  const store = await openStore(join(home, "data"));
  const rootfs = join(home, "rootfs");
  await mkdir(rootfs);
  return {
    store,
    rootfs,
    add: async (image, files) => (await importReal(store, await makeImage(image, files))).id,
    render: (id, { log = silentLog, signal } = {}) =>
      renderLayersInto(storedArchives(store), planTree(store, id).layers, rootfs, { log, signal }),
  };
}

const onBase = { name: "example.com/top", dependencies: [{ imageName: "example.com/base" }] };

describe("renderLayersInto", () => {
  it("ACE-5: replaces files and links of earlier images, without writing through them", async (t) => {
    const { rootfs, add, render } = await setUp(t);
    await add({ name: "example.com/base" }, [
      { path: "etc", type: "directory" },
      { path: "etc/motd", content: "base" },
      { path: "etc/twin", type: "link", target: "etc/motd" },
      { path: "out", type: "symlink", target: "../../../outside" },
      { path: "tree", type: "directory" },
      { path: "tree/old", content: "old" },
    ]);
    const id = await add(onBase, [
      { path: "etc/motd", content: "top" },
      { path: "out", type: "directory" },
      { path: "out/file", content: "inside" },
      { path: "tree", type: "symlink", target: "etc" },
    ]);
    await render(id);
    assert.equal(await readFile(join(rootfs, "etc/motd"), "utf8"), "top");
    assert.equal(await readFile(join(rootfs, "etc/twin"), "utf8"), "base", "another name of the replaced file");
    assert.ok((await lstat(join(rootfs, "out"))).isDirectory());
    assert.equal(await readFile(join(rootfs, "out/file"), "utf8"), "inside");
    assert.equal(await readlink(join(rootfs, "tree")), "etc");
  });

  it("renders through a directory that nobody may write to", async (t) => {
    const { rootfs, add, render } = await setUp(t);
    await add({ name: "example.com/base" }, [
      { path: "closed", type: "directory", mode: 0o555 },
      { path: "closed/a", content: "a of base" },
    ]);
    const id = await add(onBase, [
      { path: "closed/a", content: "a of top" },
      { path: "closed/b", content: "b" },
    ]);
    await render(id);
    assert.equal(await readFile(join(rootfs, "closed/a"), "utf8"), "a of top");
    assert.equal((await stat(join(rootfs, "closed"))).mode & 0o7777, 0o555);
  });

  it("ACE-7: keeps names of one file together when the one with the content is filtered out", async (t) => {
    const { rootfs, add, render } = await setUp(t);
    const id = await add({ name: "example.com/web", whitelist: ["/b", "/c"] }, [
      { path: "a", content: "content" },
      { path: "b", type: "link", target: "a" },
      { path: "c", type: "link", target: "a" },
    ]);
    await render(id);
    assert.equal(await readFile(join(rootfs, "c"), "utf8"), "content");
    assert.equal((await stat(join(rootfs, "b"))).ino, (await stat(join(rootfs, "c"))).ino);
    await assert.rejects(stat(join(rootfs, "a")));
  });

  it("refuses an archive that is another image than the index says", async (t) => {
    const { store, add, render } = await setUp(t);
    const other = await makeImage({ name: "example.com/other" }, []);
    assert.ok(other.id !== undefined);
    const real = await makeImage({ name: "example.com/base" }, [{ path: "a", content: "a" }]);
    await importReal(store, { ...real, id: other.id });
    await assert.rejects(render(other.id), fails("DIGEST_MISMATCH", /another image/));
    await add({ name: "example.com/unrelated" }, []);
  });

  it("T-D14: a broken archive of a dependency refuses the whole, whichever it is", async (t) => {
    const { store, add, render } = await setUp(t);
    const base = await importReal(
      store,
      await makeImage({ name: "example.com/base" }, [{ path: "a", content: "content" }]),
    );
    const id = await add(onBase, []);
    const path = blobPath(store, base.archive.sha512);
    const bytes = await readFile(path);
    for (const damage of [
      bytes.subarray(0, 700),
      Buffer.from(bytes.toString("latin1").replace("content", "CONTENT"), "latin1"),
      Buffer.from("no archive"),
    ]) {
      await writeFile(path, damage);
      await assert.rejects(render(id), fails("DIGEST_MISMATCH", /example\.com\/base/));
    }
  });

  it("ends when the unpacking fails or is interrupted", async (t) => {
    const { store, add, render } = await setUp(t);
    const id = await add({ name: "example.com/base" }, [{ path: "a", content: "x".repeat(3_000_000) }]);
    await assert.rejects(render(id, { signal: AbortSignal.abort() }), fails("INTERRUPTED"));
    const nowhere = renderLayersInto(storedArchives(store), planTree(store, id).layers, join(store.root, "none"), {
      log: silentLog,
    });
    await assert.rejects(nowhere);
  });
});
