/**
 * `IMAGE.aci.json`: what a site tells of an image beyond its name, for people's pages and for programs. Read back for the pages of images
 * that are not published anew; a file that is none is as if it were not there.
 */
import { readArchive } from "../image/archive.ts";
import { pathText } from "../image/facts.ts";
import type { ImageLimits } from "../image/limits.ts";
import { ImageManifest } from "../schema/image-manifest.ts";

/** Goes into every stamp, so that another form makes every image be read again. */
export const factsForm = "1";

export interface SignatureFacts {
  readonly fingerprint: string;
  /** The key's first user id. */
  readonly identity: string;
  /** RFC 3339. */
  readonly signedAt: string;
}

export interface ContentFacts {
  readonly id: string;
  readonly compression: string;
  /** Bytes of the uncompressed archive. */
  readonly tarSize: number;
  /** Entries below rootfs, and the bytes of its files. */
  readonly entries: number;
  readonly fileBytes: number;
  readonly largest: readonly { readonly path: string; readonly size: number }[];
  /** As it is in the image, fields that we do not know too. */
  readonly manifest: unknown;
}

export interface ImageFacts extends ContentFacts {
  /** Those by keys of the site. */
  readonly signatures: readonly SignatureFacts[];
  /** Suffixes of what lies beside the image: bills of materials. */
  readonly documents: readonly string[];
}

/** Facts with a manifest that was checked again. */
export interface KnownFacts extends Omit<ImageFacts, "manifest"> {
  readonly manifest: ImageManifest;
  readonly manifestText: string;
}

const largestCount = 10;
export const factsLimit = 16 * 1024 * 1024;

/** One pass over an image. @throws Failure as readArchive */
export async function readContentFacts(
  source: AsyncIterable<Uint8Array>,
  options: { readonly limits: ImageLimits; readonly signal?: AbortSignal | undefined },
): Promise<ContentFacts> {
  let largest: { readonly path: string; readonly size: number }[] = [];
  const summary = await readArchive(
    source,
    async (members) => {
      for await (const { type, path, size } of members) {
        if (type !== "file" || size <= (largest[largestCount - 1]?.size ?? 0)) continue;
        largest = [...largest, { path: `/${pathText(Buffer.from(path).toString("latin1"))}`, size }]
          .sort((a, b) => b.size - a.size)
          .slice(0, largestCount);
      }
    },
    options,
  );
  const { id, compression, tarSize, entries, fileBytes, manifestBytes } = summary;
  const manifest: unknown = JSON.parse(manifestBytes.toString("utf8"));
  return { id, compression, tarSize, entries, fileBytes, largest, manifest };
}

export function formatFacts(facts: ImageFacts): string {
  return `${JSON.stringify(facts, undefined, 1)}\n`;
}

/** What the pages say of an image, from its file of them. Undefined: these are none. */
export function parseFacts(text: string): KnownFacts | undefined {
  try {
    const facts: Record<keyof ImageFacts, unknown> = JSON.parse(text);
    const manifest = ImageManifest.safeParse(facts.manifest);
    if (!manifest.success || !areFacts(facts)) return undefined;
    const manifestText = JSON.stringify(facts.manifest, undefined, 2);
    return { ...facts, manifest: manifest.data, manifestText };
  } catch {
    return undefined;
  }
}

function areFacts(facts: Partial<Record<keyof ImageFacts, unknown>>): facts is ImageFacts {
  const { id, compression, tarSize, entries, fileBytes, largest, signatures, documents } = facts;
  const areNumbers = [tarSize, entries, fileBytes].every((value) => typeof value === "number");
  return (
    typeof id === "string" &&
    typeof compression === "string" &&
    areNumbers &&
    areRecords(largest, { path: "string", size: "number" }) &&
    areRecords(signatures, { fingerprint: "string", identity: "string", signedAt: "string" }) &&
    Array.isArray(documents) &&
    documents.every((suffix) => typeof suffix === "string")
  );
}

function areRecords(value: unknown, types: Readonly<Record<string, string>>): boolean {
  const isRecord = (item: unknown): boolean =>
    typeof item === "object" &&
    item !== null &&
    Object.entries(types).every(([name, type]) => typeof (item as Record<string, unknown>)[name] === type);
  return Array.isArray(value) && value.every(isRecord);
}
