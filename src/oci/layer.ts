/**
 * One layer as the entries of a directory of its own, to be a lower directory of an overlay (OCI-10…16). What a layer says of the layers below,
 * whiteouts, opaque directories, files in directories that it does not bring, is looked up there and written out, so that the directory needs
 * no attributes that only some kernels read. Knows nothing of blobs and of the store's places.
 */
import { Failure } from "../base/failure.ts";
import { isImageXattr } from "../image/xattrs.ts";
import { partsOf } from "../store/stack.ts";
import { type EntryType, type MemberStream, pathKey, showPath, type TarMember } from "../tar/entry.ts";
import { copyFromBelow, directoryFromBelow, plainDirectory, whiteoutAt } from "./below.ts";
import type { LowerFile, LowerView } from "./lower.ts";
import { hasWhiteoutAbove, readName } from "./whiteouts.ts";

interface Own {
  readonly type: EntryType;
  /** Of a symlink. */
  readonly link: string;
}

export interface LaidLayer {
  /** The entries; parents first, nothing in them is left to interpret. */
  readonly members: AsyncIterable<TarMember>;
  /** Once they were taken: whether they are what they are because of the layers below, and so no use above others. */
  dependsOnBelow(): boolean;
}

/** `""` is the root. Paths have one character a byte. */
interface Laying {
  readonly own: Map<string, Own>;
  readonly gone: Set<string>;
  readonly opaque: Set<string>;
  readonly below: () => Promise<LowerView>;
  readonly spend: (bytes: number) => void;
  dependsOnBelow: boolean;
}

/** As the kernel (MAXSYMLINKS). */
const linkLimit = 40;

/**
 * @param below what the layers below show together; asked for only when it matters
 * @param spend told of the bytes of each file that is copied from there, before it is: no archive bounds those
 */
export function layLayer(
  members: MemberStream,
  below: () => Promise<LowerView>,
  spend: (bytes: number) => void,
): LaidLayer {
  const laying: Laying = { own: new Map(), gone: new Set(), opaque: new Set(), below, spend, dependsOnBelow: false };
  return { members: laid(members, laying), dependsOnBelow: () => laying.dependsOnBelow };
}

async function* laid(members: MemberStream, laying: Laying): AsyncGenerator<TarMember> {
  for await (const member of members) {
    const path = pathKey(member.path);
    if (path === ".") {
      yield member;
      continue;
    }
    const { parent, name } = split(path);
    const shown = showPath(member.path);
    if (hasWhiteoutAbove(parent)) throw refused(shown, "lies below the name of something that is gone");
    const meaning = readName(name, shown);
    if (meaning.kind === "nothing") continue;
    const isKnown = parent === "" || laying.own.get(parent)?.type === "directory";
    const { path: place, made } = isKnown ? { path: parent, made: [] } : await standIn(laying, parent, shown);
    yield* made;
    if (meaning.kind === "opaque") laying.opaque.add(place);
    else if (meaning.kind === "plain") yield* await layEntry(laying, member, join(place, name));
    else if (member.type === "directory") throw refused(shown, "is a directory, and says that something is gone");
    else laying.gone.add(join(place, meaning.name));
  }
  yield* await takenAway(laying);
}

/** An entry at its place; a file of the layers below that it is a second name of goes before it. */
async function layEntry(laying: Laying, member: TarMember, path: string): Promise<readonly TarMember[]> {
  const shown = showPath(member.path);
  // D06: it would take away a file, though no name says so.
  if (member.type === "character" && member.device?.major === 0 && member.device.minor === 0) {
    throw refused(shown, "is the character device 0:0, which hides files of an overlay");
  }
  const before = member.type === "hardlink" ? await layTarget(laying, member, path) : [];
  const replaced = laying.own.get(path);
  if (replaced?.type === "directory" && member.type !== "directory") forgetBelow(laying.own, path);
  laying.own.set(path, { type: member.type, link: member.type === "symlink" ? pathKey(member.link) : "" });
  return [...before, { ...withImageXattrs(member), path: Buffer.from(path, "latin1") }];
}

/** X01: attributes of overlays would forge what only we may say. What is dropped is told of. */
function withImageXattrs(member: TarMember): TarMember {
  const strange = member.xattrs.filter(({ name }) => !isImageXattr(name));
  if (strange.length === 0) return member;
  return {
    ...member,
    xattrs: member.xattrs.filter(({ name }) => isImageXattr(name)),
    dropped: [...(member.dropped ?? []), ...strange.map(({ name }) => name)],
  };
}

