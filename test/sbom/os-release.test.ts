import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { distributionName, parseOsRelease } from "../../src/sbom/os-release.ts";

const parse = (text: string) => parseOsRelease(Buffer.from(text));

describe("parseOsRelease", () => {
  it("reads the quotes that a shell would", () => {
    const text = '# c\nNAME="A \\"B\\""\nID=debian\nVERSION_ID=\'12\'\n BAD LINE\nPRETTY_NAME="A 12"';
    assert.deepEqual(parse(text), { id: "debian", version: "12", title: "A 12" });
  });
  it("has no version where there is none, or none in its form", () => {
    assert.deepEqual(parse("ID=arch\nNAME=Arch"), { id: "arch", version: undefined, title: "Arch" });
    assert.equal(parse('ID=x\nVERSION_ID="1 2"')?.version, undefined);
  });
  it("is nothing without an ID in its form", () => {
    for (const text of ["", "NAME=x", "ID=", "ID=../x", "ID=A", `ID=${"a".repeat(65)}`, "ID=$(x)"]) {
      assert.equal(parse(text), undefined, text);
    }
  });
});

describe("distributionName", () => {
  it("is ID-VERSION, or the ID", () => {
    assert.equal(distributionName({ id: "debian", version: "12" }), "debian-12");
    assert.equal(distributionName({ id: "arch" }), "arch");
  });
});
