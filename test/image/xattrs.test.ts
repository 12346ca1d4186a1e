import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isImageXattr } from "../../src/image/xattrs.ts";

describe("isImageXattr (X01…X07)", () => {
  for (const name of [
    "user.a",
    "user.overlayed",
    "security.capability",
    "system.posix_acl_access",
    "system.posix_acl_default",
  ]) {
    it(`${name} belongs to an image`, () => assert.ok(isImageXattr(name)));
  }
  for (const name of [
    "trusted.overlay.opaque",
    "user.overlay.redirect",
    "trusted.a",
    "security.selinux",
    "security.ima",
    "system.nfs4_acl",
  ]) {
    it(`${name} does not`, () => assert.ok(!isImageXattr(name)));
  }
});
