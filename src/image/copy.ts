/** A tree copied with its owners shifted, for kernels that cannot idmap an overlay and for pods that want no overlay. */
import { canKeepOwners } from "../shim/caller-ids.ts";
import { type PackEntry, pack } from "../shim/pack.ts";
import type { TarMember, Xattr } from "../tar/entry.ts";
import { unpackMembers } from "./extract.ts";

/**
 * Copies the tree `source`, or what was read of one, into the existing empty directory `target`; every owner is `shift` higher. Nothing is synced.
 * @throws Failure SHIM_FAILED, DISK_FULL
 */
export async function copyTree(
  source: string | AsyncIterable<PackEntry>,
  target: string,
  shift: number,
  signal?: AbortSignal,
): Promise<void> {
  await unpackMembers(
    shifted(typeof source === "string" ? pack(source, { signal, asPodRoot: true }) : source, shift),
    target,
    {
      owner: canKeepOwners(),
      devices: true,
      signal,
    },
  );
}

export interface CopiedTree {
  /** What could not be made, `path: what`. */
  readonly skipped: readonly string[];
  /** `UID:GID` of every file of the source. */
  readonly owners: ReadonlySet<string>;
}

/**
 * As copyTree, without a shift; `owner` false gives everything to the caller, who need not be root then.
 * @throws Failure SHIM_FAILED, DISK_FULL
 */
export async function copyTreeExactly(
  source: string,
  target: string,
  { owner, signal }: { readonly owner: boolean; readonly signal?: AbortSignal | undefined },
): Promise<CopiedTree> {
  const owners = new Set<string>();
  async function* seen(): AsyncGenerator<TarMember> {
    for await (const member of shifted(pack(source, { signal }), 0)) {
      owners.add(`${member.uid}:${member.gid}`);
      yield member;
    }
  }
  const { skipped } = await unpackMembers(seen(), target, { owner, devices: owner, signal });
  return { skipped, owners };
}

async function* shifted(entries: AsyncIterable<PackEntry>, shift: number): AsyncGenerator<TarMember> {
  for await (const entry of entries) {
    yield {
      ...entry,
      size: Number(entry.size),
      uid: entry.uid + shift,
      gid: entry.gid + shift,
      xattrs: shift === 0 ? entry.xattrs : entry.xattrs.map((xattr) => shiftedCapability(xattr, shift)),
    };
  }
}

/** Bytes of struct vfs_cap_data up to revision 2; revision 3 has the host's id of its root behind them. */
const plainSize = 20;
const revision3 = 0x0300_0000;
const flagsMask = 0x00ff_ffff;

/** File capabilities count for the root they belong to: a file of the host's root would get none in the pod's user namespace. */
function shiftedCapability(xattr: Xattr, shift: number): Xattr {
  const { name, value } = xattr;
  if (name !== "security.capability" || value.length < plainSize) return xattr;
  const root = value.length >= plainSize + 4 ? value.readUInt32LE(plainSize) : 0;
  const shifted = Buffer.alloc(plainSize + 4);
  value.copy(shifted, 0, 0, plainSize);
  shifted.writeUInt32LE(((value.readUInt32LE(0) & flagsMask) | revision3) >>> 0, 0);
  shifted.writeUInt32LE(root + shift, plainSize);
  return { name, value: shifted };
}
