import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { silentLog } from "../../src/base/log.ts";
import { blobPath } from "../../src/store/layout.ts";
import { readRecordSync } from "../../src/store/lookup.ts";
import { ensureTree } from "../../src/store/trees.ts";
import { perigee } from "../helpers/command.ts";
import { storedImages } from "../helpers/stored-images.ts";

describe("perigee image verify", () => {
  it("says of each what it is, names what differs and mends it", async (t) => {
    const { data, store, ids } = await storedImages(t);
    const { rootfs } = await ensureTree(store, ids.base, { log: silentLog });
    const whole = perigee(data, "image", "verify", "example.com/base", "example.com/top");
    assert.equal(whole.status, 0);
    assert.match(whole.stdout, /^example\.com\/base sha512-\w{12}: archive and tree are as they were stored\n/);
    assert.match(whole.stdout, /^example\.com\/top sha512-\w{12}: .*there is no tree\n/m);
    writeFileSync(join(rootfs, "bin/shared"), "changed");
    const left = perigee(data, "image", "verify", "--no-repair", "example.com/base");
    assert.equal(left.status, 5);
    assert.match(left.stdout, /: the tree differs\n {2}bin\/shared: content, time\n/);
    const mended = perigee(data, "image", "verify", "--format=json", ids.base);
    assert.equal(mended.status, 0);
    const [{ archive, tree, treeHash, differences, error }] = JSON.parse(mended.stdout);
    assert.deepEqual([archive, tree, error], ["same", "repaired", null]);
    assert.deepEqual(differences, [{ path: "bin/shared", why: ["content", "time"] }]);
    assert.match(treeHash, /^[0-9a-f]{128}$/);
  });

  it("ends with 5 for a damaged archive and 3 for an unknown image", async (t) => {
    const { data, store, ids, add } = await storedImages(t);
    writeFileSync(blobPath(store, readRecordSync(store, ids.base)?.archive.sha512 ?? ""), "rotten");
    const damaged = perigee(data, "image", "verify", "example.com/top");
    assert.equal(damaged.status, 5);
    assert.match(damaged.stdout, /^example\.com\/top .*: damaged\n {2}error\[DIGEST_MISMATCH\]: .*example\.com\/base/);
    const [{ archive, error }] = JSON.parse(perigee(data, "image", "verify", "--format=json", ids.base).stdout);
    assert.deepEqual([archive, error.code], ["damaged", "DIGEST_MISMATCH"]);
    assert.equal(perigee(data, "image", "verify", "example.com/none").status, 3);
    await add({ name: "example.com/alone" }, [{ path: "x" }]);
    const some = perigee(data, "image", "verify", "example.com/alone", "example.com/none");
    assert.equal(some.status, 3);
    assert.match(some.stdout, /^example\.com\/alone .*\nexample\.com\/none: not looked at\n {2}error\[NOT_FOUND\]: /);
  });
});
