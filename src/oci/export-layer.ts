/**
 * The files of one image of appc as a layer of OCI (OCI-81): laid on the layers before it, it shows what the rendered tree has. Every directory on
 * the way to an entry is said again, as it is by then: other programs make up what a layer leaves out. Knows nothing of archives and blobs.
 */
import { pathKey, showPath, type TarMember } from "../tar/entry.ts";
import { plainDirectory } from "./below.ts";
import { hasWhiteoutAbove } from "./whiteouts.ts";

type Directory = Omit<TarMember, "path" | "body">;

/** What the layers so far show together, as far as the next one has to know it. Paths have one character a byte; `""` is the root. */
export interface OutgoingTree {
  readonly directories: Map<string, Directory>;
  /** Files whose owner or content the config needs, by their path. */
  readonly noted: Map<string, NotedFile>;
  /** Paths to note, those with their content. */
  readonly wanted: ReadonlyMap<string, "owner" | "content">;
  /** Told of what no layer can hold. */
  readonly lost: (what: string) => void;
}

export interface NotedFile {
  readonly uid: number;
  readonly gid: number;
  /** Of a regular file that is not too long. */
  readonly content: Buffer | undefined;
}

const noteLimit = 1024 * 1024;

/** The entries of the layer, parents first. `tree` is then as this layer leaves it. */
export async function* outgoingLayer(members: AsyncIterable<TarMember>, tree: OutgoingTree): AsyncGenerator<TarMember> {
  const own = new Set<string>();
  for await (const member of members) {
    const path = pathKey(member.path);
    const why = whyNot(member, path);
    if (why !== undefined) {
      tree.lost(`${showPath(member.path)}: ${why}`);
      continue;
    }
    yield* missingParents(path, own, tree);
    yield await enter(member, path === "." ? "" : path, own, tree);
  }
}

/** A name that means something to those who read layers would take away a file, or be taken away itself. */
function whyNot({ type, device, link }: TarMember, path: string): string | undefined {
  if (hasWhiteoutAbove(path)) return "a name that begins with .wh. means that something is gone";
  if (type === "hardlink" && hasWhiteoutAbove(pathKey(link))) return "a second name of a file that is left out";
  if (type === "character" && device?.major === 0 && device.minor === 0) return "the device 0:0 hides files";
  return undefined;
}

function* missingParents(path: string, own: Set<string>, tree: OutgoingTree): Generator<TarMember> {
  for (let slash = path.indexOf("/"); slash >= 0; slash = path.indexOf("/", slash + 1)) {
    const parent = path.slice(0, slash);
    if (own.has(parent)) continue;
    const known = tree.directories.get(parent);
    const member = { ...plainDirectory(parent), ...known };
    own.add(parent);
    if (known === undefined) {
      tree.directories.set(parent, factsOf(member));
      tree.noted.delete(parent);
    }
    yield member;
  }
}

async function enter(member: TarMember, path: string, own: Set<string>, tree: OutgoingTree): Promise<TarMember> {
  if (member.type === "directory") {
    own.add(path);
    tree.directories.set(path, factsOf(member));
  } else if (tree.directories.has(path)) forget(path, own, tree);
  const wanted = tree.wanted.get(path);
  return wanted === undefined ? member : await noted(member, path, wanted, tree);
}

/** Something else takes the place of a directory, and of all that is in it. */
function forget(path: string, own: Set<string>, { directories, noted: files }: OutgoingTree): void {
  const prefix = `${path}/`;
  for (const paths of [own, directories, files]) {
    for (const key of paths.keys()) if (key === path || key.slice(0, prefix.length) === prefix) paths.delete(key);
  }
}

async function noted(
  member: TarMember,
  path: string,
  wanted: "owner" | "content",
  { noted: files }: OutgoingTree,
): Promise<TarMember> {
  const { type, uid, gid, size } = member;
  files.delete(path);
  if (type === "symlink") return member;
  if (wanted === "owner" || type !== "file" || size > noteLimit) {
    files.set(path, { uid, gid, content: undefined });
    return member;
  }
  const pieces: Uint8Array[] = [];
  for await (const piece of member.body) pieces.push(Buffer.from(piece));
  const content = Buffer.concat(pieces);
  files.set(path, { uid, gid, content });
  return { ...member, body: whole(content), sparse: undefined };
}

function whole(content: Buffer): TarMember["body"] {
  return {
    whole: content,
    async *[Symbol.asyncIterator]() {
      yield content;
    },
  };
}

function factsOf({ path: _, body: __, ...facts }: TarMember): Directory {
  return facts;
}
