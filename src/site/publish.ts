/**
 * Writes images, signatures, keys and pages into a directory that any web server can serve. Publishing again changes nothing; publishing
 * more adds to what is there. Knows nothing of OpenPGP: it is told who signed.
 */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { ioFailure } from "../base/files.ts";
import {
  type Catalogue,
  type CatalogueImage,
  formatCatalogue,
  isFile,
  merge,
  readWholeCatalogue,
} from "./catalogue.ts";
import { factsLimit, formatFacts, type ImageFacts, parseFacts } from "./facts.ts";
import { Inside } from "./inside.ts";
import { latestImages } from "./latest.ts";
import * as layout from "./layout.ts";
import type { SiteContent, SiteImage } from "./page.ts";
import { companionSuffixes, filesOf, namePages, renderPages } from "./pages.ts";
import { refuseSameFile, refuseTwoTemplates } from "./refusals.ts";
import { type Change, Staging } from "./staging.ts";
import { documentSuffixes, stampOfPlaced } from "./stamp.ts";

const documentLimit = 128 * 1024 * 1024;

export interface ImageToPublish extends layout.ImageKey {
  /** The .aci file. */
  readonly path: string;
  /** Its armoured detached signature. */
  readonly signature: Buffer | undefined;
  /** Fingerprints of those of the site's keys that made it. */
  readonly signers: readonly string[];
  /** What else lies beside it: bills of materials (SBOM-8). */
  readonly documents?: readonly { readonly suffix: string; readonly bytes: Buffer }[] | undefined;
  /** For its page; a page without them says less. */
  readonly facts?: ImageFacts | undefined;
  /** SITE-4: as stampOfSource gave it before anything of it was read. */
  readonly stamp?: string | undefined;
}

/** An image that is in the site already, as its stamps tell. */
export interface KnownImage {
  readonly path: string;
  readonly known: CatalogueImage;
}

export interface KeyToPublish {
  /** 40 lower-case hex digits. */
  readonly fingerprint: string;
  readonly armored: Buffer;
}

export interface PublishSiteOptions {
  readonly directory: string;
  /** Where the directory will be served. */
  readonly url: string;
  readonly images: readonly (ImageToPublish | KnownImage)[];
  readonly keys: readonly KeyToPublish[];
  /** The site is these images and no others: what else it had goes away. */
  readonly prune?: boolean | undefined;
}

export interface PublishedImage extends layout.ImageKey {
  readonly url: string;
  /** Below the site's directory. */
  readonly file: string;
  readonly isSigned: boolean;
  readonly change: Change;
}

export interface PublishedSite {
  readonly directory: string;
  readonly url: string;
  /** Those that were given, in their order. */
  readonly images: readonly PublishedImage[];
  /** Files of images that are not in the site any more. */
  readonly removed: readonly string[];
  /** Every page that discovery asks for: its URL, and the file that answers. */
  readonly pages: readonly { readonly url: string; readonly file: string }[];
}

interface Work {
  readonly staging: Staging;
  readonly directory: string;
  readonly site: layout.SiteAddress;
}

interface Wanted {
  readonly image: ImageToPublish | KnownImage;
  readonly path: string;
  readonly entry: CatalogueImage;
}

/**
 * All is written beside the site, then comes into its place in one go (SITE-3): keys, images, pages, the catalogue; then what is no part of
 * it any more goes away. One process at a time: the caller holds a lock.
 * @throws Failure USAGE, UNSUPPORTED, CONFIG_INVALID, NOT_FOUND, IO_FAILED, DISK_FULL; the site is as it was then
 */
export async function publishSite(options: PublishSiteOptions): Promise<PublishedSite> {
  const { directory, keys, prune = false } = options;
  const site = layout.parseSiteUrl(options.url);
  const old = await readWholeCatalogue(directory);
  const kept: CatalogueImage[] = [];
  for (const image of prune ? [] : (old?.images ?? [])) if (await isFile(join(directory, image.file))) kept.push(image);
  const wanted = await Promise.all(
    options.images.map(async (image) => ({ image, path: image.path, entry: await entryOf(image) })),
  );
  refuseSameFile(wanted, kept);
  const all = merge(
    kept,
    wanted.map(({ entry }) => entry),
  );
  refuseTwoTemplates(all);
  const names = namePages(site, all);
  requireInside(directory, [
    ...filesOf(site, all),
    ...filesOfOld(old),
    ...keys.map((key) => layout.keyFile(key.fingerprint)),
  ]);

  const staging = await Staging.open(directory);
  try {
    const work = { staging, directory, site };
    for (const { fingerprint, armored } of keys) await staging.text(layout.keyFile(fingerprint), armored);
    const placed: { entry: CatalogueImage; change: Change }[] = [];
    for (const one of wanted) placed.push(await placeImage(work, one));
    const images = merge(
      kept,
      placed.map(({ entry }) => entry),
    );
    await placeLatest(work, images);
    await placePages(work, images);
    await staging.text(layout.catalogueFile, formatCatalogue({ url: site.url, images }));
    const removed = await removeOld(work, old, images);
    await staging.commit();
    return {
      directory,
      url: site.url,
      images: placed.map(({ entry, change }) => published(site, entry, change)),
      removed,
      pages: [...names].map(([file, name]) => ({ url: `https://${name}`, file })),
    };
  } finally {
    await staging.close();
  }
}

