/**
 * Writes images, signatures, keys and discovery pages into a directory that any web server can serve. Publishing again changes nothing;
 * publishing more adds to what is there. Knows nothing of OpenPGP: it is told who signed.
 */
import { stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import { Failure, printable } from "../base/failure.ts";
import { ignoreMissing, ioFailure, readIfExists } from "../base/files.ts";
import { isUnderPrefix } from "../schema/names.ts";
import { sbomKinds, sbomLinks } from "../schema/sbom-link.ts";
import { type CatalogueImage, catalogueFile, formatCatalogue, merge, readCatalogue } from "./catalogue.ts";
import * as layout from "./layout.ts";
import { renderPage } from "./page.ts";
import { type Change, placeBytes, placeImage } from "./place.ts";

const documentSuffixes: readonly string[] = sbomKinds.map((kind) => sbomLinks[kind].suffix);
const documentLimit = 128 * 1024 * 1024;

export interface ImageToPublish extends layout.ImageKey {
  /** The .aci file. */
  readonly path: string;
  /** Its armoured detached signature. */
  readonly signature: Buffer | undefined;
  /** Fingerprints of those of `keys` that made it. */
  readonly signers: readonly string[];
  /** What else lies beside it: bills of materials (SBOM-8). */
  readonly documents?: readonly { readonly suffix: string; readonly bytes: Buffer }[] | undefined;
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
  readonly images: readonly ImageToPublish[];
  readonly keys: readonly KeyToPublish[];
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
  /** Every page of the site: what a client asks for, and the file that answers. */
  readonly pages: readonly { readonly url: string; readonly file: string }[];
}

/**
 * In this order, so that whatever is linked is there: keys, images, pages, and the catalogue last. Interrupted anywhere, the next call
 * ends the work. One process at a time: the caller holds a lock.
 * @throws Failure USAGE, UNSUPPORTED, CONFIG_INVALID, NOT_FOUND, IO_FAILED, DISK_FULL
 */
export async function publishSite(options: PublishSiteOptions): Promise<PublishedSite> {
  const { directory, images, keys } = options;
  const site = layout.parseSiteUrl(options.url);
  const entries = await Promise.all(images.map(entryOf));
  const known = (await readCatalogue(directory))?.images ?? [];
  refuseSameFile(images, entries, known);
  const all = merge(known, entries);
  refuseTwoTemplates(all);
  const pages = pagesOf(site, all);

  for (const { fingerprint, armored } of keys) {
    await placeBytes(join(directory, layout.keyFile(fingerprint)), armored);
  }
  const published: PublishedImage[] = [];
  for (const [index, { path, signature, documents }] of images.entries()) {
    const entry = entries[index];
    if (entry === undefined) continue;
    const { name, version, os, arch, file } = entry;
    const change = await placeImage(path, signature, join(directory, file));
    await placeDocuments(join(directory, file), documents);
    const url = layout.fileUrl(site, file);
    published.push({ name, version, os, arch, file, url, isSigned: signature !== undefined, change });
  }
  await placeLatest(directory, all);
  for (const [file, { content }] of pages) await placeBytes(join(directory, file), content);
  await placeBytes(join(directory, catalogueFile), formatCatalogue({ url: site.url, images: all }));
  return {
    directory,
    url: site.url,
    images: published,
    pages: [...pages].map(([file, { name }]) => ({ url: `https://${name}`, file })),
  };
}

async function entryOf(image: ImageToPublish): Promise<CatalogueImage> {
  const { name, version, os, arch, path, signature, signers } = image;
  const { size } = await stat(path).catch((error: unknown) => {
    throw ioFailure(error, `cannot read ${path}`, path);
  });
  const key = { name, version, os, arch };
  return { ...key, file: layout.imageFile(key), size, signers: signature === undefined ? undefined : signers };
}

/**
 * Labels other than version, os and arch do not tell images apart, because no template has them; and `a-1` in version `2` would be
 * the same file as `a` in version `1-2`.
 */
function refuseSameFile(
  images: readonly ImageToPublish[],
  entries: readonly CatalogueImage[],
  known: readonly CatalogueImage[],
): void {
  const paths = new Map<string, string>();
  const names = new Map(known.map(({ file, name }) => [file, name]));
  for (const [index, { file, name }] of entries.entries()) {
    const path = printable(images[index]?.path ?? "");
    const other = paths.get(file);
    if (other !== undefined) {
      throw new Failure("USAGE", `${other} and ${path} would be one file of the site, ${printable(file)}`, {
        subject: name,
        hint: "images are told apart by name, version, os and arch",
      });
    }
    if ((names.get(file) ?? name) !== name) {
      throw new Failure("UNSUPPORTED", `${printable(file)} is an image of ${names.get(file)} already`, {
        subject: name,
      });
    }
    paths.set(file, path);
  }
}

/** Clients use the first template of a page that they can fill in (DISC-6), so one has to do for all images of a name. */
function refuseTwoTemplates(images: readonly CatalogueImage[]): void {
  const kinds = new Map<string, boolean>();
  for (const image of images) {
    const isForAny = layout.isForAnyMachine(image);
    if ((kinds.get(image.name) ?? isForAny) !== isForAny) {
      throw new Failure("UNSUPPORTED", `${image.name} has images with and without the labels os and arch`, {
        subject: image.name,
        hint: "give all of them both labels, or publish the others under a name of their own",
      });
    }
    kinds.set(image.name, isForAny);
  }
}

/**
 * Who names no version asks for `latest` (DISC-12): a second name of the highest version there is. It follows from what is in the site,
 * not from what was published last, so an old version published again is not what everybody gets (T-D12).
 */
async function placeLatest(directory: string, images: readonly CatalogueImage[]): Promise<void> {
  const highest = new Map<string, CatalogueImage>();
  for (const image of images) {
    const file = layout.imageFile(image, layout.latestVersion);
    const other = highest.get(file);
    if (other === undefined || isLater(image, other)) highest.set(file, image);
  }
  for (const [file, image] of highest) {
    if (images.some((other) => other.file === file)) continue;
    const signature =
      image.signers === undefined ? undefined : await readIfExists(join(directory, `${image.file}.asc`));
    await placeImage(join(directory, image.file), signature, join(directory, file), true);
    await placeDocuments(join(directory, file), await documentsOf(join(directory, image.file)));
  }
}

/** Those of `documents`, and none that belonged to what was called `target` before. */
async function placeDocuments(target: string, documents: ImageToPublish["documents"] = []): Promise<void> {
  for (const suffix of documentSuffixes) {
    const bytes = documents.find((document) => document.suffix === suffix)?.bytes;
    if (bytes === undefined) await unlink(`${target}${suffix}`).catch(ignoreMissing);
    else await placeBytes(`${target}${suffix}`, bytes);
  }
}

async function documentsOf(image: string): Promise<ImageToPublish["documents"]> {
  const found = await Promise.all(
    documentSuffixes.map(async (suffix) => ({ suffix, bytes: await readIfExists(`${image}${suffix}`, documentLimit) })),
  );
  return found.flatMap(({ suffix, bytes }) => (bytes === undefined ? [] : [{ suffix, bytes }]));
}

/** An image without a version, or with this very one, is `latest` itself. */
function isLater(image: CatalogueImage, other: CatalogueImage): boolean {
  const [one, two] = [image, other].map(({ version }) => version ?? layout.latestVersion);
  if (one === undefined || two === undefined || two === layout.latestVersion) return false;
  return one === layout.latestVersion || layout.compareVersions(one, two) > 0;
}

/** File → page, for every name and its parents. */
function pagesOf(
  site: layout.SiteAddress,
  images: readonly CatalogueImage[],
): ReadonlyMap<string, { readonly name: string; readonly content: string }> {
  const pages = new Map<string, { readonly name: string; readonly content: string }>();
  for (const name of new Set(images.flatMap((image) => layout.withParents(image.name)))) {
    const file = layout.pageFile(site, name);
    const other = pages.get(file);
    if (other !== undefined) {
      throw new Failure("UNSUPPORTED", `the pages of ${name} and ${other.name} would be one file, ${file}`, {
        subject: name,
        hint: "publish them in directories of their own",
      });
    }
    const below = images.filter((image) => isUnderPrefix(image.name, name));
    pages.set(file, { name, content: renderPage({ site, name, images: below }) });
  }
  return pages;
}
