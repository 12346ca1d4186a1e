/**
 * The page of a name: meta discovery in its head (DISC-1…6), for people what is called so and below it. The page of the site's own address
 * shows everything. Pure; needs no script.
 */
import { humanSize } from "../base/sizes.ts";
import { isUnderPrefix } from "../schema/names.ts";
import type { CatalogueImage } from "./catalogue.ts";
import { commandsFor, referenceTo } from "./commands.ts";
import { commandBlock, linkTo, type Place, placeOfName, renderDocument, table } from "./document.ts";
import type { KnownFacts } from "./facts.ts";
import { type Html, html, spacedFingerprint } from "./html.ts";
import * as layout from "./layout.ts";

export interface SiteImage extends CatalogueImage {
  readonly facts: KnownFacts | undefined;
}

export interface SiteContent {
  readonly site: layout.SiteAddress;
  /** By name, then file. */
  readonly images: readonly SiteImage[];
}

/** Of one page; clients read 1 MiB of it. */
const rowLimit = 1500;

/** The page that answers https://NAME. */
export function renderNamePage(content: SiteContent, name: string): string {
  const { site, images } = content;
  const answered = images.filter((image) => isUnderPrefix(image.name, name));
  const isRoot = layout.pageFile(site, name) === rootFile;
  return render(content, placeOfName(site, name), name, answered, isRoot ? images : answered);
}

export const rootFile = "index.html";

/** What the site's address answers when no name of an image leads there. */
export function renderSitePage(content: SiteContent): string {
  const place = { site: content.site, file: rootFile, isBelowSite: true };
  return render(content, place, undefined, [], content.images);
}

function render(
  { site }: SiteContent,
  place: Place,
  name: string | undefined,
  answered: readonly SiteImage[],
  shown: readonly SiteImage[],
): string {
  const own = answered.filter((image) => image.name === name);
  const others = shown.filter((image) => image.name !== name);
  const title = name ?? site.prefix;
  const versions = new Set(own.map((image) => versionOf(image))).size;
  return renderDocument({
    place,
    title,
    name,
    tags:
      name === undefined || answered.length === 0
        ? []
        : discoveryTags(site, name, own.length > 0 ? own : answered, answered),
    body: [
      html`<h1>${title}</h1>`,
      own.length > 0
        ? html`<p class="soft">${versions === 1 ? "One version" : `${versions} versions`}, newest first.</p>`
        : lead(others),
      ...(own.length > 0 ? ownImages(place, own) : []),
      ...(others.length > 0
        ? [html`<h2>${own.length > 0 ? "Below this name" : "Images"}</h2>`, nameTable(place, others)]
        : []),
      ...keySection(place, shown),
    ],
  });
}

function lead(others: readonly SiteImage[]): Html {
  if (others.length === 0) return html`<p>There are no images here.</p>`;
  const names = new Set(others.map(({ name }) => name)).size;
  const counted = (count: number, word: string): string => `${count} ${word}${count === 1 ? "" : "s"}`;
  return html`<p class="soft">${counted(others.length, "image")} of ${counted(names, "name")}.</p>`;
}

/** DISC-2, DISC-3: one template for all images that the page answers for, and every key that signed one of them. */
function discoveryTags(
  site: layout.SiteAddress,
  name: string,
  images: readonly SiteImage[],
  answered: readonly SiteImage[],
): readonly (readonly [string, string])[] {
  const signers = [...new Set(answered.flatMap((image) => image.signers ?? []))].sort();
  return [
    ["ac-discovery", `${name} ${layout.template(site, images.every(layout.isForAnyMachine))}`],
    ...signers.map((signer): readonly [string, string] => [
      "ac-discovery-pubkeys",
      `${name} ${layout.fileUrl(site, layout.keyFile(signer))}`,
    ]),
  ];
}

function ownImages(place: Place, own: readonly SiteImage[]): readonly Html[] {
  const sorted = [...own].sort((a, b) => layout.compareVersions(versionOf(b), versionOf(a)));
  const [newest] = sorted;
  if (newest === undefined) return [];
  const link = (file: string, text: string): Html => html`<a href="${linkTo(place, file)}">${text}</a>`;
  const rows = sorted
    .slice(0, rowLimit)
    .map((image) => [
      link(`${image.file}${layout.pageSuffix}`, versionOf(image)),
      html`${machineOf(image)}`,
      html`${humanSize(image.size)}`,
      html`${signerNames(image)}`,
      html`${link(image.file, "image")} ${image.signers === undefined ? undefined : link(`${image.file}${layout.signatureSuffix}`, "signature")}`,
    ]);
  const columns = ["Version", "For", "#Size", "Signed by", "Files"];
  return [
    ...getIt(place.site, newest),
    html`<h2>Versions</h2>`,
    table({ caption: "Versions, newest first", columns, rows }),
  ];
}