/** The entry of a hard link's target when only the layers below have it: the kernel would copy it up, too (OCI-15). */
async function layTarget(laying: Laying, member: TarMember, path: string): Promise<readonly TarMember[]> {
  const target = pathKey(member.link);
  const shown = showPath(member.path);
  const { parent } = split(target);
  if (target === path) throw refused(shown, "is a hard link to itself");
  const own = laying.own.get(target);
  if (own?.type === "directory") throw refused(shown, "is a hard link to a directory");
  if (own !== undefined) return [];
  const { path: place, made } = await standIn(laying, parent, shown);
  const found = place === parent ? await findBelow(laying, target) : undefined;
  // H03: through a link, two readers could mean two files.
  if (found === undefined || found.kind === "directory" || found.kind === "other") {
    throw refused(shown, "is a hard link to what is not there");
  }
  laying.spend(found.size);
  const copy = await copyFromBelow(found, target);
  laying.own.set(target, { type: copy.type, link: pathKey(copy.link) });
  return [...made, copy];
}

/**
 * Where the directory `path` really is: links are followed inside of the image (OCI-13), and what the layer does not bring itself
 * is as it is below, or plain. @returns with the directories to be made first
 */
async function standIn(laying: Laying, path: string, shown: string): Promise<{ path: string; made: TarMember[] }> {
  const left = [...partsOf(path)].reverse();
  const made: TarMember[] = [];
  let here = "";
  let links = 0;
  for (let part = left.pop(); part !== undefined; part = left.pop()) {
    if (part === "..") {
      here = split(here).parent;
      continue;
    }
    const next = join(here, part);
    const own = laying.own.get(next) ?? (await bringUp(laying, next, made));
    if (own.type === "directory") here = next;
    else if (own.type === "symlink") {
      links += 1;
      if (links > linkLimit) throw refused(shown, `leads through more than ${linkLimit} links`);
      if (own.link[0] === "/") here = "";
      left.push(
        ...own.link
          .split("/")
          .filter((word) => word !== "" && word !== ".")
          .reverse(),
      );
    } else throw refused(shown, "lies below what is no directory");
  }
  return { path: here, made };
}

/** What the layers below have at `path`, if that is a link, is not laid again; anything else on the way has to be a directory. */
async function bringUp(laying: Laying, path: string, made: TarMember[]): Promise<Own> {
  const found = await findBelow(laying, path);
  if (found?.kind === "symlink") return { type: "symlink", link: found.link() };
  if (found !== undefined && found.kind !== "directory") return { type: "file", link: "" };
  made.push(found === undefined ? plainDirectory(path) : directoryFromBelow(found.attributes(), path));
  const own: Own = { type: "directory", link: "" };
  laying.own.set(path, own);
  return own;
}

/** Undefined for what the layer itself takes away. */
async function findBelow(laying: Laying, path: string): Promise<LowerFile | undefined> {
  laying.dependsOnBelow = true;
  const parts = partsOf(path);
  const isGone = parts.some((_, index) => {
    const above = parts.slice(0, index + 1).join("/");
    return laying.gone.has(above) || laying.opaque.has(parts.slice(0, index).join("/"));
  });
  return isGone ? undefined : (await laying.below()).find(path);
}

/**
 * Once all is laid: the order of a layer's entries means nothing for what they take away, and what it brings itself stays (OCI-14).
 * A name is hidden only where there is something to hide: in a directory of one layer the kernel would show the marks.
 */
async function takenAway(laying: Laying): Promise<readonly TarMember[]> {
  if (laying.gone.size === 0 && laying.opaque.size === 0) return [];
  laying.dependsOnBelow = true;
  const below = await laying.below();
  const marks: TarMember[] = [];
  const hide = (path: string): void => {
    const own = laying.own.get(path);
    if (own === undefined) {
      if (below.find(path) === undefined) return;
      marks.push(whiteoutAt(path));
      laying.own.set(path, { type: "character", link: "" });
    } else if (own.type === "directory") hideBelow(path);
  };
  const hideBelow = (path: string): void => {
    for (const name of below.names(path)) hide(join(path, name));
  };
  for (const path of laying.opaque) hideBelow(path);
  for (const path of laying.gone) hide(path);
  return marks;
}

function forgetBelow(own: Map<string, Own>, path: string): void {
  const prefix = `${path}/`;
  for (const key of own.keys()) if (key.slice(0, prefix.length) === prefix) own.delete(key);
}

function split(path: string): { readonly parent: string; readonly name: string } {
  const slash = path.lastIndexOf("/");
  return { parent: slash < 0 ? "" : path.slice(0, slash), name: path.slice(slash + 1) };
}

function join(parent: string, name: string): string {
  return parent === "" ? name : `${parent}/${name}`;
}

function refused(shown: string, why: string): Failure {
  return new Failure("ARCHIVE_INVALID", `${shown} of a layer ${why}`, { subject: shown });
}
