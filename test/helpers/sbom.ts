/** Files of an image for the tests of src/sbom, and the structure that documents must have. */
import assert from "node:assert/strict";
import type { ImageFile } from "../../src/sbom/collect.ts";
import type { DocumentOptions } from "../../src/sbom/document.ts";
import type { Distribution, FoundPackage, Inventory } from "../../src/sbom/package.ts";

/** Path → content, or the fields that differ from an empty regular file. */
export async function* imageFiles(
  files: readonly (readonly [string, string | Partial<ImageFile>])[],
): AsyncGenerator<ImageFile> {
  for (const [path, what] of files) {
    const content = Buffer.from(typeof what === "string" ? what : "");
    async function* body(): AsyncGenerator<Uint8Array> {
      // In pieces, as archives come.
      for (let at = 0; at < content.length; at += 7) yield content.subarray(at, at + 7);
    }
    const plain = {
      path: Buffer.from(path),
      type: "file",
      size: content.length,
      link: Buffer.alloc(0),
      body: body(),
    } as const;
    yield typeof what === "string" ? plain : { ...plain, ...what };
  }
}

type Json = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function objects(value: unknown, what: string): readonly Json[] {
  assert.ok(Array.isArray(value), what);
  for (const entry of value) assert.ok(isObject(entry), what);
  return value as readonly Json[];
}

function text(value: unknown, form: RegExp, what: string): string {
  assert.ok(typeof value === "string" && form.test(value), `${what}: ${JSON.stringify(value)}`);
  return value;
}

