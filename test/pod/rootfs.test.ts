import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { makeRoot, planRoot } from "../../src/pod/rootfs.ts";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), `perigee-rootfs-${process.pid}-`));
  mkdirSync(join(directory, "tree"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe("planRoot", () => {
  const table = [
    [
      "a user namespace and idmapped mounts: an overlay, idmapped",
      { idBase: 65536, canIdmap: true, overlay: true },
      "overlay",
      true,
    ],
    [
      "a user namespace without idmapped mounts: a copy",
      { idBase: 65536, canIdmap: false, overlay: true },
      "directory",
      false,
    ],
    ["no user namespace: an overlay as it is", { idBase: undefined, canIdmap: false, overlay: true }, "overlay", false],
    ["--no-overlay: a copy", { idBase: 65536, canIdmap: true, overlay: false }, "directory", false],
  ] as const;
  for (const [why, options, kind, idmap] of table) {
    it(why, () => {
      const root = planRoot("web", "/trees/t", options);
      assert.deepEqual([root.kind, root.idmap], [kind, idmap]);
    });
  }
});

describe("makeRoot", () => {
  it("the upper directory has the mode of the tree's root and belongs to the pod's root", () => {
    const tree = join(directory, "tree");
    chmodSync(tree, 0o1751);
    const root = planRoot("web", tree, { idBase: 0x7000_0000, canIdmap: true, overlay: true });
    makeRoot(directory, "web", root, tree, 0x7000_0000);
    const stat = statSync(join(directory, "apps", "web", "upper"));
    assert.deepEqual([stat.mode & 0o7777, stat.uid, stat.gid], [0o1751, 0x7000_0000, 0x7000_0000]);
    assert.equal(statSync(join(directory, "apps", "web")).mode & 0o777, 0o700);
  });
});
