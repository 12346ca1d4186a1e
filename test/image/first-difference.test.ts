import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { firstDifference } from "../../src/image/first-difference.ts";
import { type RawMember, tarBytes } from "../helpers/tar-bytes.ts";

async function* once(bytes: Buffer): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 1000) yield bytes.subarray(at, at + 1000);
}

const difference = (one: readonly RawMember[], other: readonly RawMember[]) =>
  firstDifference(once(tarBytes({ members: one })), once(gzipSync(tarBytes({ members: other }))));

const file: RawMember = { name: "rootfs/a", body: { repeat: "x", count: 5000 }, mtime: 5 };

describe("firstDifference", () => {
  it("is none for the same entries, however they are compressed", async () => {
    assert.equal(await difference([file], [file]), undefined);
  });
  const cases: readonly (readonly [string, RawMember, string, string])[] = [
    ["mode", { ...file, mode: 0o600 }, "644", "600"],
    ["owner", { ...file, uid: 7 }, "0:0", "7:0"],
    ["mtime", { ...file, mtime: 6 }, "5", "6"],
    ["mtime", { ...file, pax: [["mtime", "5.5"]] }, "5", "5.500000000"],
    ["size", { ...file, body: "x" }, "5000", "1"],
    ["type", { name: "rootfs/a", type: "5" }, "file", "directory"],
    ["xattrs", { ...file, pax: [["SCHILY.xattr.user.x", "1"]] }, "", "user.x=31"],
  ];
  for (const [field, other, first, second] of cases) {
    it(`names ${field}`, async () => {
      assert.deepEqual(await difference([file], [other]), { entry: "rootfs/a", field, first, second });
    });
  }
  it("names the byte of the content", async () => {
    const other = { ...file, body: `${"x".repeat(4321)}y${"x".repeat(678)}` };
    const found = await difference([file], [other]);
    assert.deepEqual([found?.field, found?.second], ["content", "7978787878787878 at byte 4321"]);
  });
  it("names the entry from which on there are others", async () => {
    assert.deepEqual(await difference([file], []), {
      entry: "rootfs/a",
      field: "order",
      first: "rootfs/a",
      second: "the end",
    });
    const found = await difference([file], [{ ...file, name: "rootfs/b" }]);
    assert.deepEqual([found?.field, found?.second], ["order", "rootfs/b"]);
  });
});
