import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { defaultTarLimits } from "../../src/tar/limits.ts";
import { globalRecords, resolveEntry, withMeta } from "../../src/tar/resolve.ts";
import { fails } from "../helpers/failures.ts";
import { memberBytes, type RawMember } from "../helpers/tar-bytes.ts";

const block = (member: RawMember): Buffer => memberBytes({ name: "f", ...member }).subarray(0, 512);
const pax = (...records: readonly (readonly [string, string])[]) => ({
  pax: new Map(records.map(([key, value]) => [key, Buffer.from(value)])),
});
const resolve = (member: RawMember, ...records: readonly (readonly [string, string])[]) =>
  resolveEntry(block(member), records.length === 0 ? {} : pax(...records), new Map(), defaultTarLimits);

describe("resolveEntry", () => {
  it("N14: every extended field wins over the header", () => {
    const entry = resolve(
      { name: "header", uid: 1, gid: 2, mtime: 3, size: 4 },
      ["path", "pax"],
      ["uid", "10"],
      ["gid", "20"],
      ["mtime", "30.5"],
      ["size", "40"],
    );
    assert.deepEqual(
      [String(entry.path), entry.uid, entry.gid, entry.mtime.seconds, entry.mtime.nanoseconds, entry.size],
      ["pax", 10, 20, 30n, 500_000_000, 40],
    );
  });
  it("N14: a header field that PAX overrides may be anything", () => {
    assert.equal(resolve({ raw: { uid: "garbage\0" } }, ["uid", "7"]).uid, 7);
  });
  it("the type bits that some writers add to a mode are left out", () => {
    assert.equal(resolve({ mode: 0o104755 }).mode, 0o4755);
  });
  it("a link target belongs to links only", () => {
    assert.equal(resolve({ link: "x" }).link.length, 0);
    assert.equal(String(resolve({ type: "2", link: "../x/" }).link), "../x/");
    assert.equal(String(resolve({ type: "1", link: "./x//y" }).link), "x/y");
  });
  it("a symlink without target is refused", () =>
    assert.throws(() => resolve({ type: "2" }), fails("ARCHIVE_INVALID")));
  it("devices have numbers, others have none", () => {
    assert.deepEqual(resolve({ type: "3", major: 4, minor: 64 }).device, { major: 4, minor: 64 });
    assert.equal(resolve({ major: 4, minor: 64 }).device, undefined);
  });
  it("a sparse file is a file, by the name its map gives it", () => {
    assert.equal(resolve({ name: "big", type: "S" }).type, "file");
    assert.equal(String(resolve({ name: "GNUSparseFile.1/big" }, ["GNU.sparse.name", "big"]).path), "big");
  });
  it("attributes without a class or a name are refused", () => {
    for (const name of ["", "user", "user.", ".x", `user.${"x".repeat(251)}`]) {
      assert.throws(() => resolve({}, [`SCHILY.xattr.${name}`, "x"]), fails("ARCHIVE_INVALID"), name);
    }
  });
  it("more than 256 attributes are refused", () => {
    const many = Array.from({ length: 257 }, (_, index) => [`SCHILY.xattr.user.a${index}`, ""] as const);
    assert.equal(resolve({}, ...many.slice(1)).xattrs.length, 256);
    assert.throws(() => resolve({}, ...many), fails("LIMIT_EXCEEDED"));
  });
});

describe("withMeta (N15, N16, N26)", () => {
  const header = (type: string): Buffer => block({ type });
  const path = Buffer.from("12 path=abc\n");

  it("puts headers of different kinds together", () => {
    const meta = withMeta(withMeta({}, header("x"), Buffer.from("9 uid=12\n")), header("L"), Buffer.from("long\0"));
    assert.equal(String(meta.pax?.get("uid")), "12");
    assert.equal(String(meta.longName), "long");
  });
  it("refuses two of one kind, and two that name the entry", () => {
    assert.throws(() => withMeta(withMeta({}, header("x"), path), header("x"), path), fails("ARCHIVE_INVALID"));
    const long = Buffer.from("long\0");
    assert.throws(() => withMeta(withMeta({}, header("L"), long), header("L"), long), fails("ARCHIVE_INVALID"));
    assert.throws(() => withMeta(withMeta({}, header("x"), path), header("L"), long), fails("ARCHIVE_INVALID"));
    assert.throws(() => withMeta(withMeta({}, header("L"), long), header("x"), path), fails("ARCHIVE_INVALID"));
  });
  it("refuses bytes behind the end of a long name", () => {
    assert.throws(() => withMeta({}, header("L"), Buffer.from("a\0b\0")), fails("ARCHIVE_INVALID"));
  });
});

describe("globalRecords (N22)", () => {
  it("takes comments and times, as git archive writes", () => {
    assert.deepEqual([...globalRecords(Buffer.from("13 comment=x\n")).keys()], ["comment"]);
  });
  for (const key of ["path", "size", "linkpath", "uid", "gid", "SCHILY.xattr.user.a", "GNU.sparse.major", "other"]) {
    it(`refuses ${key}`, () => {
      const length = key.length + 6;
      const record = length > 9 ? `${length} ${key}=1\n` : `${length - 1} ${key}=1\n`;
      assert.throws(() => globalRecords(Buffer.from(record)), fails("ARCHIVE_INVALID", new RegExp(key)));
    });
  }
});
