import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Volume } from "../../src/schema/volume.ts";

describe("Volume (POD-11…14)", () => {
  it("POD-14: an empty one has defaults", () => {
    assert.deepEqual(Volume.parse({ name: "v", kind: "empty" }), {
      name: "v",
      kind: "empty",
      mode: "0755",
      uid: 0,
      gid: 0,
    });
  });
  it("POD-12: fields of the other kind are named", () => {
    const { error } = Volume.safeParse({ name: "v", kind: "host", source: "/srv", uid: 1 });
    assert.match(error?.message ?? "", /POD-12: a host volume has no uid/);
  });
  it("fields of nobody are ignored", () => {
    assert.ok(Volume.safeParse({ name: "v", kind: "host", source: "/srv", color: "red" }).success);
  });
});