/** How to get an image, for people who have Perigee. */
export function getIt(site: layout.SiteAddress, image: SiteImage): readonly Html[] {
  const { name, signers, facts, file } = image;
  const reference = referenceTo(image, layout.fileUrl(site, file));
  const lines = commandsFor({ name, reference, signers: signers ?? [], isApp: facts?.manifest.app !== undefined });
  const unsigned = html`<p class="warn">It is not signed, so clients refuse it unless they are told <code>--insecure-options=image</code>.</p>`;
  const unknown = html`<p class="warn">The key that signed it is not published here: clients need it from elsewhere.</p>`;
  const warning = signers === undefined ? [unsigned] : signers.length === 0 ? [unknown] : [];
  return [html`<h2>Get it</h2>`, ...warning, ...lines.map(({ why, line }) => html`<p>${why}</p>${commandBlock(line)}`)];
}

/** One row a name: the newest version stands for it. */
function nameTable(place: Place, images: readonly SiteImage[]): Html {
  const newest = new Map<string, { image: SiteImage; count: number }>();
  for (const image of images) {
    const row = newest.get(image.name);
    const isNewer = row === undefined || layout.compareVersions(versionOf(image), versionOf(row.image)) > 0;
    newest.set(image.name, { image: isNewer ? image : row.image, count: (row?.count ?? 0) + 1 });
  }
  const all = [...newest.values()];
  const rows = all
    .slice(0, rowLimit)
    .map(({ image, count }) => [
      html`<a href="${linkTo(place, layout.pageFile(place.site, image.name))}">${image.name}</a>`,
      html`<a href="${linkTo(place, `${image.file}${layout.pageSuffix}`)}">${versionOf(image)}</a>`,
      html`${humanSize(image.size)}`,
      html`${signerNames(image)}`,
      html`${count}`,
    ]);
  const list = table({ caption: "Images by name", columns: ["Name", "Newest", "#Size", "Signed by", "#Images"], rows });
  return all.length <= rowLimit
    ? list
    : html`${list}<p>And ${all.length - rowLimit} more names, all of them in site.json.</p>`;
}

function keySection(place: Place, images: readonly SiteImage[]): readonly Html[] {
  const keys = new Map<string, { identity: string; names: Set<string> }>();
  for (const { name, signers, facts } of images) {
    for (const signer of signers ?? []) {
      const found = facts?.signatures.find(({ fingerprint }) => fingerprint === signer);
      const key = keys.get(signer) ?? { identity: "", names: new Set() };
      keys.set(signer, { identity: found?.identity ?? key.identity, names: key.names.add(name) });
    }
  }
  if (keys.size === 0) return [];
  const rows = [...keys]
    .sort()
    .map(([fingerprint, { identity, names }]) => [
      html`<a class="digits" href="${linkTo(place, layout.keyFile(fingerprint))}">${spacedFingerprint(fingerprint)}</a>`,
      html`${identity}`,
      html`${names.size}`,
    ]);
  return [
    html`<h2>Keys</h2>`,
    table({ caption: "Keys that signed images", columns: ["Fingerprint", "User", "#Names"], rows }),
  ];
}

/** Who signed it, in few words. */
export function signerNames({ signers, facts }: SiteImage): string {
  if (signers === undefined) return "nobody";
  const name = (signer: string): string =>
    facts?.signatures.find(({ fingerprint }) => fingerprint === signer)?.identity ?? signer.slice(-16).toUpperCase();
  return signers.length === 0 ? "an unknown key" : signers.map(name).join(", ");
}

export function versionOf({ version = layout.latestVersion }: Pick<SiteImage, "version">): string {
  return version;
}

/** The machine that the image is for. */
export function machineOf({ os, arch }: Pick<SiteImage, "os" | "arch">): string {
  return [os, arch].filter((label) => label !== undefined).join(" ") || "any machine";
}
