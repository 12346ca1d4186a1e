/** The members of an image in their canonical order: `manifest` first, so that a reader of a stream meets it early, then the tree. */
import type { Log } from "../base/log.ts";
import type { PackEntry } from "../shim/pack.ts";
import type { TarMember, Timestamp, Xattr } from "../tar/entry.ts";
import { normalisePath } from "../tar/path.ts";
import { boundsChecker } from "./bounds.ts";
import { layoutChecker } from "./layout.ts";
import { defaultImageLimits, type ImageLimits } from "./limits.ts";
import { isImageXattr } from "./xattrs.ts";

export interface MemberOptions {
  readonly manifest: Buffer;
  readonly ownerRoot: boolean;
  readonly sourceDateEpoch?: number | undefined;
  /** Of its readers (ACI-12). */
  readonly limits?: ImageLimits | undefined;
  readonly log: Log;
}

interface BoundedOptions extends MemberOptions {
  readonly limits: ImageLimits;
}

const manifestPath = Buffer.from("manifest");
const rootfsPath = Buffer.from("rootfs");
const rootfsPrefix = Buffer.from("rootfs/");
const none = Buffer.alloc(0);

/**
 * `entries` as members below `rootfs/`, behind the manifest; what the reader would refuse is refused here already.
 * @throws Failure IMAGE_INVALID, LIMIT_EXCEEDED
 */
export async function* imageMembers(
  entries: AsyncIterable<PackEntry>,
  options: MemberOptions,
): AsyncGenerator<TarMember> {
  const layout = layoutChecker();
  const limits = options.limits ?? defaultImageLimits;
  const bounded = { ...options, limits };
  const check = boundsChecker(limits);
  const leftOut = new Map<string, number>();
  const first = manifestMember(options);
  layout.place(first);
  check(first);
  yield first;
  for await (const entry of entries) {
    const member = rootfsMember(entry, bounded, leftOut);
    layout.place(member);
    check(member);
    yield member;
  }
  layout.finish();
  for (const [name, count] of leftOut) options.log.warn(`left out the attribute ${name} of ${count} files`);
}

function manifestMember({ manifest, sourceDateEpoch = 0 }: MemberOptions): TarMember {
  return {
    path: manifestPath,
    type: "file",
    mode: 0o644,
    uid: 0,
    gid: 0,
    mtime: { seconds: BigInt(sourceDateEpoch), nanoseconds: 0 },
    size: manifest.length,
    link: none,
    xattrs: [],
    body: once(manifest),
  };
}

function rootfsMember(entry: PackEntry, options: BoundedOptions, leftOut: Map<string, number>): TarMember {
  return {
    path: inRootfs(entry.path, options.limits),
    type: entry.type,
    mode: entry.mode,
    uid: options.ownerRoot ? 0 : entry.uid,
    gid: options.ownerRoot ? 0 : entry.gid,
    mtime: clamped(entry.mtime, options.sourceDateEpoch),
    size: Number(entry.size),
    link: entry.type === "hardlink" ? inRootfs(entry.link, options.limits) : entry.link,
    xattrs: entry.xattrs.length === 0 ? entry.xattrs : entry.xattrs.filter((xattr) => isKept(xattr, leftOut)),
    device: entry.device,
    body: entry.body,
  };
}

function isKept({ name }: Xattr, leftOut: Map<string, number>): boolean {
  const isImage = isImageXattr(name);
  if (!isImage) leftOut.set(name, (leftOut.get(name) ?? 0) + 1);
  return isImage;
}

function inRootfs(path: Buffer, limits: ImageLimits): Buffer {
  if (path.length === 1 && path[0] === 0x2e) return rootfsPath;
  const joined = Buffer.allocUnsafe(rootfsPrefix.length + path.length);
  joined.set(rootfsPrefix);
  joined.set(path, rootfsPrefix.length);
  return normalisePath(joined, limits);
}

/** SOURCE_DATE_EPOCH is the latest time an image may show: what was touched by the build itself gets it. */
function clamped(time: Timestamp, epoch: number | undefined): Timestamp {
  if (epoch === undefined) return time;
  const latest = BigInt(epoch);
  return time.seconds >= latest ? { seconds: latest, nanoseconds: 0 } : time;
}

async function* once(bytes: Buffer): AsyncGenerator<Uint8Array> {
  if (bytes.length > 0) yield bytes;
}
