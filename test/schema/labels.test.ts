import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { hostArch, Labels, labelValue } from "../../src/schema/labels.ts";

describe("hostArch (TYPE-16)", () => {
  for (const [node, appc] of [
    ["x64", "amd64"],
    ["arm64", "aarch64"],
    ["ia32", "i386"],
    ["arm", "armv7l"],
    ["ppc64", "ppc64le"],
    ["s390x", "s390x"],
    ["riscv64", "riscv64"],
  ] as const) {
    it(`${node} is ${appc}`, () => assert.equal(hostArch(node), appc));
  }

  it("gives words that labels accept (ACI-28)", () => {
    for (const node of ["x64", "arm64", "ia32", "arm", "ppc64", "s390x"]) {
      const labels = [
        { name: "os", value: "linux" },
        { name: "arch", value: hostArch(node) },
      ];
      assert.ok(Labels.safeParse(labels).success, node);
    }
  });
});

describe("labelValue", () => {
  const labels = Labels.parse([{ name: "version", value: "1" }]);
  it("is the value of that name", () => assert.equal(labelValue(labels, "version"), "1"));
  it("is undefined for another", () => assert.equal(labelValue(labels, "os"), undefined));
});
