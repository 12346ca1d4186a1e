/** Reads an image in one pass: decompress, image ID, layout, manifest. What is done with the files is the visitor's affair. */
import { Failure } from "../base/failure.ts";
import { type ImageID, imageID } from "../schema/image-id.ts";
import { ImageManifest } from "../schema/image-manifest.ts";
import { parseDocument } from "../schema/validate.ts";
import { hashingBeside } from "../shim/sha512.ts";
import type { MemberStream, TarEntry, TarMember } from "../tar/entry.ts";
import { readTar, type TarReader } from "../tar/read.ts";
import { type Compression, openCompressed } from "./compression.ts";
import { belowRootfs, type LayoutChecker, layoutChecker } from "./layout.ts";
import { defaultImageLimits, type ImageLimits } from "./limits.ts";

export interface ArchiveSummary {
  readonly id: ImageID;
  readonly manifest: ImageManifest;
  /** The bytes of the file `manifest`, as they are. */
  readonly manifestBytes: Buffer;
  /** The entry `manifest`, and where it stands in the tar. */
  readonly manifestEntry: TarEntry & Pick<TarMember, "span">;
  readonly compression: Compression;
  /** Bytes of the uncompressed tar. */
  readonly tarSize: number;
  /** Entries below rootfs, and their bytes. */
  readonly entries: number;
  readonly fileBytes: number;
}

export interface ArchiveOptions {
  readonly limits?: ImageLimits | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What one pass has gathered so far. */
interface Pass {
  readonly layout: LayoutChecker;
  manifestBytes: Buffer | undefined;
  manifestEntry: TarMember | undefined;
  entries: number;
  fileBytes: number;
  tarSize: number;
}

/** Does something with the members below rootfs. */
export type Visitor = (members: MemberStream) => Promise<void>;

/**
 * One pass over an .aci: decompress, image ID, layout rules (ACI-1…3, A01…A08), manifest schema. `visit` gets the members below rootfs with
 * their paths relative to it (`.` for rootfs itself); what it does not consume is skipped.
 * @throws Failure ARCHIVE_INVALID, IMAGE_INVALID, MANIFEST_INVALID, JSON_INVALID, LIMIT_EXCEEDED, UNSUPPORTED, INTERRUPTED
 */
export async function readArchive(
  source: AsyncIterable<Uint8Array>,
  visit?: Visitor,
  options: ArchiveOptions = {},
): Promise<ArchiveSummary> {
  const pass: Pass = {
    layout: layoutChecker(),
    manifestBytes: undefined,
    manifestEntry: undefined,
    entries: 0,
    fileBytes: 0,
    tarSize: 0,
  };
  const { compression, tar, close } = await open(source, options);
  const hashing = hashingBeside(tar);
  async function* counted(): AsyncGenerator<Uint8Array> {
    for await (const chunk of hashing.chunks) {
      pass.tarSize += chunk.length;
      yield chunk;
    }
  }
  try {
    await visitMembers(readTar(counted(), options.limits), pass, visit);
  } finally {
    await close();
  }
  pass.layout.finish();
  const { manifestBytes, manifestEntry, entries, fileBytes, tarSize } = pass;
  if (manifestBytes === undefined || manifestEntry === undefined)
    throw new Failure("INTERNAL", "the manifest was placed but not read");
  const manifest = parseDocument(ImageManifest, manifestBytes, "manifest");
  const { body: _, ...entry } = manifestEntry;
  return {
    id: imageID(hashing.digest()),
    manifest,
    manifestBytes,
    manifestEntry: entry,
    compression,
    tarSize,
    entries,
    fileBytes,
  };
}

/**
 * Only the manifest, as early as it is found; for a look at an image that is not verified yet. Bounded like readArchive.
 * @throws Failure as readArchive
 */
export async function peekManifest(
  source: AsyncIterable<Uint8Array>,
  options: ArchiveOptions = {},
): Promise<{ manifest: ImageManifest; manifestBytes: Buffer }> {
  const layout = layoutChecker();
  const { tar } = await open(source, options);
  for await (const member of readTar(tar, options.limits)) {
    if (layout.place(member) !== "manifest") continue;
    const manifestBytes = await collect(member);
    return { manifest: parseDocument(ImageManifest, manifestBytes, "manifest"), manifestBytes };
  }
  layout.finish();
  throw new Failure("INTERNAL", "the manifest was placed but not read");
}

function open(source: AsyncIterable<Uint8Array>, { limits = defaultImageLimits, signal }: ArchiveOptions) {
  return openCompressed(signal === undefined ? source : interruptible(source, signal), limits);
}

/**
 * Hands the members below rootfs to `visit` and reads on to the end when it stops early. The iterable has no `return`,
 * so that leaving its loop leaves the archive open. A damaged archive is reported as that, not as what it did to the visitor.
 */
async function visitMembers(tar: TarReader, pass: Pass, visit: Visitor | undefined): Promise<void> {
  let damage: { readonly error: unknown } | undefined;
  const damaged = (error: unknown): unknown => {
    damage = { error };
    return error;
  };
  const nextNow = (): TarMember | undefined => {
    try {
      return belowRootfsNow(tar, pass);
    } catch (error) {
      throw damaged(error);
    }
  };
  const next = async (): Promise<IteratorResult<TarMember, undefined>> => {
    try {
      const member = belowRootfsNow(tar, pass) ?? (await nextBelowRootfs(tar, pass));
      return member === undefined ? { done: true, value: undefined } : { done: false, value: member };
    } catch (error) {
      throw damaged(error);
    }
  };
  try {
    await visit?.({ nextNow, [Symbol.asyncIterator]: () => ({ next }) });
    while ((await next()).done !== true);
  } catch (error) {
    throw damage === undefined ? error : damage.error;
  } finally {
    await tar.return();
  }
}

/** The next member below rootfs, as far as members are at hand. */
function belowRootfsNow(tar: TarReader, pass: Pass): TarMember | undefined {
  for (;;) {
    const member = tar.nextNow();
    if (member === undefined) return undefined;
    const place = pass.layout.place(member);
    if (place === "rootfs") return noted(member, pass);
    // What is at hand has its whole body.
    if (place === "manifest") keepManifest(member, Buffer.from(member.body.whole ?? []), pass);
  }
}

async function nextBelowRootfs(tar: TarReader, pass: Pass): Promise<TarMember | undefined> {
  for (;;) {
    const { done, value: member } = await tar.next();
    if (done === true) return undefined;
    const place = pass.layout.place(member);
    if (place === "rootfs") return noted(member, pass);
    if (place === "manifest") keepManifest(member, await collect(member), pass);
  }
}

function keepManifest(member: TarMember, bytes: Buffer, pass: Pass): void {
  pass.manifestEntry = member;
  pass.manifestBytes = bytes;
}

function noted(member: TarMember, pass: Pass): TarMember {
  pass.entries++;
  pass.fileBytes += member.size;
  return belowRootfs(member);
}

async function collect(member: TarMember): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of member.body) pieces.push(piece);
  return Buffer.concat(pieces);
}

async function* interruptible(source: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  for await (const chunk of source) {
    if (signal.aborted) throw new Failure("INTERRUPTED", "interrupted", { cause: signal.reason });
    yield chunk;
  }
}
