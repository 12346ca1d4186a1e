/**
 * Lets the bytes of stored archives flow into one directory, as render.ts decides. Every archive is hashed while it is read;
 * a wrong one is noticed before the tree gets its name.
 */
import { Failure, printable } from "../base/failure.ts";
import type { Log } from "../base/log.ts";
import { type ArchiveSummary, readArchive } from "../image/archive.ts";
import { unpackMembers } from "../image/extract.ts";
import type { ArchiveOf, LayerArchive } from "./layer-archives.ts";
import type { FilteredLayer } from "./layers.ts";
import { compileWhitelist, type EntryName, type Placement, placeEntries, type Whitelist } from "./render.ts";

type Members = Parameters<NonNullable<Parameters<typeof readArchive>[1]>>[0];
type Member = Members extends AsyncIterable<infer M> ? M : never;

interface RenderOptions {
  readonly log: Log;
  readonly signal?: AbortSignal | undefined;
  /** On the disk at return; true when absent. */
  readonly sync?: boolean | undefined;
  /** Owners are kept: for trees of the store, where the caller has ids for them. */
  readonly owner?: boolean | undefined;
  /** Device nodes are made; a tree of the store has none. */
  readonly devices?: boolean | undefined;
}

/** Lays `layers`, lowest first, into the empty directory `rootfs`. Owners are kept when we are root, or when `owner` says so. @returns what was left out */
export async function renderLayersInto(
  archiveOf: ArchiveOf,
  layers: readonly FilteredLayer[],
  rootfs: string,
  options: RenderOptions,
): Promise<readonly string[]> {
  const { log, signal, sync = true, devices = false } = options;
  const owner = options.owner ?? process.geteuid?.() === 0;
  const { skipped } = await unpackMembers(membersAlone(laidMembers(archiveOf, layers, { log, signal })), rootfs, {
    ...{ owner, sync, devices, signal },
  });
  if (skipped.length > 0) log.warn(`left out of the tree: ${skipped.map(printable).join(", ")}`);
  return skipped;
}

async function* membersAlone(laid: AsyncIterable<LaidMember>): AsyncGenerator<Member> {
  for await (const { member } of laid) yield member;
}

export interface LaidMember {
  readonly member: Member;
  /** The place of its image in `layers`. */
  readonly layer: number;
}

/** Every entry that stays, in the order in which they are laid; each archive is compared with its image ID. */
export async function* laidMembers(
  archiveOf: ArchiveOf,
  layers: readonly FilteredLayer[],
  { log, signal }: Pick<RenderOptions, "log" | "signal">,
): AsyncGenerator<LaidMember> {
  const task = `reading ${layers.length === 1 ? "the image" : `${layers.length} layers`}`;
  let done = 0;
  const compiled = new Map<readonly string[], Whitelist | undefined>();
  for (const [index, layer] of layers.entries()) {
    const archive = archiveOf(layer.id);
    // One list applies to every layer below its image, which may be thousands.
    for (const list of layer.whitelists) if (!compiled.has(list)) compiled.set(list, compileWhitelist(list));
    const whitelists = layer.whitelists.map((list) => compiled.get(list)).filter((list) => list !== undefined);
    const placements = whitelists.length > 0 ? await choosePlacements(archive, whitelists, signal) : undefined;
    for await (const member of membersOf(archive, signal)) {
      const placed = placements === undefined ? member : moved(member, placements.get(nameOf(member).path));
      done += member.size;
      log.progress({ task, done });
      if (placed !== undefined) yield { member: placed, layer: index };
    }
  }
  log.progress({ task, done, finished: true });
}

/** A look at all names first: which name of a file stays may be known only after its content has gone by. */
async function choosePlacements(
  archive: LayerArchive,
  whitelists: readonly Whitelist[],
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<string, Placement>> {
  const names: EntryName[] = [];
  for await (const member of membersOf(archive, signal)) names.push(nameOf(member));
  return placeEntries(names, whitelists);
}

function nameOf(member: Member): EntryName {
  return { path: member.path.toString("latin1"), type: member.type, link: member.link.toString("latin1") };
}

/** The member where it stays; undefined when it does not. */
function moved(member: Member, placement: Placement | undefined): Member | undefined {
  if (placement === undefined) return undefined;
  return { ...member, path: Buffer.from(placement.path, "latin1"), link: Buffer.from(placement.link, "latin1") };
}

/**
 * The members of an archive as a stream that can be joined with others. readArchive hands its members to a visitor;
 * here the visitor waits until they were taken.
 */
async function* membersOf(archive: LayerArchive, signal: AbortSignal | undefined): AsyncGenerator<Member> {
  if (archive.files !== undefined) {
    for await (const entry of archive.files(signal)) yield { ...entry, size: Number(entry.size) };
    return;
  }
  const offered = deferred<Members | undefined>();
  const taken = deferred<void>();
  const reading = readArchive(
    archive.open(),
    (members) => {
      offered.resolve(members);
      return taken.promise;
    },
    { limits: archive.limits, signal },
  );
  // An archive refused before its members came has none to offer; the refusal itself is thrown below.
  reading.catch(() => offered.resolve(undefined));
  try {
    const members = await offered.promise;
    if (members !== undefined) yield* members;
    taken.resolve();
    requireSameImage(await reading, archive);
  } finally {
    taken.reject(new Failure("INTERRUPTED", "the archive was not read to its end"));
    await reading.catch(() => {});
  }
}

function requireSameImage(summary: ArchiveSummary, { id, name }: LayerArchive): void {
  if (summary.id === id) return;
  throw new Failure("DIGEST_MISMATCH", `the archive of ${printable(name)} is another image than was expected`, {
    subject: id,
    cause: `it is ${summary.id}`,
  });
}

function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void; reject: (reason: Error) => void } {
  let resolve: (value: T) => void = () => {};
  let reject: (reason: Error) => void = () => {};
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  // Whoever waits for it sees the reason; nobody waiting is no crash.
  promise.catch(() => {});
  return { promise, resolve, reject };
}
