/**
 * `site.json`: what a site holds, so that the next publish knows what the last ones wrote, and serve for which hosts it answers.
 * Everything in it is public; a file of the site that is gone is left out when it is read.
 */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { Failure } from "../base/failure.ts";
import { readIfExists } from "../base/files.ts";
import { isACIdentifier } from "../schema/grammar.ts";
import { catalogueFile, type ImageKey, imageFile, parseSiteUrl } from "./layout.ts";

export interface CatalogueImage extends ImageKey {
  /** Below the site's directory. */
  readonly file: string;
  readonly size: number;
  /** Fingerprints of the published keys that signed it; undefined: there is no signature. */
  readonly signers: readonly string[] | undefined;
  /** Stamps (SITE-4) of the files it was published from and of those of the site; undefined when they tell nothing. */
  readonly source?: string | undefined;
  readonly placed?: string | undefined;
}

export interface Catalogue {
  readonly url: string;
  /** By name, then file. */
  readonly images: readonly CatalogueImage[];
}

/** Only images whose file is there. @throws Failure CONFIG_INVALID when it is damaged */
export async function readCatalogue(directory: string): Promise<Catalogue | undefined> {
  const catalogue = await readWholeCatalogue(directory);
  if (catalogue === undefined) return undefined;
  const images: CatalogueImage[] = [];
  for (const image of catalogue.images) {
    if (await isFile(join(directory, image.file))) images.push(image);
  }
  return { url: catalogue.url, images };
}

/** With images whose file somebody removed. @throws Failure CONFIG_INVALID when it is damaged */
export async function readWholeCatalogue(directory: string): Promise<Catalogue | undefined> {
  const path = join(directory, catalogueFile);
  const bytes = await readIfExists(path);
  if (bytes === undefined) return undefined;
  const catalogue = parse(bytes.toString("utf8"));
  if (catalogue === undefined) {
    throw new Failure("CONFIG_INVALID", `${path} is damaged`, {
      subject: path,
      hint: `rm ${path} and publish all images again; nothing is copied twice`,
    });
  }
  return catalogue;
}

export function formatCatalogue(catalogue: Catalogue): string {
  return `${JSON.stringify(catalogue, undefined, 1)}\n`;
}

/** `images` with `added` in their place, in the order of the file. */
export function merge(images: readonly CatalogueImage[], added: readonly CatalogueImage[]): readonly CatalogueImage[] {
  const byFile = new Map([...images, ...added].map((image) => [image.file, image]));
  return [...byFile.values()].sort((a, b) => compareText(a.name, b.name) || compareText(a.file, b.file));
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isFile() === true;
}

function parse(text: string): Catalogue | undefined {
  try {
    const { url, images }: { readonly url?: unknown; readonly images?: unknown } = JSON.parse(text);
    if (typeof url !== "string" || !Array.isArray(images)) return undefined;
    // Every reader goes on with it, and would blame the caller for what the file says.
    parseSiteUrl(url);
    const parsed = images.map(parseImage);
    return parsed.every((image) => image !== undefined) ? { url, images: parsed } : undefined;
  } catch {
    return undefined;
  }
}

/** The file is computed again and not believed: it becomes a path. */
function parseImage(value: Partial<Record<keyof CatalogueImage, unknown>>): CatalogueImage | undefined {
  const { name, version, os, arch, size, signers, source, placed } = value;
  const isText = (field: unknown): field is string | undefined => field === undefined || typeof field === "string";
  if (typeof name !== "string" || !isACIdentifier(name) || typeof size !== "number") return undefined;
  if (!isText(version) || !isText(os) || !isText(arch) || !isText(source) || !isText(placed)) return undefined;
  const key = { name, version, os, arch };
  return { ...key, file: imageFile(key), size, signers: parseSigners(signers), source, placed };
}

function parseSigners(value: unknown): readonly string[] | undefined {
  if (!Array.isArray(value)) return undefined;
  return value.filter((item) => typeof item === "string" && /^[0-9a-f]{40}$/.test(item));
}
