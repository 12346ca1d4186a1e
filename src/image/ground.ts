/**
 * What lies in a tree while entries are laid into it, as far as the next entry must know: its directories. Every directory on
 * the way to an entry is made explicitly, so that a tree is the same whenever and wherever it is unpacked.
 */
import { type MemberStream, pathKey, type TarMember } from "../tar/entry.ts";
import { expandMembers } from "../tar/members.ts";

export interface Ground {
  /**
   * Notes that an entry is laid at `path` (relative, one character a byte). @returns directories to make first, outermost first:
   * nothing is there, or an earlier image has something else there, such as a link, which is replaced and never followed (ACE-5)
   */
  lay(path: string, isDirectory: boolean): readonly string[];
  /** Whether laying what is no directory at `path` would change nothing: it stands where the last entry does, and no directory does. */
  isBeside(path: Uint8Array): boolean;
}

const slash = 0x2f;

/** Only directories: what is no directory must be replaced whatever it is. */
interface Directory extends Map<string, Directory> {}

export function emptyGround(): Ground {
  const root: Directory = new Map();
  // Entries of one directory come in a row, as a rule.
  let last = { path: "", directory: root };
  return {
    lay: (path, isDirectory) => {
      if (path === ".") return [];
      const slash = path.lastIndexOf("/");
      const parent = slash < 0 ? "" : path.slice(0, slash);
      const made: string[] = [];
      if (parent !== last.path) last = { path: parent, directory: walk(root, parent, made) };
      const name = path.slice(slash + 1);
      if (!isDirectory) last.directory.delete(name);
      else if (!last.directory.has(name)) last.directory.set(name, new Map());
      return made;
    },
    isBeside: (path) => last.directory.size === 0 && isChild(path, last.path),
  };
}

/** Whether `path` is that of an entry of `directory`; without making a string of it: it meets every entry of an archive. */
function isChild(path: Uint8Array, directory: string): boolean {
  const length = directory.length;
  if (length === 0 || path.length <= length || path[length] !== slash) return false;
  for (let at = length + 1; at < path.length; at++) if (path[at] === slash) return false;
  for (let at = length - 1; at >= 0; at--) if (path[at] !== directory.charCodeAt(at)) return false;
  return true;
}

/** The directory at `path`; those that were not there are added to `made`. */
function walk(root: Directory, path: string, made: string[]): Directory {
  let directory = root;
  for (let at = 0; at < path.length; ) {
    const slash = path.indexOf("/", at);
    const end = slash < 0 ? path.length : slash;
    const name = path.slice(at, end);
    let next = directory.get(name);
    if (next === undefined) {
      next = new Map();
      directory.set(name, next);
      made.push(path.slice(0, end));
    }
    directory = next;
    at = end + 1;
  }
  return directory;
}

/** The members, each behind the directories on its way that were not there. */
export function onGround(members: MemberStream): MemberStream {
  const ground = emptyGround();
  return expandMembers(members, (member) => {
    if (member.type !== "directory" && ground.isBeside(member.path)) return member;
    const parents = ground.lay(pathKey(member.path), member.type === "directory");
    return parents.length === 0 ? member : [...parents.map(plainDirectory), member];
  });
}

/** What a directory gets that no archive describes (ACE-10). */
function plainDirectory(path: string): TarMember {
  return {
    path: Buffer.from(path, "latin1"),
    type: "directory",
    mode: 0o755,
    uid: 0,
    gid: 0,
    mtime: { seconds: 0n, nanoseconds: 0 },
    size: 0,
    link: Buffer.alloc(0),
    xattrs: [],
    body: noBytes(),
  };
}

async function* noBytes(): AsyncGenerator<Uint8Array> {}
