/** The page of one image, for people: who signed it, what it is made of, how to get it. Pure; all of its content is a stranger's. */
import { humanSize } from "../base/sizes.ts";
import { annotationForms } from "../schema/annotations.ts";
import type { ImageManifest } from "../schema/image-manifest.ts";
import { linkTo, type Place, renderDocument, table } from "./document.ts";
import type { KnownFacts } from "./facts.ts";
import { type DependencyNode, dependencyTree, type GraphImage, usersOf } from "./graph.ts";
import { type Html, html, spacedFingerprint, webLink } from "./html.ts";
import * as layout from "./layout.ts";
import { getIt, machineOf, type SiteContent, type SiteImage, versionOf } from "./page.ts";

/** Of one list; a manifest may have a million entries. */
const rowLimit = 200;
/** Characters of one value, and of the manifest. */
const valueLimit = 2000;
const manifestLimit = 200_000;

export function renderImagePage(content: SiteContent, image: SiteImage, graph: readonly GraphImage[]): string {
  const { site } = content;
  const { name, file, facts } = image;
  const place = { site, file: `${file}${layout.pageSuffix}`, isBelowSite: true };
  return renderDocument({
    place,
    title: `${name} ${versionOf(image)}`,
    name,
    part: versionOf(image),
    tags: [],
    body: [
      html`<h1>${name} <small>${versionOf(image)}</small></h1>`,
      html`<p class="soft">For ${machineOf(image)}. <a href="${linkTo(place, layout.pageFile(site, name))}">All versions</a></p>`,
      summary(image),
      ...getIt(site, image),
      ...signatureSection(place, image),
      ...(facts === undefined ? [] : factSections(place, image, facts, graph)),
      ...fileSection(place, image),
      ...(facts === undefined ? [] : manifestSection(facts)),
    ],
  });
}

function summary({ size, facts }: SiteImage): Html {
  const annotation = (name: string): string | undefined =>
    facts?.manifest.annotations.find((candidate) => candidate.name === name)?.value;
  const items: [string, Html][] = [];
  const add = (term: string, value: Html | undefined): void => {
    if (value !== undefined) items.push([term, value]);
  };
  const text = (value: string | undefined): Html | undefined => (value === undefined ? undefined : html`${cut(value)}`);
  const link = (value: string | undefined): Html | undefined => (value === undefined ? undefined : webLink(cut(value)));
  add("Image ID", facts && html`<span class="digits">${facts.id}</span>`);
  add(
    "Size",
    html`${humanSize(size)}${facts && `, ${facts.compression === "none" ? "not compressed" : facts.compression}`}`,
  );
  add("Unpacked", facts && html`${humanSize(facts.fileBytes)} in ${facts.entries} entries`);
  add("Created", text(annotation("created")));
  add("Authors", text(annotation("authors")));
  add("Home page", link(annotation("homepage")));
  add("Documentation", link(annotation("documentation")));
  return html`<dl>${items.map(([term, value]) => html`<dt>${term}</dt><dd>${value}</dd>`)}</dl>`;
}

function signatureSection(place: Place, { signers = [], facts }: SiteImage): readonly Html[] {
  if (signers.length === 0) return [];
  const rows = signers.map((signer) => {
    const found = facts?.signatures.find(({ fingerprint }) => fingerprint === signer);
    return [
      html`<a class="digits" href="${linkTo(place, layout.keyFile(signer))}">${spacedFingerprint(signer)}</a>`,
      html`${found?.identity}`,
      html`${found?.signedAt.replace("T", " ").replace(/(?:\.\d+)?Z$/, " UTC")}`,
    ];
  });
  return [html`<h2>Signed by</h2>`, table({ caption: "Signatures", columns: ["Fingerprint", "User", "Time"], rows })];
}

function factSections(
  place: Place,
  image: SiteImage,
  facts: KnownFacts,
  graph: readonly GraphImage[],
): readonly Html[] {
  const { labels, annotations } = facts.manifest;
  const isShownAbove = (name: string): boolean => name === "authors" || annotationForms.has(name);
  const pairs = (list: readonly { readonly name: string; readonly value: string }[]) =>
    list.map(({ name, value }) => [html`${name}`, html`${cut(value)}`]);
  const largest = facts.largest.map(({ path, size }) => [html`<code>${cut(path)}</code>`, html`${humanSize(size)}`]);
  return [
    ...appSection(facts.manifest),
    ...listed("Labels", ["Name", "Value"], pairs(labels)),
    ...listed("Annotations", ["Name", "Value"], pairs(annotations.filter(({ name }) => !isShownAbove(name)))),
    ...graphSections(place, image, graph),
    ...listed("Largest files", ["Path", "#Size"], largest),
  ];
}