function requireInside(directory: string, files: readonly string[]): void {
  const inside = new Inside(directory);
  for (const file of files) inside.require(file);
}

function published(site: layout.SiteAddress, entry: CatalogueImage, change: Change): PublishedImage {
  const { name, version, os, arch, file, signers } = entry;
  return { name, version, os, arch, file, url: layout.fileUrl(site, file), isSigned: signers !== undefined, change };
}

async function entryOf(image: ImageToPublish | KnownImage): Promise<CatalogueImage> {
  if ("known" in image) return image.known;
  const { name, version, os, arch, path, signature, signers } = image;
  const { size } = await stat(path).catch((error: unknown) => {
    throw ioFailure(error, `cannot read ${path}`, path);
  });
  const key = { name, version, os, arch };
  return { ...key, file: layout.imageFile(key), size, signers: signature === undefined ? undefined : signers };
}

/** The image and what lies beside it; the entry with the stamps of what was put there. */
async function placeImage(
  { staging }: Work,
  { image, entry }: Wanted,
): Promise<{ entry: CatalogueImage; change: Change }> {
  if ("known" in image) return { entry, change: "unchanged" };
  const { file } = entry;
  const companions = companionSuffixes.map((suffix) => `${file}${suffix}`);
  const content = await staging.copy(file, image.path, companions);
  const signed = await placeText(staging, `${file}${layout.signatureSuffix}`, image.signature);
  await placeDocuments(staging, file, image.documents);
  await placeText(staging, `${file}${layout.factsSuffix}`, image.facts && formatFacts(image.facts));
  const change = content === "unchanged" && signed !== "unchanged" ? "replaced" : content;
  return { entry: { ...entry, source: image.stamp, placed: await stampOfPlaced(placedPaths(staging, file)) }, change };
}

/** What the stamp of an image of the site is of. */
function placedPaths(staging: Staging, file: string): readonly (string | undefined)[] {
  return ["", ...companionSuffixes, layout.factsSuffix].map((suffix) => staging.path(`${file}${suffix}`));
}

/** Whether the files of the image in the site are those that the catalogue's stamp was of. */
export async function isPlaced(directory: string, { file, placed }: CatalogueImage): Promise<boolean> {
  const paths = ["", ...companionSuffixes, layout.factsSuffix].map((suffix) => join(directory, `${file}${suffix}`));
  return placed !== undefined && placed === (await stampOfPlaced(paths));
}

/** Undefined: it is not to be there. */
async function placeText(staging: Staging, file: string, bytes: Buffer | string | undefined): Promise<Change> {
  if (bytes !== undefined) return await staging.text(file, bytes);
  return (await staging.remove(file)) ? "replaced" : "unchanged";
}

/** Those of `documents`, and none that belonged to what was called `file` before. */
async function placeDocuments(
  staging: Staging,
  file: string,
  documents: ImageToPublish["documents"] = [],
): Promise<void> {
  for (const suffix of documentSuffixes) {
    await placeText(staging, `${file}${suffix}`, documents.find((document) => document.suffix === suffix)?.bytes);
  }
}

async function placeLatest({ staging }: Work, images: readonly CatalogueImage[]): Promise<void> {
  for (const [file, image] of latestImages(images)) {
    const beside = (suffix: string): Promise<Buffer | undefined> =>
      staging.read(`${image.file}${suffix}`, documentLimit);
    await staging.alias(
      file,
      image.file,
      companionSuffixes.map((suffix) => `${file}${suffix}`),
    );
    for (const suffix of companionSuffixes) await placeText(staging, `${file}${suffix}`, await beside(suffix));
  }
}

async function placePages({ staging, site }: Work, images: readonly CatalogueImage[]): Promise<void> {
  const known: SiteImage[] = [];
  for (const image of images) {
    const bytes = await staging.read(`${image.file}${layout.factsSuffix}`, factsLimit).catch(() => undefined);
    known.push({ ...image, facts: bytes && parseFacts(bytes.toString("utf8")) });
  }
  const content: SiteContent = { site, images: known };
  for (const [file, text] of renderPages(content)) await staging.text(file, text);
}

/** Takes away what the last catalogue's site was made of and this one is not. Returns the images among it. */
async function removeOld(
  { staging, site }: Work,
  old: Catalogue | undefined,
  images: readonly CatalogueImage[],
): Promise<readonly string[]> {
  if (old === undefined) return [];
  const here = filesOf(site, images);
  const gone = filesOfOld(old).filter((file) => !here.has(file));
  const isImage = new Set(old.images.map(({ file }) => file));
  const removed: string[] = [];
  for (const file of gone) if ((await staging.remove(file)) && isImage.has(file)) removed.push(file);
  return removed;
}

/** What the site is made of that the last catalogue tells of. */
function filesOfOld(old: Catalogue | undefined): readonly string[] {
  return old === undefined ? [] : [...filesOf(layout.parseSiteUrl(old.url), old.images)];
}
