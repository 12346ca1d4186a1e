import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { hostArch } from "../../src/schema/grammar.ts";
import { Labels, labelValue } from "../../src/schema/labels.ts";

describe("Labels", () => {
  it("ACI-28: take the words of hostArch", () => {
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
