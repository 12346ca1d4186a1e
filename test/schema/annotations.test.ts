import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Annotations } from "../../src/schema/annotations.ts";

describe("Annotations (ACI-50, TYPE-8, TYPE-10)", () => {
  const accepts = (name: string, value: string) => Annotations.safeParse([{ name, value }]).success;

  it("T-R43: keys that sound like orders are data", () => {
    assert.ok(accepts("os/linux/seccomp-retain-set", "*"));
    assert.ok(accepts("appc.io/executor/supports-systemd-notify", "true"));
  });
  it("TYPE-8: created has a T and a zone", () => {
    assert.ok(accepts("created", "2024-02-29T00:00:00Z"));
    assert.ok(!accepts("created", "2024-02-29 00:00:00Z"));
    assert.ok(!accepts("created", "2024-02-29T00:00:00"));
  });
  it("TYPE-10: homepage and documentation are web addresses", () => {
    assert.ok(accepts("homepage", "http://example.com"));
    assert.ok(!accepts("documentation", "//example.com"));
    assert.ok(!accepts("homepage", "file:///etc/passwd"));
  });
});
