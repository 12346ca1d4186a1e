import assert from "node:assert/strict";
import { it } from "node:test";
import { hasWhiteoutAbove, readName } from "../../src/oci/whiteouts.ts";
import { fails } from "../helpers/failures.ts";

it("OCI-14: what the names of a layer mean", () => {
  assert.deepEqual(readName("plain", "x"), { kind: "plain" });
  assert.deepEqual(readName(".whx", "x"), { kind: "plain" });
  assert.deepEqual(readName(".wh.a", "x"), { kind: "whiteout", name: "a" });
  assert.deepEqual(readName(".wh....", "x"), { kind: "whiteout", name: "..." });
  assert.deepEqual(readName(".wh..wh..opq", "x"), { kind: "opaque" });
  for (const name of [".wh..wh.plnk", ".wh..wh.aufs", ".wh..wh.orph", ".wh..wh..opaque"]) {
    assert.deepEqual(readName(name, "x"), { kind: "nothing" }, name);
  }
});

it("D07…D09: a whiteout of nothing, of `.` and of `..` is refused", () => {
  for (const name of [".wh.", ".wh..", ".wh..."]) {
    assert.throws(() => readName(name, `d/${name}`), fails("ARCHIVE_INVALID", /no name/), name);
  }
});

it("OCI-14: nothing lies below a whiteout", () => {
  assert.equal(hasWhiteoutAbove("a/.wh.b/c"), true);
  assert.equal(hasWhiteoutAbove("a/wh.b"), false);
});
