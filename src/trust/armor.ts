/**
 * ASCII armour, strictly: one way to write it, one way to read it, nothing outside of the blocks. Knows bytes, not what they mean.
 * Armour tricks make two programs see two documents in one file (T-S25), so whatever is unusual is refused instead of skipped.
 */

export type BlockType = "SIGNATURE" | "PUBLIC KEY BLOCK" | "PRIVATE KEY BLOCK";

export interface Block {
  /** As the armour says; undefined for binary input, which has no label. */
  readonly type: string | undefined;
  readonly binary: Buffer;
}

const knownTypes: ReadonlySet<string> = new Set<BlockType>(["SIGNATURE", "PUBLIC KEY BLOCK", "PRIVATE KEY BLOCK"]);

/** Header lines that say nothing to a program; others (Hash, NotDashEscaped) belong to formats we do not read. */
const knownHeaders = /^(Version|Comment|Charset|MessageID): /;

/** CRC-24 of RFC 4880 section 6.1. */
function crc24(bytes: Uint8Array): number {
  let crc = 0xb704ce;
  for (const byte of bytes) {
    crc ^= byte << 16;
    for (let bit = 0; bit < 8; bit++) {
      crc <<= 1;
      if (crc & 0x1000000) crc ^= 0x1864cfb;
    }
  }
  return crc & 0xffffff;
}

function crcText(bytes: Uint8Array): string {
  const crc = crc24(bytes);
  return Buffer.from([crc >> 16, (crc >> 8) & 0xff, crc & 0xff]).toString("base64");
}

/** One armoured block without header lines, with checksum (gpg 2.2 wants it). */
export function armor(type: BlockType, binary: Uint8Array): string {
  const lines =
    Buffer.from(binary)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return [`-----BEGIN PGP ${type}-----`, "", ...lines, `=${crcText(binary)}`, `-----END PGP ${type}-----`, ""].join(
    "\n",
  );
}

/**
 * The blocks of an armoured file in order, or the whole of a binary one as a single block.
 * @throws Error with a reason in words; the caller knows what the file was meant to be
 */
export function readBlocks(bytes: Uint8Array): readonly Block[] {
  // Every OpenPGP packet starts with bit 7 set; no armour does.
  if (((bytes[0] ?? 0) & 0x80) !== 0) return [{ type: undefined, binary: Buffer.from(bytes) }];
  const text = Buffer.from(bytes).toString("utf8");
  if (/[^\P{Cc}\t\r\n]/u.test(text) || /\r(?!\n)/.test(text)) throw new Error("it holds control characters");
  const lines = text.split(/\r?\n/).map((line) => line.replace(/(?<![ \t])[ \t]+$/, ""));
  const blocks: Block[] = [];
  let next = 0;
  while (next < lines.length) {
    if (lines[next] === "") {
      next++;
      continue;
    }
    const end = endOfBlock(lines, next);
    blocks.push(readBlock(lines.slice(next, end)));
    next = end;
  }
  if (blocks.length === 0) throw new Error("it is empty");
  return blocks;
}

/** Index behind the `-----END` line of the block that starts at `start`. */
function endOfBlock(lines: readonly string[], start: number): number {
  const end = lines.findIndex((line, index) => index > start && line.startsWith("-----"));
  return end === -1 ? lines.length : end + 1;
}

function readBlock(lines: readonly string[]): Block {
  const type = /^-----BEGIN PGP ([A-Z ]+)-----$/.exec(lines[0] ?? "")?.[1];
  if (type === undefined) throw new Error("there is text outside of the armoured block");
  if (!knownTypes.has(type)) throw new Error(`it is a PGP ${type.toLowerCase()}`);
  if (lines.at(-1) !== `-----END PGP ${type}-----`) throw new Error(`its ${type.toLowerCase()} block does not end`);
  const blank = lines.indexOf("");
  if (blank === -1) throw new Error("its armour has no empty line after the headers");
  for (const header of lines.slice(1, blank)) {
    if (!knownHeaders.test(header)) throw new Error("its armour has a header line that does not belong there");
  }
  const body = lines.slice(blank + 1, -1);
  const checksum = body.at(-1)?.startsWith("=") === true ? body.pop() : undefined;
  const base64 = body.join("");
  const binary = Buffer.from(base64, "base64");
  if (binary.length === 0 || binary.toString("base64") !== base64) throw new Error("its armour is not clean base64");
  if (checksum !== undefined && checksum !== `=${crcText(binary)}`) throw new Error("its armour checksum is wrong");
  return { type, binary };
}