const purlForm =
  /^pkg:[a-z]+\/(?:[A-Za-z0-9._~:%-]+\/)*[A-Za-z0-9._~:%-]+@[A-Za-z0-9._~:%-]+(?:\?[a-z]+=[^&#\s]+(?:&[a-z]+=[^&#\s]+)*)?$/;
const timeForm = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/;

/** SPDX 2.3: required fields, the forms of values, identifiers that are unique, relationships and licences that lead somewhere. */
export function assertSpdx(document: unknown): void {
  assert.ok(isObject(document));
  assert.deepEqual(
    [document["spdxVersion"], document["dataLicense"], document["SPDXID"]],
    ["SPDX-2.3", "CC0-1.0", "SPDXRef-DOCUMENT"],
  );
  text(document["name"], /./, "name");
  text(document["documentNamespace"], /^https:\/\/[^#\s]+$/, "documentNamespace");
  const info = document["creationInfo"];
  assert.ok(isObject(info));
  text(info["created"], timeForm, "created");
  assert.ok(Array.isArray(info["creators"]) && info["creators"].length > 0);
  for (const creator of info["creators"]) text(creator, /^(?:Person|Organization|Tool): ./, "creator");
  const extracted = objects(document["hasExtractedLicensingInfos"] ?? [], "licences").map((licence) => {
    text(licence["extractedText"], /./, "extractedText");
    return text(licence["licenseId"], /^LicenseRef-[A-Za-z0-9.-]+$/, "licenseId");
  });
  assert.equal(new Set(extracted).size, extracted.length);
  const packages = objects(document["packages"], "packages");
  for (const found of packages) assertSpdxPackage(found, extracted);
  const ids = ["SPDXRef-DOCUMENT", ...packages.map((found) => String(found["SPDXID"]))];
  assert.equal(new Set(ids).size, ids.length, "identifiers are unique");
  const relationships = objects(document["relationships"], "relationships");
  for (const { spdxElementId, relationshipType, relatedSpdxElement } of relationships) {
    assert.ok(
      ids.includes(String(spdxElementId)) && ids.includes(String(relatedSpdxElement)),
      "relationships lead somewhere",
    );
    text(relationshipType, /^(?:DESCRIBES|CONTAINS|DEPENDS_ON)$/, "relationshipType");
  }
  assert.equal(relationships.filter(({ relationshipType }) => relationshipType === "DESCRIBES").length, 1);
  const reached = relationships.map(({ relatedSpdxElement }) => relatedSpdxElement);
  for (const id of ids.slice(1)) assert.ok(reached.includes(id), `${id} belongs to something`);
}

function assertSpdxPackage(found: Json, extracted: readonly string[]): void {
  text(found["SPDXID"], /^SPDXRef-[A-Za-z0-9.-]+$/, "SPDXID");
  text(found["name"], /^.+$/, "name");
  text(found["downloadLocation"], /./, "downloadLocation");
  assert.equal(found["filesAnalyzed"], false);
  text(found["copyrightText"], /./, "copyrightText");
  text(found["licenseConcluded"], /./, "licenseConcluded");
  const declared = text(found["licenseDeclared"], /^[A-Za-z0-9.()+ -]+$/, "licenseDeclared");
  for (const word of declared.match(/LicenseRef-[A-Za-z0-9.-]+/g) ?? []) assert.ok(extracted.includes(word), word);
  if ("supplier" in found) text(found["supplier"], /^(?:Person|Organization): [^\n]+$/, "supplier");
  if ("homepage" in found) assert.ok(URL.canParse(String(found["homepage"])));
  if ("versionInfo" in found) text(found["versionInfo"], /^.+$/, "versionInfo");
  for (const { algorithm, checksumValue } of objects(found["checksums"] ?? [], "checksums")) {
    assert.equal(algorithm, "SHA512");
    text(checksumValue, /^[0-9a-f]{128}$/, "checksumValue");
  }
  for (const reference of objects(found["externalRefs"] ?? [], "externalRefs")) {
    assert.deepEqual([reference["referenceCategory"], reference["referenceType"]], ["PACKAGE-MANAGER", "purl"]);
    text(reference["referenceLocator"], purlForm, "purl");
  }
}

/** CycloneDX 1.6: required fields, the forms of values, references that are unique and lead somewhere. */
export function assertCyclonedx(document: unknown): void {
  assert.ok(isObject(document));
  assert.deepEqual([document["bomFormat"], document["specVersion"], document["version"]], ["CycloneDX", "1.6", 1]);
  text(
    document["serialNumber"],
    /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/,
    "serialNumber",
  );
  const metadata = document["metadata"];
  assert.ok(isObject(metadata) && isObject(metadata["component"]));
  if ("timestamp" in metadata) text(metadata["timestamp"], timeForm, "timestamp");
  const components = objects(document["components"], "components");
  const references = [metadata["component"], ...components].map((component) => {
    text(component["type"], /^(?:container|operating-system|library)$/, "type");
    text(component["name"], /./, "name");
    if ("purl" in component) text(component["purl"], purlForm, "purl");
    for (const { alg, content } of objects(component["hashes"] ?? [], "hashes")) {
      assert.equal(alg, "SHA-512");
      text(content, /^[0-9a-f]{128}$/, "hash");
    }
    assertLicences(component["licenses"]);
    for (const { url } of objects(component["externalReferences"] ?? [], "references"))
      assert.ok(URL.canParse(String(url)));
    return text(component["bom-ref"], /./, "bom-ref");
  });
  assert.equal(new Set(references).size, references.length, "references are unique");
  const dependencies = objects(document["dependencies"], "dependencies");
  assert.deepEqual(dependencies.map(({ ref }) => ref).sort(), [...references].sort());
  for (const { dependsOn = [] } of dependencies) {
    assert.ok(Array.isArray(dependsOn) && dependsOn.every((reference) => references.includes(reference)));
  }
}

/** One expression alone, or licences that have either an identifier or a name. */
function assertLicences(value: unknown): void {
  const licences = objects(value ?? [], "licenses");
  if (licences.some((licence) => "expression" in licence)) assert.equal(licences.length, 1);
  for (const { license, expression } of licences) {
    assert.ok((license === undefined) !== (expression === undefined));
    if (isObject(license)) assert.ok("id" in license !== "name" in license);
  }
}

interface Changes {
  readonly id?: string | undefined;
  readonly created?: number | undefined;
  readonly packages?: Inventory["packages"];
  readonly distribution?: Distribution | undefined;
  readonly problems?: readonly string[];
}

/** An image with one of everything that a document can say, hostile text among it. */
export function everything(changes: Changes = {}): DocumentOptions {
  const packages: readonly FoundPackage[] = [
    {
      type: "deb",
      namespace: "debian",
      name: "a+b",
      version: "1:2",
      architecture: "amd64",
      licence: "GPL-2+ or MIT",
      source: "ab 1:2",
      supplier: "A <a@example.com>",
      homepage: "https://example.com/a",
      description: "x\u001b\n\ud800",
      places: ["var/lib/dpkg/status"],
    },
    {
      type: "deb",
      namespace: "debian",
      name: "a-b",
      version: "1:2",
      architecture: "amd64",
      licence: "custom\nwords",
      places: ["var/lib/dpkg/status"],
    },
    {
      type: "rpm",
      name: "r",
      version: "1-2",
      epoch: 3,
      licence: "MIT",
      homepage: "javascript:x",
      supplier: " ",
      places: ["x"],
    },
    {
      type: "npm",
      namespace: "@s",
      name: "n",
      version: "1.0.0",
      sha512: "c".repeat(128),
      supplier: "N",
      licence: "custom\nwords",
      places: ["y", "z"],
    },
  ];
  return {
    subject: {
      name: "example.com/web",
      version: "1.0",
      created: undefined,
      id: `sha512-${"a".repeat(128)}`,
      dependencies: [
        { name: "example.com/base", version: "2", id: `sha512-${"d".repeat(128)}` },
        { name: "example.com/base", id: "sha512-dddddddd" },
      ],
      ...("id" in changes ? { id: changes.id } : {}),
      ...("created" in changes ? { created: changes.created } : {}),
    },
    inventory: {
      packages: changes.packages ?? packages,
      distribution:
        "distribution" in changes ? changes.distribution : { id: "debian", version: "12", title: "Debian\n12" },
      problems: changes.problems ?? ["x is not read"],
    },
    toolVersion: "0.1.0",
  };
}
