/** Who an app runs as, from its user and group words and the files of its root (ACI-33). Never trusts those files. */
import { excerpt, Failure } from "../base/failure.ts";
import { callerIds, idInside } from "../shim/caller-ids.ts";
import type { TreeRoot } from "../store/stack.ts";
import { readInRoot, statInRoot } from "./in-root.ts";

export interface ResolvedUser {
  readonly uid: number;
  readonly gid: number;
  /** All supplementary groups, `gid` first (T-R41). */
  readonly groups: readonly number[];
  /** From the image's passwd, when it has a line for the uid. */
  readonly name?: string | undefined;
  readonly home?: string | undefined;
  readonly shell?: string | undefined;
}

export interface UserRequest {
  readonly user: string;
  readonly group: string;
  readonly supplementaryGIDs: readonly number[];
}

/** The highest id: 2³²−1 means "unchanged" to the kernel (T-R40). */
const idLimit = 4294967294;
const fileLimit = 1024 * 1024;
const lineLimit = 65536;

/** passwd or group: `name:…:id:…` */
interface Line {
  readonly name: string;
  readonly id: number;
  readonly fields: readonly string[];
}

/**
 * `rootfs` is the rendered tree before any shift of ids. A name is looked up in the image's /etc/passwd and /etc/group, digits are the
 * number, `/path` is the owner of that path of the image (ACI-33). Blocking; two small reads.
 * @throws Failure NOT_FOUND (no such user, group or path in the image), MANIFEST_INVALID (T-R40: no such number, a number the image's
 * passwd maps elsewhere), IMAGE_INVALID (T-R18: passwd or group is no small regular file)
 */
export function resolveUser(rootfs: TreeRoot, app: UserRequest): ResolvedUser {
  const passwd = readLines(rootfs, "/etc/passwd");
  const uid = resolveId(rootfs, app.user, "user", passwd);
  const gid = resolveId(rootfs, app.group, "group", readLines(rootfs, "/etc/group"));
  const line = passwd.find(({ id }) => id === uid);
  const [home, shell] = [line?.fields[5], line?.fields[6]];
  return {
    uid,
    gid,
    groups: [...new Set([gid, ...app.supplementaryGIDs])],
    ...(line === undefined ? {} : { name: line.name }),
    ...(isPlainPath(home) ? { home } : {}),
    ...(isPlainPath(shell) ? { shell } : {}),
  };
}

function resolveId(rootfs: TreeRoot, word: string, kind: "user" | "group", lines: readonly Line[]): number {
  if (word[0] === "/") return ownerOf(rootfs, word, kind);
  const line = lines.find(({ name }) => name === word);
  if (/^[0-9]+$/.test(word)) return numericId(word, kind, line);
  // Whatever could be meant as a number is not looked up as a name, or "+0" of the image's passwd would be somebody else (T-R40).
  if (!/^[A-Za-z_][A-Za-z0-9_.@$-]*$/.test(word)) {
    throw new Failure("MANIFEST_INVALID", `"${excerpt(word)}" is neither a ${kind} name nor a number nor a path`, {
      subject: word,
      hint: `--${kind} takes a name, a number or a path of the image`,
    });
  }
  if (line !== undefined) return line.id;
  throw new Failure("NOT_FOUND", `the image has no ${kind} ${excerpt(word)}`, {
    subject: word,
    cause: `/etc/${kind === "user" ? "passwd" : "group"} of the image does not list it`,
    hint: `pass its number: --${kind} NUMBER`,
  });
}

function numericId(word: string, kind: "user" | "group", line: Line | undefined): number {
  const id = Number(word);
  if (String(id) !== word || id > idLimit) {
    throw new Failure("MANIFEST_INVALID", `${kind} ${excerpt(word)} is not a number from 0 to ${idLimit}`, {
      subject: word,
    });
  }
  // ACI-33 would take the line, T-R40 the number; an image in which they differ wants to confuse somebody.
  if (line !== undefined && line.id !== id) {
    throw new Failure("MANIFEST_INVALID", `${kind} ${word} is the name of number ${line.id} in the image`, {
      subject: word,
      hint: `pass the number that is meant: --${kind} ${line.id}`,
    });
  }
  return id;
}

function ownerOf(rootfs: TreeRoot, path: string, kind: "user" | "group"): number {
  const stat = statInRoot(rootfs, path);
  if (stat === undefined) {
    throw new Failure("NOT_FOUND", `${kind} ${excerpt(path)}: the image has no such path`, { subject: path });
  }
  const id = kind === "user" ? stat.uid : stat.gid;
  const ids = callerIds();
  return ids === undefined ? id : (idInside(kind === "user" ? ids.uids : ids.gids, id) ?? id);
}

/** Lines whose third field is a number; others are passed over, as C libraries do. */
function readLines(rootfs: TreeRoot, path: string): readonly Line[] {
  const content = readInRoot(rootfs, path, fileLimit)?.toString("utf8") ?? "";
  const lines = content.split("\n");
  if (lines.length > lineLimit) {
    throw new Failure("IMAGE_INVALID", `${path} of the image has more than ${lineLimit} lines`, { subject: path });
  }
  return lines.flatMap((line) => {
    const fields = line.split(":");
    const [name = "", , id = ""] = fields;
    return /^[0-9]{1,10}$/.test(id) && Number(id) <= idLimit ? [{ name, id: Number(id), fields }] : [];
  });
}

function isPlainPath(text: string | undefined): text is string {
  return text !== undefined && /^\/[^\u0000-\u001f\u007f]*$/.test(text);
}
