/** Where two archives part: the first entry, and the field of it, in which they are not the same. */
import { type EntryType, pathKey, showPath, type TarMember, type Timestamp, type Xattr } from "../tar/entry.ts";
import { readTar } from "../tar/read.ts";
import { openCompressed } from "./compression.ts";

export interface Difference {
  /** Path in the archive, for messages. */
  readonly entry: string;
  /** `order` when the archives have other entries from here on. */
  readonly field: string;
  readonly first: string;
  readonly second: string;
}

/** undefined when the tars hold the same; their compression is not compared. @throws Failure as readTar */
export async function firstDifference(
  first: AsyncIterable<Uint8Array>,
  second: AsyncIterable<Uint8Array>,
): Promise<Difference | undefined> {
  const [left, right] = await Promise.all([openCompressed(first), openCompressed(second)]);
  const [ours, theirs] = [readTar(left.tar), readTar(right.tar)];
  try {
    for (;;) {
      const [one, other] = [await ours.next(), await theirs.next()];
      if (one.done === true && other.done === true) return undefined;
      const [member, counterpart] = [
        one.done === true ? undefined : one.value,
        other.done === true ? undefined : other.value,
      ];
      const difference = await compare(member, counterpart);
      if (difference !== undefined) return difference;
    }
  } finally {
    await Promise.all([ours.return(), theirs.return()]);
    await Promise.all([left.close(), right.close()]);
  }
}

async function compare(one: TarMember | undefined, other: TarMember | undefined): Promise<Difference | undefined> {
  const entry = showPath((one ?? other)?.path ?? Buffer.alloc(0));
  if (one === undefined || other === undefined || !one.path.equals(other.path)) {
    return { entry, field: "order", first: nameOf(one), second: nameOf(other) };
  }
  const [left, right] = [fieldsOf(one), fieldsOf(other)];
  for (const [index, [field, first]] of left.entries()) {
    const second = right[index]?.[1] ?? "";
    if (first !== second) return { entry, field, first, second };
  }
  const at = await contentDifference(one.body, other.body);
  return at === undefined ? undefined : { entry, field: "content", ...at };
}

function nameOf(member: TarMember | undefined): string {
  return member === undefined ? "the end" : showPath(member.path);
}

function fieldsOf(member: TarMember): readonly (readonly [string, string])[] {
  const { type, mode, uid, gid, mtime, size, link, xattrs, device } = member;
  return [
    ["type", type satisfies EntryType],
    ["mode", mode.toString(8)],
    ["owner", `${uid}:${gid}`],
    ["mtime", timeText(mtime)],
    ["size", String(size)],
    ["link", pathKey(link)],
    ["device", device === undefined ? "none" : `${device.major}:${device.minor}`],
    ["xattrs", xattrs.map(xattrText).join(" ")],
  ];
}

function timeText({ seconds, nanoseconds }: Timestamp): string {
  return nanoseconds === 0 ? String(seconds) : `${seconds}.${String(nanoseconds).padStart(9, "0")}`;
}

function xattrText({ name, value }: Xattr): string {
  return `${name}=${value.toString("hex")}`;
}

/** The bodies have one length; what is told is the byte from which on they differ. */
async function contentDifference(
  first: AsyncIterable<Uint8Array>,
  second: AsyncIterable<Uint8Array>,
): Promise<{ readonly first: string; readonly second: string } | undefined> {
  const other = second[Symbol.asyncIterator]();
  let rest: Buffer = Buffer.alloc(0);
  let at = 0;
  for await (const piece of first) {
    const ours = Buffer.from(piece);
    while (rest.length < ours.length) {
      const next = await other.next();
      if (next.done === true) break;
      rest = Buffer.concat([rest, next.value]);
    }
    const theirs = rest.subarray(0, ours.length);
    if (!ours.equals(theirs)) {
      const index = ours.findIndex((byte, position) => byte !== theirs[position]);
      const show = (bytes: Buffer) => `${bytes.subarray(index, index + 8).toString("hex")} at byte ${at + index}`;
      return { first: show(ours), second: show(theirs) };
    }
    rest = rest.subarray(ours.length);
    at += ours.length;
  }
  return undefined;
}
