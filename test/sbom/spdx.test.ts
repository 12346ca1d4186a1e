import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { spdxDocument } from "../../src/sbom/spdx.ts";
import { assertSpdx, everything } from "../helpers/sbom.ts";

const make = (changes: Parameters<typeof everything>[0] = {}) =>
  JSON.parse(JSON.stringify(spdxDocument(everything(changes))));

const identity = (document: Record<string, unknown>) => document["documentNamespace"];

describe("spdxDocument (SBOM-4, SBOM-5, SBOM-6)", () => {
  it("has the structure that the specification asks for, also when nothing is known", () => {
    assertSpdx(make());
    assertSpdx(make({ packages: [], distribution: undefined, problems: [] }));
  });
  it("is the same for the same image, and another for another", () => {
    assert.deepEqual(make(), make());
    assert.notDeepEqual(identity(make()), identity(make({ id: `sha512-${"b".repeat(128)}` })));
    assert.notDeepEqual(identity(make()), identity(make({ created: 5 })));
  });
  it("names the image, what it contains and what it needs", () => {
    const { packages, relationships, name, creationInfo } = make();
    assert.equal(name, "example.com/web-1.0");
    assert.deepEqual(packages[0].checksums, [{ algorithm: "SHA512", checksumValue: "a".repeat(128) }]);
    assert.match(packages[0].comment, /sha512-aaaa/);
    assert.equal(relationships.length, 1 + 2 + 1 + 4);
    assert.equal(creationInfo.created, "1970-01-01T00:00:00Z");
    assert.equal(make({ created: 1 }).creationInfo.created, "1970-01-01T00:00:01Z");
    assert.match(creationInfo.comment, /^Not complete\. x is not read$/);
  });
  it("says of packages what is known", () => {
    const [deb, , rpm, npm] = make().packages.slice(4);
    assert.deepEqual(
      [deb.licenseDeclared, deb.supplier, deb.homepage],
      ["GPL-2.0-or-later OR MIT", "Organization: A (a@example.com)", "https://example.com/a"],
    );
    assert.equal(deb.sourceInfo, "found in var/lib/dpkg/status; built from ab 1:2");
    assert.deepEqual([rpm.versionInfo, rpm.homepage, rpm.supplier], ["3:1-2", undefined, undefined]);
    assert.deepEqual([npm.name, npm.supplier, npm.checksums[0].checksumValue], ["@s/n", "Person: N", "c".repeat(128)]);
  });
  it("has words that are no licence once, as text", () => {
    const { hasExtractedLicensingInfos: texts } = make();
    assert.deepEqual([texts.length, texts[0].extractedText], [1, "custom\nwords"]);
  });
});
