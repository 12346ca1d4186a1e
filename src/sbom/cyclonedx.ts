/** An inventory as CycloneDX 1.6 JSON. Deterministic: the serial number follows from the content. */
import {
  contentUuid,
  type DependencyImage,
  type DocumentOptions,
  oneLine,
  person,
  type Subject,
  timeText,
  webAddress,
} from "./document.ts";
import { licenceOf } from "./licence.ts";
import type { Distribution, FoundPackage } from "./package.ts";
import { purlOf } from "./purl.ts";

export function cyclonedxDocument({ subject, inventory, toolVersion }: DocumentOptions): object {
  const { distribution, packages, problems } = inventory;
  const image = imageOf(subject);
  const dependencies = subject.dependencies.map((dependency, index) => dependencyOf(dependency, index));
  const components = [
    ...dependencies,
    ...(distribution === undefined ? [] : [systemOf(distribution)]),
    ...packages.map(packageOf),
  ];
  const content = {
    metadata: {
      ...(subject.created === undefined ? {} : { timestamp: timeText(subject.created) }),
      tools: { components: [{ type: "application", name: "perigee", version: toolVersion }] },
      component: image,
      ...(problems.length === 0 ? {} : { properties: problems.map((value) => ({ name: "perigee:problem", value })) }),
    },
    components,
    dependencies: [
      { ref: image["bom-ref"], dependsOn: components.map((component) => component["bom-ref"]) },
      ...components.map((component) => ({ ref: component["bom-ref"] })),
    ],
    // With a problem somebody may rely on the list less; without one it still knows nothing of what no package manager wrote down.
    compositions: [{ aggregate: problems.length === 0 ? "unknown" : "incomplete", assemblies: [image["bom-ref"]] }],
  };
  return {
    $schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    serialNumber: `urn:uuid:${contentUuid(content)}`,
    version: 1,
    ...content,
  };
}

function imageOf({ name, version, id }: Subject) {
  return {
    type: "container",
    "bom-ref": "image",
    name,
    ...(version === undefined ? {} : { version: oneLine(version) }),
    ...(id === undefined ? {} : { hashes: [hashOf(id)], properties: [{ name: "perigee:imageID", value: id }] }),
  };
}

function hashOf(id: string) {
  return { alg: "SHA-512", content: id.replace(/^sha512-/, "") };
}

function dependencyOf({ name, version, id }: DependencyImage, index: number) {
  return {
    type: "container",
    "bom-ref": `dependency-${index}`,
    name,
    ...(version === undefined ? {} : { version: oneLine(version) }),
    ...(id !== undefined && /^sha512-[0-9a-f]{128}$/.test(id) ? { hashes: [hashOf(id)] } : {}),
  };
}

function systemOf({ id, version, title }: Distribution) {
  return {
    type: "operating-system",
    "bom-ref": "operating-system",
    name: id,
    ...(version === undefined ? {} : { version }),
    ...(title === undefined ? {} : { description: oneLine(title) }),
  };
}

function packageOf(found: FoundPackage) {
  const { type, namespace, name, version, epoch, source, places, sha512, supplier, homepage, description } = found;
  const purl = purlOf(found);
  const address = webAddress(homepage);
  return {
    type: "library",
    "bom-ref": purl,
    ...(supplier === undefined || supplier.trim() === "" ? {} : { supplier: supplierOf(supplier) }),
    ...(type === "npm" && namespace !== undefined ? { group: namespace } : {}),
    name,
    version: epoch === undefined ? version : `${epoch}:${version}`,
    ...(description === undefined ? {} : { description: oneLine(description) }),
    ...(sha512 === undefined ? {} : { hashes: [{ alg: "SHA-512", content: sha512 }] }),
    ...licencesOf(found),
    purl,
    ...(address === undefined ? {} : { externalReferences: [{ type: "website", url: address }] }),
    ...(source === undefined ? {} : { properties: [{ name: "perigee:source", value: oneLine(source) }] }),
    evidence: { occurrences: places.map((location) => ({ location })) },
  };
}

function supplierOf(supplier: string) {
  const { name, email } = person(supplier);
  return { name, ...(email === undefined ? {} : { contact: [{ email }] }) };
}

/** An expression where it is one; the package's own words otherwise. */
function licencesOf({ licence: words }: FoundPackage) {
  const licence = licenceOf(words ?? "");
  if (licence === undefined) return {};
  const { expression, text } = licence;
  if (text !== undefined) return { licenses: [{ license: { name: oneLine(text) } }] };
  return { licenses: [/\s/.test(expression) ? { expression } : { license: { id: expression } }] };
}
