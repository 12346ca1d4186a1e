/**
 * POSIX ACLs between the text of a PAX record, as GNU tar, star and bsdtar have it, and the kernel's attribute. Only numbers name
 * users and groups here, and root: another name would mean somebody else on every machine.
 */

/** PAX record → the attribute with the same meaning. */
export const aclAttributes: ReadonlyMap<string, string> = new Map([
  ["SCHILY.acl.access", "system.posix_acl_access"],
  ["SCHILY.acl.default", "system.posix_acl_default"],
]);

/** Of the kernel's form, in its order. */
const tags = { owner: 0x01, user: 0x02, owningGroup: 0x04, group: 0x08, mask: 0x10, other: 0x20 } as const;
const version = 2;
const noId = 0xffff_ffff;
const headSize = 4;
const entrySize = 8;
/** More than an attribute of 64 KiB holds. */
const mostEntries = 8192;

interface AclEntry {
  readonly tag: number;
  /** Read 4, write 2, execute 1. */
  readonly permissions: number;
  readonly id: number;
}

/** The attribute's value; undefined for what is no valid ACL, or names somebody. */
export function aclFromText(text: Buffer): Buffer | undefined {
  const entries: AclEntry[] = [];
  for (const line of text.toString("latin1").split(/[,\n]/)) {
    const words = (line.split("#")[0] ?? "").trim();
    if (words === "") continue;
    const entry = entryOf(words.split(":"));
    if (entry === undefined || entries.length === mostEntries) return undefined;
    entries.push(entry);
  }
  entries.sort((a, b) => a.tag - b.tag || a.id - b.id);
  return isWhole(entries) ? encode(entries) : undefined;
}

const kinds: Readonly<Record<string, readonly [own: number, named: number | undefined]>> = {
  user: [tags.owner, tags.user],
  u: [tags.owner, tags.user],
  group: [tags.owningGroup, tags.group],
  g: [tags.owningGroup, tags.group],
  mask: [tags.mask, undefined],
  m: [tags.mask, undefined],
  other: [tags.other, undefined],
  o: [tags.other, undefined],
};

/** `user::rwx`, `user:1000:rw-`, and with the number behind the permissions `user:lisa:rw-:1000`; `other:r--` too. */
function entryOf(fields: readonly string[]): AclEntry | undefined {
  const [kind = "", ...rest] = fields;
  const [own, named] = Object.hasOwn(kinds, kind) ? (kinds[kind] ?? []) : [];
  if (own === undefined) return undefined;
  const [qualifier = "", mode = "", number, ...more] = rest.length === 1 ? ["", ...rest] : rest;
  const permissions = permissionsOf(mode);
  if (permissions === undefined || more.length > 0) return undefined;
  if (qualifier === "") return number === undefined ? { tag: own, permissions, id: noId } : undefined;
  const id = idOf(number ?? qualifier);
  return named === undefined || id === undefined ? undefined : { tag: named, permissions, id };
}

function permissionsOf(mode: string): number | undefined {
  if (!/^[rwx-]{1,3}$/.test(mode)) return undefined;
  return (mode.includes("r") ? 4 : 0) | (mode.includes("w") ? 2 : 0) | (mode.includes("x") ? 1 : 0);
}

function idOf(text: string): number | undefined {
  if (text === "root") return 0;
  const id = /^\d{1,10}$/.test(text) ? Number(text) : noId;
  return id < noId ? id : undefined;
}

/** What the kernel takes: one owner, group and other, a mask where anybody is named, and nobody twice. */
function isWhole(entries: readonly AclEntry[]): boolean {
  const count = (tag: number): number => entries.filter((entry) => entry.tag === tag).length;
  const isNaming = count(tags.user) + count(tags.group) > 0;
  const masks = count(tags.mask);
  const isTwice = entries.some((entry, at) => entries[at - 1]?.tag === entry.tag && entries[at - 1]?.id === entry.id);
  return (
    count(tags.owner) === 1 &&
    count(tags.owningGroup) === 1 &&
    count(tags.other) === 1 &&
    (isNaming ? masks === 1 : masks <= 1) &&
    !isTwice
  );
}

function encode(entries: readonly AclEntry[]): Buffer {
  const value = Buffer.alloc(headSize + entrySize * entries.length);
  value.writeUInt32LE(version, 0);
  entries.forEach(({ tag, permissions, id }, index) => {
    const at = headSize + entrySize * index;
    value.writeUInt16LE(tag, at);
    value.writeUInt16LE(permissions, at + 2);
    value.writeUInt32LE(id, at + 4);
  });
  return value;
}

const words = new Map<number, string>([
  [tags.owner, "user"],
  [tags.user, "user"],
  [tags.owningGroup, "group"],
  [tags.group, "group"],
  [tags.mask, "mask"],
  [tags.other, "other"],
]);

/** The text of an attribute's value; undefined unless exactly that value can be read from it again. */
export function aclToText(value: Buffer): string | undefined {
  if (value.length < headSize || (value.length - headSize) % entrySize !== 0) return undefined;
  const parts: string[] = [];
  for (let at = headSize; at < value.length; at += entrySize) {
    const id = value.readUInt32LE(at + 4);
    const permissions = value.readUInt16LE(at + 2);
    const mode = ["r", "w", "x"].map((letter, bit) => ((permissions & (4 >> bit)) === 0 ? "-" : letter)).join("");
    parts.push(`${words.get(value.readUInt16LE(at)) ?? ""}:${id === noId ? "" : id}:${mode}`);
  }
  const text = parts.join(",");
  return aclFromText(Buffer.from(text))?.equals(value) === true ? text : undefined;
}

/** Whether an ACL says no more than the permission bits `mode` do: GNU tar writes one for every file. */
export function isPlainAcl(value: Buffer, mode: number): boolean {
  const plain = encode([
    { tag: tags.owner, permissions: (mode >> 6) & 7, id: noId },
    { tag: tags.owningGroup, permissions: (mode >> 3) & 7, id: noId },
    { tag: tags.other, permissions: mode & 7, id: noId },
  ]);
  return value.equals(plain);
}
