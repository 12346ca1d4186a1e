/** Tar archives from descriptions, right or wrong (spec/vectors/tar/README.md). Independent of src/tar: it must be able to lie. */

export type Text = string | { readonly repeat: string; readonly count: number } | { readonly hex: string };

export interface RawMember {
  /** A block of zeros instead of a member. */
  readonly blank?: boolean;
  readonly name?: Text;
  readonly prefix?: Text;
  readonly link?: Text;
  readonly type?: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtime?: number;
  readonly major?: number;
  readonly minor?: number;
  readonly body?: Text;
  readonly size?: number;
  readonly magic?: "ustar" | "gnu" | "old";
  readonly pax?: readonly (readonly [string, Text])[];
  readonly global?: readonly (readonly [string, Text])[];
  readonly paxBody?: Text;
  readonly longName?: Text;
  readonly longLink?: Text;
  readonly lead?: readonly ("global" | "pax" | "longName" | "longLink")[];
  readonly raw?: Readonly<Record<string, Text>>;
  readonly checksum?: "wrong";
}

export interface RawArchive {
  readonly members: readonly RawMember[];
  readonly bare?: boolean;
  readonly end?: number;
  readonly after?: Text;
  readonly cut?: number;
}

const fieldsAt: Readonly<Record<string, readonly [number, number]>> = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  mtime: [136, 12],
  checksum: [148, 8],
  type: [156, 1],
  link: [157, 100],
  magic: [257, 8],
  major: [329, 8],
  minor: [337, 8],
  prefix: [345, 155],
  sparse: [386, 96],
  sparseSize: [483, 12],
};

export const minimalManifest = JSON.stringify({ acKind: "ImageManifest", acVersion: "0.8.11", name: "example.com/a" });

export function textBytes(text: Text): Buffer {
  if (typeof text === "string") return Buffer.from(text, "latin1");
  return "hex" in text ? Buffer.from(text.hex, "hex") : Buffer.from(text.repeat.repeat(text.count), "latin1");
}

/** The whole archive. */
export function tarBytes(archive: RawArchive): Buffer {
  const image: readonly RawMember[] = [
    { name: "manifest", body: minimalManifest },
    { name: "rootfs", type: "5", mode: 0o755 },
  ];
  const members = archive.bare === true ? archive.members : [...image, ...archive.members];
  const bytes = Buffer.concat([
    ...members.map(memberBytes),
    Buffer.alloc(512 * (archive.end ?? 2)),
    textBytes(archive.after ?? ""),
  ]);
  return bytes.subarray(0, bytes.length - (archive.cut ?? 0));
}

export function memberBytes(member: RawMember): Buffer {
  if (member.blank === true) return Buffer.alloc(512);
  const body = textBytes(member.body ?? "");
  const lead = (member.lead ?? ["global", "pax", "longName", "longLink"]).map((kind) => leadBytes(member, kind));
  return Buffer.concat([...lead, header(member, body.length), filled(body)]);
}

function leadBytes(member: RawMember, kind: "global" | "pax" | "longName" | "longLink"): Buffer {
  if (kind === "pax" && member.paxBody !== undefined) return meta("x", textBytes(member.paxBody));
  if (kind === "longName" && member.longName !== undefined) return meta("L", nulEnded(member.longName));
  if (kind === "longLink" && member.longLink !== undefined) return meta("K", nulEnded(member.longLink));
  const records = kind === "pax" ? member.pax : kind === "global" ? member.global : undefined;
  if (records === undefined) return Buffer.alloc(0);
  return meta(kind === "pax" ? "x" : "g", Buffer.concat(records.map(([key, value]) => record(key, textBytes(value)))));
}

function record(key: string, value: Buffer): Buffer {
  const rest = key.length + value.length + 3;
  let digits = 1;
  while (String(rest + digits).length !== digits) digits++;
  return Buffer.concat([Buffer.from(`${rest + digits} ${key}=`), value, Buffer.from("\n")]);
}

function nulEnded(text: Text): Buffer {
  return Buffer.concat([textBytes(text), Buffer.alloc(1)]);
}

function meta(type: string, body: Buffer): Buffer {
  return Buffer.concat([header({ name: "meta", type }, body.length), filled(body)]);
}

function filled(body: Buffer): Buffer {
  return Buffer.concat([body, Buffer.alloc((512 - (body.length % 512)) % 512)]);
}

function header(member: RawMember, bodyLength: number): Buffer {
  const block = Buffer.alloc(512);
  const put = (field: string, bytes: Buffer): void => {
    const [offset, length] = fieldsAt[field] ?? [0, 0];
    bytes.copy(block, offset, 0, length);
  };
  const octal = (field: string, value: number): void => {
    const [, length] = fieldsAt[field] ?? [0, 0];
    put(field, Buffer.from(`${value.toString(8).padStart(length - 1, "0")}\0`));
  };
  put("name", textBytes(member.name ?? ""));
  octal("mode", member.mode ?? 0o644);
  octal("uid", member.uid ?? 0);
  octal("gid", member.gid ?? 0);
  octal("size", member.size ?? bodyLength);
  octal("mtime", member.mtime ?? 0);
  put("type", Buffer.from(member.type ?? "0", "latin1"));
  put("link", textBytes(member.link ?? ""));
  const magics = { ustar: "ustar\u000000", gnu: "ustar  \0", old: "" };
  put("magic", Buffer.from(magics[member.magic ?? "ustar"], "latin1"));
  octal("major", member.major ?? 0);
  octal("minor", member.minor ?? 0);
  put("prefix", textBytes(member.prefix ?? ""));
  for (const [field, bytes] of Object.entries(member.raw ?? {})) put(field, textBytes(bytes));
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, member.checksum === "wrong" ? 1 : 0);
  put("checksum", Buffer.from(`${sum.toString(8).padStart(6, "0")}\0 `));
  return block;
}

/** `bytes` as a source in chunks of `size`. */
export async function* chunks(bytes: Uint8Array, size = 64 * 1024): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

export async function collect(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of source) pieces.push(Uint8Array.from(piece));
  return Buffer.concat(pieces);
}
