import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { defaultTarLimits } from "../../src/tar/limits.ts";
import { joinPath, normalisePath } from "../../src/tar/path.ts";
import { fails } from "../helpers/failures.ts";

const normal = (name: string, limits = defaultTarLimits) =>
  normalisePath(Buffer.from(name, "latin1"), limits).toString("latin1");

describe("normalisePath (P01…P17)", () => {
  for (const [name, path] of [
    ["a/b", "a/b"],
    ["./a", "a"],
    ["a//b///", "a/b"],
    ["a/./b/.", "a/b"],
    [".", "."],
    ["./", "."],
    ["...", "..."],
    ["..a/b..", "..a/b.."],
    ["a\\..\\b", "a\\..\\b"],
    ["\xff/\n", "\xff/\n"],
  ] as const) {
    it(`${JSON.stringify(name)} is ${JSON.stringify(path)}`, () => assert.equal(normal(name), path));
  }
  for (const name of ["", "/", "/a", "//a", "..", "../a", "a/..", "a/../b", "./../a", "a\0b"]) {
    it(`${JSON.stringify(name)} is refused`, () => assert.throws(() => normal(name), fails("ARCHIVE_INVALID")));
  }
  it("does not copy what is in normal form already", () => {
    const name = Buffer.from("a/b");
    assert.equal(normalisePath(name, defaultTarLimits), name);
  });

  const limits = { pathLength: 10, componentLength: 4, depth: 3 };
  for (const [what, most, more] of [
    ["bytes", "aaaa/bbbb", "aaaa/bbbb/c"],
    ["bytes of a component", "aaaa", "aaaaa"],
    ["levels", "a/b/c", "a/b/c/d"],
  ] as const) {
    it(`P12, P13, P14: ${what} up to the limit`, () => {
      assert.equal(normal(most, { ...defaultTarLimits, ...limits }), most);
      assert.throws(() => normal(more, { ...defaultTarLimits, ...limits }), fails("LIMIT_EXCEEDED"));
    });
  }
});

describe("joinPath", () => {
  it("keeps bytes", () =>
    assert.deepEqual(joinPath([Buffer.from([0xff]), Buffer.from("a")]), Buffer.from([0xff, 0x2f, 0x61])));
});
