/** A tree copied with its owners shifted, for kernels that cannot idmap an overlay and for pods that want no overlay. */
import { type PackEntry, pack } from "../shim/pack.ts";
import type { TarMember } from "../tar/entry.ts";
import { unpackMembers } from "./extract.ts";

/**
 * Copies the tree `source` into the existing empty directory `target`; every owner is `shift` higher. Nothing is synced.
 * @throws Failure SHIM_FAILED, DISK_FULL
 */
export async function copyTree(source: string, target: string, shift: number, signal?: AbortSignal): Promise<void> {
  await unpackMembers(shifted(pack(source, { signal }), shift), target, { owner: true, devices: true, signal });
}

async function* shifted(entries: AsyncIterable<PackEntry>, shift: number): AsyncGenerator<TarMember> {
  for await (const entry of entries) {
    yield { ...entry, size: Number(entry.size), uid: entry.uid + shift, gid: entry.gid + shift };
  }
}
