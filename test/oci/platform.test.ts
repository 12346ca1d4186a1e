import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { appcArch, choosePlatform, hostPlatform, showPlatform } from "../../src/oci/platform.ts";
import { fails } from "../helpers/failures.ts";

const of = (text: string) => {
  const [os = "", architecture = "", variant] = text.split("/");
  return { platform: { os, architecture, variant } };
};

describe("OCI-6: the image for this machine", () => {
  const cases: readonly (readonly [string, readonly string[], string])[] = [
    ["linux/amd64", ["linux/arm64", "linux/amd64"], "linux/amd64"],
    ["linux/amd64", ["windows/amd64", "linux/amd64"], "linux/amd64"],
    ["linux/amd64", ["unknown/unknown", "linux/amd64"], "linux/amd64"],
    ["linux/arm64/v8", ["linux/arm64", "linux/arm64/v8"], "linux/arm64/v8"],
    ["linux/arm64/v8", ["linux/arm/v7", "linux/arm64"], "linux/arm64"],
    ["linux/arm/v7", ["linux/arm/v5", "linux/arm/v6", "linux/arm64"], "linux/arm/v6"],
    ["linux/amd64", ["linux/amd64/v3", "linux/amd64"], "linux/amd64"],
  ];
  for (const [host, offered, expected] of cases) {
    it(`${host} of ${offered.join(" ")}`, () => {
      assert.equal(showPlatform(choosePlatform(offered.map(of), of(host).platform, "x").platform), expected);
    });
  }
  for (const offered of [["linux/s390x"], ["linux/amd64/v3"], ["freebsd/amd64"], []]) {
    it(`none of ${offered.join(" ") || "nothing"} for linux/amd64: refused, with what there is`, () => {
      const choose = () => choosePlatform(offered.map(of), of("linux/amd64").platform, "x");
      assert.throws(choose, fails("NOT_FOUND", /not made for linux\/amd64/, { hint: /digest/ }));
    });
  }
  it("one that does not say what it is for is taken when it is alone", () => {
    const unsaid = { platform: undefined };
    assert.equal(choosePlatform([unsaid], of("linux/amd64").platform, "x"), unsaid);
    assert.throws(() => choosePlatform([unsaid, unsaid], of("linux/amd64").platform, "x"), fails("NOT_FOUND"));
  });
  it("the words of Node for machines", () => {
    assert.equal(showPlatform(hostPlatform("x64")), "linux/amd64");
    assert.equal(showPlatform(hostPlatform("arm64")), "linux/arm64/v8");
    assert.equal(showPlatform(hostPlatform("riscv64")), "linux/riscv64");
  });
});

it("OCI-30: the variant is not lost in the label arch", () => {
  const arch = (text: string) => appcArch(of(text).platform);
  assert.deepEqual(
    ["linux/amd64", "linux/386", "linux/arm64/v8", "linux/arm/v6", "linux/arm/v7", "linux/arm", "linux/riscv64"].map(
      arch,
    ),
    ["amd64", "i386", "aarch64", "armv6l", "armv7l", "armv7l", undefined],
  );
});
