/** OCI image layouts (OCI-20): `index.json`, and blobs by their digest. In a directory or in a tar, which is not known here. */
import { basename } from "node:path";
import { excerpt, Failure, printable } from "../base/failure.ts";
import { parseStrictJson } from "../schema/strict-json.ts";
import type { Digest } from "./digest.ts";
import { type Descriptor, documentLimit, fieldsOf, type IndexEntry, invalid, parseDocument } from "./documents.ts";
import { type FileSet, readSmall } from "./files.ts";
import { choosePlatform } from "./platform.ts";
import type { LocalReference } from "./reference.ts";
import { collect, type OciSource } from "./source.ts";
import { digestOf } from "./verified.ts";

const nameAnnotation = "org.opencontainers.image.ref.name";

/** Whether it says that it is one. @throws Failure IMAGE_INVALID for a version that is not known */
export async function isLayout(files: FileSet, shown: string): Promise<boolean> {
  const bytes = await readSmall(files, "oci-layout", documentLimit);
  if (bytes === undefined) return false;
  const { imageLayoutVersion: version } = fieldsOf(parseStrictJson(bytes, `${shown}: oci-layout`), shown);
  if (version === "1.0.0") return true;
  throw invalid(shown, `its layout has the version ${excerpt(String(version))}; 1.0.0 is known`);
}

/** @throws Failure NOT_FOUND for what is no layout */
export async function openLayout(files: FileSet, reference: LocalReference): Promise<OciSource> {
  const shown = printable(reference.path);
  if (!(await isLayout(files, shown))) {
    throw new Failure("NOT_FOUND", `${shown} is no OCI image layout`, {
      subject: reference.path,
      cause: "it has no file oci-layout",
    });
  }
  const open = (blob: Pick<Descriptor, "digest">) => files.open(blobName(blob.digest));
  const entries = await readEntries(files, shown);
  return {
    imageName: imageNameOf(reference),
    tag: tagOf(reference, entries),
    root: async (host) => {
      const { digest } = reference;
      if (digest !== undefined) {
        return { bytes: await collect(open({ digest }), documentLimit, shown), mediaType: undefined };
      }
      const chosen = choosePlatform(chooseNamed(entries, reference), host, shown);
      const bytes = await collect(open(chosen), documentLimit, shown);
      requireSame(bytes, chosen, shown);
      return { bytes, mediaType: chosen.mediaType === "" ? undefined : chosen.mediaType };
    },
    open,
    close: () => files.close(),
  };
}

function requireSame(bytes: Buffer, { digest, size }: Descriptor, shown: string): void {
  const actual = digestOf(bytes, digest[3] === "2" ? "sha256" : "sha512");
  if (actual === digest && bytes.length === size) return;
  throw new Failure("DIGEST_MISMATCH", `the manifest in ${shown} is not the one that its index names`, {
    subject: digest,
    cause: `expected ${digest} with ${size} bytes, got ${actual} with ${bytes.length}`,
  });
}

async function readEntries(files: FileSet, shown: string): Promise<readonly IndexEntry[]> {
  const bytes = await readSmall(files, "index.json", documentLimit);
  if (bytes === undefined) throw invalid(shown, "it has no index.json");
  const document = parseDocument(bytes, `${shown}: index.json`);
  if (document.kind !== "index") throw invalid(shown, "its index.json is no index");
  return document.entries;
}

/** The digest was checked: it is hex, and so the name stays below blobs/. */
function blobName(digest: Digest): string {
  return `blobs/${digest.replace(":", "/")}`;
}

/** Those of the name that was asked for; without one the only image there is. @throws Failure NOT_FOUND, AMBIGUOUS */
function chooseNamed(entries: readonly IndexEntry[], { tag, path }: LocalReference): readonly IndexEntry[] {
  const names = [...new Set(entries.flatMap(({ annotations }) => annotations.get(nameAnnotation) ?? []))];
  const shown = printable(path);
  const list = names.slice(0, 20).map(excerpt).join(", ");
  if (tag !== undefined) {
    const named = entries.filter(({ annotations }) => annotations.get(nameAnnotation) === tag);
    if (named.length > 0) return named;
    throw new Failure("NOT_FOUND", `${shown} has no image ${excerpt(tag)}`, {
      subject: path,
      cause: list === "" ? "its images have no names" : `it has ${list}`,
    });
  }
  if (entries.length === 0) throw new Failure("NOT_FOUND", `${shown} has no image`, { subject: path });
  if (names.length <= 1) return entries;
  throw new Failure("AMBIGUOUS", `${shown} has several images`, {
    subject: path,
    cause: `it has ${list}`,
    hint: `name one of them, as in ${shown}:${printable(names[0] ?? "TAG")}`,
  });
}

/** A layout has no name of its own but that of its place, unless the one inside is a whole image name. */
function imageNameOf({ path, tag }: LocalReference): string {
  const named = /^(.*\/[^:/]+|[^:/]+):[^:/]+$/.exec(tag ?? "")?.[1];
  return named ?? basename(path).replace(/\.(?:tar|oci|ociarchive)$/, "");
}

function tagOf({ tag }: LocalReference, entries: readonly IndexEntry[]): string | undefined {
  const name = tag ?? (entries.length === 1 ? entries[0]?.annotations.get(nameAnnotation) : undefined);
  return name === undefined ? undefined : (/:([^:/]+)$/.exec(name)?.[1] ?? name);
}
