import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { linkSync, mkdirSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { listImages } from "../../src/api/list-images.ts";
import { silentLog } from "../../src/base/log.ts";
import { readRecordSync } from "../../src/store/lookup.ts";
import { sizeOnDisk } from "../../src/store/size.ts";
import { ensureTree } from "../../src/store/trees.ts";
import { storedImages } from "../helpers/stored-images.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

/** What du counts: blocks, each file once. */
const du = (path: string): number =>
  Number(execFileSync("du", ["-s", "--block-size=1", path], { encoding: "utf8" }).split("\t")[0]);

describe("sizeOnDisk (SIZE-1)", () => {
  it("is what du says: hard links once, holes not, links not followed, any name", async (t) => {
    const root = await temporaryDirectory(t);
    mkdirSync(join(root, "a/b"), { recursive: true });
    writeFileSync(join(root, "a/file"), Buffer.alloc(100_000, 1));
    linkSync(join(root, "a/file"), join(root, "a/b/again"));
    writeFileSync(join(root, "hole"), "");
    truncateSync(join(root, "hole"), 1 << 30);
    symlinkSync("/usr", join(root, "away"));
    writeFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff, 0xfe])]), "x");
    execFileSync("sync", ["-f", root]);
    assert.equal(sizeOnDisk(root), du(root));
    assert.ok(sizeOnDisk(root) < 1_000_000);
  });

  it("leaves out what cannot be reached", async (t) => {
    const root = await temporaryDirectory(t);
    const name = "d".repeat(250);
    // By steps: no call takes the whole path.
    const script = `for (let i = 0; i < 20; i++) { fs.mkdirSync("${name}"); process.chdir("${name}"); }`;
    execFileSync(process.execPath, ["-e", script], { cwd: root });
    assert.ok(sizeOnDisk(root) < du(root));
    execFileSync("rm", ["-rf", join(root, name)]);
  });

  it("image list: archive and trees as they lie there, with and without dependencies", async (t) => {
    const { settings, store, ids } = await storedImages(t);
    const before = await listImages(settings);
    const { rootfs } = await ensureTree(store, ids.top, { log: silentLog });
    const images = await listImages(settings);
    const sizeOf = (list: typeof images, id: string) => list.find((image) => image.id === id);
    const base = await ensureTree(store, ids.base, { log: silentLog });
    const archive = (id: typeof ids.top) => readRecordSync(store, id)?.archive ?? { sha512: "", size: 0 };
    assert.equal(sizeOf(before, ids.top)?.size, archive(ids.top).size, "nothing of it was rendered");
    assert.equal(sizeOf(images, ids.top)?.treeSize, du(rootfs));
    assert.equal(sizeOf(images, ids.base)?.treeSize, du(base.rootfs));
    assert.equal(sizeOf(images, ids.base)?.size, archive(ids.base).size + du(base.rootfs));
  });
});