/** What a pod of the image would be like. */
function appSection({ app }: ImageManifest): readonly Html[] {
  if (app === undefined) return [];
  const { exec, user, group, workingDirectory, environment, ports, mountPoints, isolators } = app;
  const row = (term: string, value: string): readonly (readonly [string, string])[] =>
    value === "" ? [] : [[term, value]];
  const rows = [
    ...row("Command", exec.length === 0 ? "" : JSON.stringify(exec)),
    ...row("User and group", `${user}:${group}`),
    ...row("Working directory", workingDirectory ?? ""),
    ...environment.map(({ name, value }) => [`Environment ${name}`, value] as const),
    ...ports.map(
      (port) =>
        [
          `Port ${port.name}`,
          `${port.port}${port.count > 1 ? `–${port.port + port.count - 1}` : ""}/${port.protocol}`,
        ] as const,
    ),
    ...mountPoints.map(
      ({ name, path, readOnly }) => [`Mount point ${name}`, `${path}${readOnly ? ", read-only" : ""}`] as const,
    ),
    ...isolators.map(({ name, value }) => [`Isolator ${name}`, JSON.stringify(value)] as const),
  ];
  return listed(
    "App",
    ["What", "Value"],
    rows.map(([term, value]) => [html`${term}`, html`<code>${cut(value)}</code>`]),
  );
}

function listed(title: string, columns: readonly string[], rows: readonly (readonly Html[])[]): readonly Html[] {
  if (rows.length === 0) return [];
  const rest = rows.length - rowLimit;
  const more = rest > 0 ? html`<p>And ${rest} more, in the manifest.</p>` : html``;
  return [html`<h2>${title}</h2>`, table({ caption: title, columns, rows: rows.slice(0, rowLimit) }), more];
}

function graphSections(place: Place, image: SiteImage, graph: readonly GraphImage[]): readonly Html[] {
  const self = graph.find(({ file }) => file === image.file);
  if (self === undefined) return [];
  const tree = dependencyTree(self, graph);
  const users = usersOf(self, graph).slice(0, rowLimit);
  return [
    ...(tree.length === 0 ? [] : [html`<h2>Made of</h2>`, treeList(place, tree, true)]),
    ...(users.length === 0
      ? []
      : [html`<h2>Part of</h2>`, html`<ul>${users.map((user) => html`<li>${imageLink(place, user)}</li>`)}</ul>`]),
  ];
}

function treeList(place: Place, nodes: readonly DependencyNode[], isTop: boolean): Html {
  const items = nodes.map(({ dependency, image, below, end }) => {
    const wanted = [
      ...dependency.labels.map(({ name, value }) => `${name}=${value}`),
      dependency.imageID?.slice(0, 19),
    ];
    const label =
      image === undefined
        ? html`${dependency.imageName} <span class="soft">(elsewhere)</span>`
        : imageLink(place, image);
    const asked = wanted.filter((word) => word !== undefined).join(", ");
    const note = end && { cycle: " – it is part of itself", limit: " – and more" }[end];
    return html`<li>${label}${asked === "" ? undefined : html` <span class="soft">wanted: ${cut(asked)}</span>`}${note}${below.length === 0 ? undefined : treeList(place, below, false)}</li>`;
  });
  return isTop ? html`<ul class="tree">${items}</ul>` : html`<ul>${items}</ul>`;
}

function imageLink(place: Place, image: GraphImage): Html {
  return html`<a href="${linkTo(place, `${image.file}${layout.pageSuffix}`)}">${image.name} ${versionOf(image)}</a>`;
}

const documentNames: Readonly<Record<string, string>> = {
  ".spdx.json": "Bill of materials, SPDX",
  ".cdx.json": "Bill of materials, CycloneDX",
};

function fileSection(place: Place, { file, signers, facts }: SiteImage): readonly Html[] {
  const files: readonly (readonly [string, string])[] = [
    ["", "Image"],
    ...(signers === undefined ? [] : [[layout.signatureSuffix, "Signature"] as const]),
    ...(facts?.documents ?? []).map((suffix) => [suffix, documentNames[suffix] ?? "Document"] as const),
    ...(facts === undefined ? [] : [[layout.factsSuffix, "What this page says, for programs"] as const]),
  ];
  const base = file.split("/").at(-1) ?? "";
  const items = files.map(
    ([suffix, what]) => html`<li>${what}: <a href="${linkTo(place, `${file}${suffix}`)}">${base}${suffix}</a></li>`,
  );
  return [html`<h2>Files</h2>`, html`<ul>${items}</ul>`];
}

function manifestSection({ manifestText }: KnownFacts): readonly Html[] {
  const text = manifestText.length > manifestLimit ? `${manifestText.slice(0, manifestLimit)}\n…` : manifestText;
  return [
    html`<h2>Manifest</h2>`,
    html`<details><summary>Show the image manifest</summary><pre><code>${text}</code></pre></details>`,
  ];
}

function cut(text: string): string {
  return text.length > valueLimit ? `${text.slice(0, valueLimit)}…` : text;
}
