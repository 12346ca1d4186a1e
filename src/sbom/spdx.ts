/** An inventory as SPDX 2.3 JSON. Deterministic: no random namespace, no time but the image's own. */
import { sha512 } from "../base/digest.ts";
import {
  contentUuid,
  type DependencyImage,
  type DocumentOptions,
  oneLine,
  person,
  type Subject,
  timeText,
  webAddress,
  wellFormed,
} from "./document.ts";
import { type Licence, licenceOf } from "./licence.ts";
import type { Distribution, FoundPackage } from "./package.ts";
import { purlOf } from "./purl.ts";

const unknown = "NOASSERTION";
const [documentId, imageId, systemId] = ["SPDXRef-DOCUMENT", "SPDXRef-Image", "SPDXRef-OperatingSystem"];

/** What SPDX wants said of every package, also when nothing is known. */
const common = {
  downloadLocation: unknown,
  filesAnalyzed: false,
  licenseConcluded: unknown,
  licenseDeclared: unknown,
  copyrightText: unknown,
} as const;

export function spdxDocument({ subject, inventory, toolVersion }: DocumentOptions): object {
  const { distribution, packages, problems } = inventory;
  const licences = new Map(packages.map((found) => [found, licenceOf(found.licence ?? "")]));
  const described = packages.map((found) => packageOf(found, licences.get(found)));
  const dependencies = subject.dependencies.map(dependencyOf);
  const system = distribution === undefined ? [] : [systemOf(distribution)];
  const relate = (from: string, relationshipType: string, to: string) => ({
    spdxElementId: from,
    relationshipType,
    relatedSpdxElement: to,
  });
  const content = {
    name: subject.version === undefined ? subject.name : `${subject.name}-${oneLine(subject.version)}`,
    creationInfo: {
      // The field is required; without a time of its own an image is as old as time itself here.
      created: timeText(subject.created ?? 0),
      creators: [`Tool: perigee-${toolVersion}`],
      ...(problems.length === 0 ? {} : { comment: `Not complete. ${problems.join("; ")}` }),
    },
    packages: [imageOf(subject), ...dependencies, ...system, ...described],
    relationships: [
      relate(documentId, "DESCRIBES", imageId),
      ...dependencies.map(({ SPDXID }) => relate(imageId, "DEPENDS_ON", SPDXID)),
      ...[...system, ...described].map(({ SPDXID }) => relate(imageId, "CONTAINS", SPDXID)),
    ],
    ...extracted([...licences.values()]),
  };
  return {
    spdxVersion: "SPDX-2.3",
    dataLicense: "CC0-1.0",
    SPDXID: documentId,
    documentNamespace: `https://spdx.org/spdxdocs/${encodeURIComponent(subject.name)}-${contentUuid(content)}`,
    ...content,
  };
}

function imageOf({ name, version, id }: Subject) {
  return {
    SPDXID: imageId,
    name,
    ...(version === undefined ? {} : { versionInfo: oneLine(version) }),
    ...common,
    primaryPackagePurpose: "CONTAINER",
    ...(id === undefined ? {} : { checksums: [imageChecksum(id)], comment: imageComment(id) }),
  };
}

function imageChecksum(id: string) {
  return { algorithm: "SHA512", checksumValue: id.replace(/^sha512-/, "") };
}

function imageComment(id: string): string {
  return `App Container Image ${id}: the digest is that of the uncompressed archive`;
}

function dependencyOf({ name, version, id }: DependencyImage, index: number) {
  const isWhole = id !== undefined && /^sha512-[0-9a-f]{128}$/.test(id);
  return {
    SPDXID: `SPDXRef-Dependency-${index}`,
    name,
    ...(version === undefined ? {} : { versionInfo: oneLine(version) }),
    ...common,
    primaryPackagePurpose: "CONTAINER",
    ...(isWhole ? { checksums: [imageChecksum(id)], comment: imageComment(id) } : {}),
  };
}

function systemOf({ id, version, title }: Distribution) {
  return {
    SPDXID: systemId,
    name: id,
    ...(version === undefined ? {} : { versionInfo: version }),
    ...common,
    primaryPackagePurpose: "OPERATING-SYSTEM",
    ...(title === undefined ? {} : { summary: oneLine(title) }),
  };
}

function packageOf(found: FoundPackage, licence: Licence | undefined) {
  const { type, namespace, name, version, epoch, homepage, description, supplier, sha512: digest } = found;
  const purl = purlOf(found);
  const address = webAddress(homepage);
  return {
    // Letters, digits, dots and dashes are all that an identifier may have; the digest keeps those apart that only differ in others.
    SPDXID: `SPDXRef-Package-${type}-${name.replace(/[^A-Za-z0-9.-]+/g, "-").slice(0, 64)}-${sha512(purl).slice(0, 16)}`,
    name: type === "npm" && namespace !== undefined ? `${namespace}/${name}` : name,
    versionInfo: epoch === undefined ? version : `${epoch}:${version}`,
    ...common,
    ...(supplier === undefined || supplier.trim() === "" ? {} : { supplier: supplierText(type, supplier) }),
    ...(licence === undefined ? {} : { licenseDeclared: licence.expression }),
    ...(digest === undefined ? {} : { checksums: [{ algorithm: "SHA512", checksumValue: digest }] }),
    ...(address === undefined ? {} : { homepage: address }),
    ...(description === undefined ? {} : { summary: oneLine(description) }),
    sourceInfo: sourceText(found),
    externalRefs: [{ referenceCategory: "PACKAGE-MANAGER", referenceType: "purl", referenceLocator: purl }],
  };
}

function supplierText(type: FoundPackage["type"], supplier: string): string {
  const { name, email } = person(supplier);
  return `${type === "npm" ? "Person" : "Organization"}: ${name}${email === undefined ? "" : ` (${email})`}`;
}

function sourceText({ source, places }: FoundPackage): string {
  const found = `found in ${places.join(", ")}`;
  return source === undefined ? found : `${found}; built from ${oneLine(source)}`;
}

/** What the `LicenseRef-`s stand for; each once. */
function extracted(licences: readonly (Licence | undefined)[]) {
  const texts = new Map<string, string>();
  for (const licence of licences) if (licence?.text !== undefined) texts.set(licence.expression, licence.text);
  if (texts.size === 0) return {};
  const infos = [...texts].map(([licenseId, text]) => ({
    licenseId,
    name: oneLine(text, 200),
    extractedText: wellFormed(text),
  }));
  return { hasExtractedLicensingInfos: infos.sort((a, b) => (a.licenseId < b.licenseId ? -1 : 1)) };
}
