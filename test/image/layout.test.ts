/** The verdicts are vectors (spec/vectors/tar); here are the limits and what finish() says. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { belowRootfs, layoutChecker } from "../../src/image/layout.ts";
import { manifestLimit } from "../../src/schema/grammar.ts";
import type { EntryType, TarMember } from "../../src/tar/entry.ts";
import { fails } from "../helpers/failures.ts";
import { chunks } from "../helpers/tar-bytes.ts";
import { tarEntry } from "../helpers/tar-entry.ts";

function member(path: string, type: EntryType = "file", fields: Partial<TarMember> = {}): TarMember {
  return { ...tarEntry({ path: Buffer.from(path), type }), body: chunks(Buffer.alloc(0)), ...fields };
}

describe("layoutChecker (ACI-2, ACI-3)", () => {
  it("says where entries belong", () => {
    const layout = layoutChecker();
    assert.equal(layout.place(member(".", "directory")), "root");
    assert.equal(layout.place(member("manifest")), "manifest");
    assert.equal(layout.place(member("rootfs", "directory")), "rootfs");
    assert.equal(layout.place(member("rootfs/a/b")), "rootfs");
    layout.finish();
  });
  it("ACI-2: the root of the archive stands once, too", () => {
    const layout = layoutChecker();
    layout.place(member(".", "directory"));
    assert.throws(() => layout.place(member(".", "directory")), fails("IMAGE_INVALID", /twice/));
  });
  it("A05: a manifest of the limit, and of one byte more", () => {
    assert.equal(layoutChecker().place(member("manifest", "file", { size: manifestLimit })), "manifest");
    const larger = member("manifest", "file", { size: manifestLimit + 1 });
    assert.throws(() => layoutChecker().place(larger), fails("LIMIT_EXCEEDED", /4194305/));
  });
  it("A01: no manifest, with what an image is", () => {
    const layout = layoutChecker();
    layout.place(member("rootfs", "directory"));
    assert.throws(() => layout.finish(), fails("IMAGE_INVALID", /no manifest/, { hint: /perigee build/ }));
  });
  it("ACI-3: no rootfs", () => {
    const layout = layoutChecker();
    layout.place(member("manifest"));
    assert.throws(() => layout.finish(), fails("IMAGE_INVALID", /rootfs/));
  });
  it("D06: a whiteout of overlay, but not the block device of its number", () => {
    const layout = layoutChecker();
    const device = { major: 0, minor: 0 };
    layout.place(member("rootfs/b", "block", { device }));
    assert.throws(() => layout.place(member("rootfs/c", "character", { device })), fails("IMAGE_INVALID", /0:0/));
  });
  it("T-R47: names are shown escaped", () => {
    assert.throws(() => layoutChecker().place(member("\u001b[2J")), fails("IMAGE_INVALID", /^\\x1b\[2J: /));
  });
});

describe("belowRootfs", () => {
  const shown = ({ path, link }: TarMember) => [String(path), String(link)];
  it("takes rootfs off paths and off the targets of hard links", () => {
    assert.deepEqual(shown(belowRootfs(member("rootfs", "directory"))), [".", ""]);
    assert.deepEqual(shown(belowRootfs(member("rootfs/a/b"))), ["a/b", ""]);
    const hard = member("rootfs/h", "hardlink", { link: Buffer.from("rootfs/a") });
    assert.deepEqual(shown(belowRootfs(hard)), ["h", "a"]);
  });
  it("leaves the targets of symlinks alone", () => {
    const soft = member("rootfs/s", "symlink", { link: Buffer.from("rootfs/a") });
    assert.deepEqual(shown(belowRootfs(soft)), ["s", "rootfs/a"]);
  });
});

describe("layoutChecker: directories that no entry describes", () => {
  it("counts them: a short archive cannot imply millions", () => {
    const layout = layoutChecker();
    const deep = "/d".repeat(1000);
    layout.place(member("rootfs", "directory"));
    assert.throws(
      () => {
        for (let index = 0; index < 3000; index += 1) layout.place(member(`rootfs/${index}${deep}/f`));
      },
      fails("LIMIT_EXCEEDED", /2500000 paths/),
    );
  });
});
