import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ACIdentifier } from "../../src/schema/names.ts";
import { linkedSbom, sbomKinds, sbomLinks, sbomPath } from "../../src/schema/sbom-link.ts";

describe("the link between an image and its bill of materials (SBOM-7)", () => {
  it("is an annotation with a digest, and nothing else is one", () => {
    const digest = "a".repeat(128);
    const [name, value] = ["perigee/sbom-spdx", `sha512-${digest}`];
    assert.equal(linkedSbom([{ name: ACIdentifier.parse(name), value }], "spdx"), digest);
    assert.equal(linkedSbom([{ name: ACIdentifier.parse(name), value }], "cyclonedx"), undefined);
    for (const wrong of ["", digest, `sha512-${digest}0`, `sha512-${"A".repeat(128)}`, `sha256-${digest}`]) {
      assert.equal(linkedSbom([{ name: ACIdentifier.parse(name), value: wrong }], "spdx"), undefined, wrong);
    }
  });
  it("has names that a manifest may hold, and files beside the image", () => {
    for (const kind of sbomKinds) assert.ok(ACIdentifier.safeParse(sbomLinks[kind].annotation).success);
    assert.deepEqual(
      sbomKinds.map((kind) => sbomPath("a.aci", kind)),
      ["a.aci.spdx.json", "a.aci.cdx.json"],
    );
  });
});
