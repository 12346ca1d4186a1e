/** Layers → the entries of one tree, in the order of perigee-shim pack: what an overlay of them would show, without mounting one. */
import { createReadStream } from "node:fs";
import { type PackEntry, pack } from "../shim/pack.ts";
import { comparePaths, partsOf, placeOf, type Stack } from "./stack.ts";

/** Hard links are entries of one layer: what carries their content may be hidden by a higher one. */
interface Walk {
  readonly rootfs: string;
  readonly entries: AsyncGenerator<PackEntry>;
  entry: PackEntry | undefined;
  path: string;
  /** Everything below it is hidden by a higher layer. */
  hidden: string | undefined;
  /** Paths whose entry was hidden → the path that has the content now. */
  readonly moved: Map<string, { readonly entry: PackEntry; carrier: string | undefined }>;
}

export interface MergeOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called for each path that is hidden by a whiteout. */
  readonly onRemoved?: ((path: string) => void) | undefined;
}

/** `stack` lowest first. @throws Failure as pack */
export async function* mergeLayers(stack: Stack, { signal, onRemoved }: MergeOptions = {}): AsyncGenerator<PackEntry> {
  const walks = stack.toReversed().map(({ rootfs }): Walk => {
    const entries = pack(rootfs, { signal, asPodRoot: true });
    return { rootfs, entries, entry: undefined, path: "", hidden: undefined, moved: new Map() };
  });
  try {
    for (const walk of walks) await advance(walk);
    for (let path = nextPath(walks); path !== undefined; path = nextPath(walks)) {
      const here = walks.filter((walk) => walk.entry !== undefined && walk.path === path);
      const top = here.find((walk) => !isHidden(walk));
      if (top?.entry !== undefined) {
        hideBelow(walks, here, top, path);
        if (isWhiteoutEntry(top.entry)) onRemoved?.(path);
        else yield emerge(top, top.entry);
      }
      for (const walk of here) {
        if (walk !== top) drop(walk);
        await advance(walk);
      }
    }
  } finally {
    for (const walk of walks) await walk.entries.return(undefined);
  }
}

async function advance(walk: Walk): Promise<void> {
  const next = await walk.entries.next();
  walk.entry = next.done === true ? undefined : next.value;
  walk.path = walk.entry === undefined ? "" : partsOf(walk.entry.path.toString("latin1")).join("/");
  if (walk.hidden !== undefined && !isAtOrBelow(walk.path, walk.hidden)) walk.hidden = undefined;
}

function nextPath(walks: readonly Walk[]): string | undefined {
  let first: string | undefined;
  for (const { entry, path } of walks) {
    if (entry !== undefined && (first === undefined || comparePaths(path, first) < 0)) first = path;
  }
  return first;
}

function isHidden({ path, hidden }: Walk): boolean {
  return hidden !== undefined && isAtOrBelow(path, hidden);
}

/** From the topmost down: directories are one, until a layer has something else there, which ends what lies below it. */
function hideBelow(walks: readonly Walk[], here: readonly Walk[], top: Walk, path: string): void {
  const visible = here.filter((walk) => !isHidden(walk));
  const end = top.entry?.type === "directory" ? visible.find((walk) => walk.entry?.type !== "directory") : top;
  if (end === undefined) return;
  const from = walks.indexOf(end);
  for (const [index, walk] of walks.entries()) {
    if (index < from || (index === from && end === top)) continue;
    // One that is hidden from further up stays so; what was hidden earlier in the walk is behind.
    if (walk.hidden === undefined || !isAtOrBelow(path, walk.hidden)) walk.hidden = path;
  }
}

/** Kept in mind: a later hard link may mean its content. */
function drop({ entry, path, moved }: Walk): void {
  if (entry?.type === "file") moved.set(path, { entry, carrier: undefined });
}

function emerge(walk: Walk, entry: PackEntry): PackEntry {
  if (entry.type !== "hardlink") return entry;
  const target = partsOf(entry.link.toString("latin1")).join("/");
  const moved = walk.moved.get(target);
  if (moved === undefined) return entry;
  if (moved.carrier !== undefined) return { ...entry, link: Buffer.from(moved.carrier, "latin1") };
  moved.carrier = walk.path;
  // The layer is ours and nobody changes it: its path can be opened.
  return { ...moved.entry, path: entry.path, body: contentOf(placeOf(walk.rootfs, partsOf(target))) };
}

/** Opened when it is read: a stream that nobody reads would keep its descriptor. */
async function* contentOf(place: Buffer): AsyncGenerator<Uint8Array> {
  yield* createReadStream(place) as AsyncIterable<Uint8Array>;
}

export function isWhiteoutEntry({ type, device }: Pick<PackEntry, "type" | "device">): boolean {
  return type === "character" && device?.major === 0 && device.minor === 0;
}

function isAtOrBelow(path: string, ancestor: string): boolean {
  const parts = partsOf(path);
  return partsOf(ancestor).every((part, index) => parts[index] === part);
}
