/** Unpacks an image while it is read. The files are made by perigee-shim from our own canonical tar, never from foreign bytes. */
import { unpack } from "../shim/unpack.ts";
import { type MemberStream, showPath } from "../tar/entry.ts";
import { expandMembers } from "../tar/members.ts";
import { writeTar } from "../tar/write.ts";
import { type ArchiveOptions, type ArchiveSummary, readArchive } from "./archive.ts";
import { onGround } from "./ground.ts";

export interface UnpackMembersOptions {
  /** False: files belong to the caller. */
  readonly owner: boolean;
  /** Device nodes are made; without it they are left out and listed (D01). */
  readonly devices?: boolean | undefined;
  /** Character devices 0:0 are made, which hide files of the layers below (D06); no image may have one. */
  readonly whiteouts?: boolean | undefined;
  /** Durable at return. */
  readonly sync?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

export type ExtractOptions = ArchiveOptions & UnpackMembersOptions;

/** Lines of `skipped` about what the archive could not say in our form; the shim bounds its own. */
const mostDropped = 1000;

/**
 * One pass: as readArchive, and the rootfs is unpacked by perigee-shim into the existing empty directory `directory` (the root of the tree itself).
 * The end of the stream reaches the shim only after every check of the bytes has passed; the manifest's schema may still
 * refuse the image afterwards, so a caller unpacks into staging.
 * @returns with `skipped`: what is not in the tree, `path: what`
 * @throws Failure as readArchive; SHIM_FAILED, DISK_FULL
 */
export async function extractArchive(
  source: AsyncIterable<Uint8Array>,
  directory: string,
  options: ExtractOptions,
): Promise<ArchiveSummary & { readonly skipped: readonly string[] }> {
  let skipped: readonly string[] = [];
  const summary = await readArchive(
    source,
    async (members) => {
      ({ skipped } = await unpackMembers(members, directory, options));
    },
    options,
  );
  return { ...summary, skipped };
}

/**
 * Unpacks members, of one archive or of several in a row, into the existing empty directory `directory`. Directories on the way
 * that no member describes are made with mode 0755, owner 0 and time 0.
 * @returns what is not in the tree, `path: what`
 * @throws Failure SHIM_FAILED, DISK_FULL; whatever `members` throws
 */
export async function unpackMembers(
  members: MemberStream,
  directory: string,
  options: UnpackMembersOptions,
): Promise<{ readonly skipped: readonly string[] }> {
  const dropped: string[] = [];
  const { owner, devices = false, whiteouts = false, sync = false, signal } = options;
  const { skipped } = await unpack(writeTar(onGround(noting(members, dropped)), { sparse: true }), directory, {
    owner,
    devices,
    whiteouts,
    sync,
    signal,
  });
  return { skipped: [...dropped, ...skipped] };
}

function noting(members: MemberStream, dropped: string[]): MemberStream {
  return expandMembers(members, (member) => {
    for (const what of member.dropped ?? []) {
      if (dropped.length < mostDropped) dropped.push(`${showPath(member.path)}: ${what}`);
    }
    return member;
  });
}
