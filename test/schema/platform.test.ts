import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Labels } from "../../src/schema/labels.ts";
import { hostArch, withHostLabels } from "../../src/schema/platform.ts";

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

describe("withHostLabels", () => {
  it("adds os and arch where they are not given, and nothing else", () => {
    assert.deepEqual(withHostLabels([]), [
      { name: "os", value: "linux" },
      { name: "arch", value: hostArch(process.arch) },
    ]);
    const given = [
      { name: "arch", value: "s390x" },
      { name: "version", value: "1" },
    ];
    assert.deepEqual(withHostLabels(given), [...given, { name: "os", value: "linux" }]);
  });
});
