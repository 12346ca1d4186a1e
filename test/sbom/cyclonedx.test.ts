import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { cyclonedxDocument } from "../../src/sbom/cyclonedx.ts";
import { assertCyclonedx, everything } from "../helpers/sbom.ts";

const make = (changes: Parameters<typeof everything>[0] = {}) =>
  JSON.parse(JSON.stringify(cyclonedxDocument(everything(changes))));

const identity = (document: Record<string, unknown>) => document["serialNumber"];

describe("cyclonedxDocument (SBOM-4, SBOM-5, SBOM-6)", () => {
  it("has the structure that the specification asks for, also when nothing is known", () => {
    assertCyclonedx(make());
    assertCyclonedx(make({ packages: [], distribution: undefined, problems: [] }));
  });
  it("is the same for the same image, and another for another", () => {
    assert.deepEqual(make(), make());
    assert.notDeepEqual(identity(make()), identity(make({ id: `sha512-${"b".repeat(128)}` })));
    assert.notDeepEqual(identity(make()), identity(make({ created: 5 })));
  });
  it("names the image, what it contains and what it needs", () => {
    const { metadata, components, dependencies, compositions } = make();
    assert.deepEqual(
      [metadata.component.name, metadata.component.hashes[0].content],
      ["example.com/web", "a".repeat(128)],
    );
    assert.deepEqual(metadata.component.properties, [{ name: "perigee:imageID", value: `sha512-${"a".repeat(128)}` }]);
    assert.equal(components.length, 2 + 1 + 4);
    assert.equal(dependencies[0].dependsOn.length, components.length);
    assert.equal(metadata.timestamp, undefined);
    assert.equal(make({ created: 1 }).metadata.timestamp, "1970-01-01T00:00:01Z");
    assert.equal(compositions[0].aggregate, "incomplete");
    assert.equal(make({ problems: [] }).compositions[0].aggregate, "unknown");
  });
  it("says of packages what is known", () => {
    const [deb, other, rpm, npm] = make().components.slice(3);
    assert.deepEqual(deb.licenses, [{ expression: "GPL-2.0-or-later OR MIT" }]);
    assert.deepEqual(deb.supplier, { name: "A", contact: [{ email: "a@example.com" }] });
    assert.deepEqual(other.licenses, [{ license: { name: "custom words" } }]);
    assert.deepEqual([rpm.licenses, rpm.version], [[{ license: { id: "MIT" } }], "3:1-2"]);
    assert.deepEqual(
      [npm.group, npm.name, npm.evidence.occurrences],
      ["@s", "n", [{ location: "y" }, { location: "z" }]],
    );
  });
});
