/** Tar archives byte by byte, canonical by default and as broken as asked for. Knows nothing of our reader or writer. */

export interface RawHeader {
  readonly name?: string | Buffer;
  readonly type?: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly size?: number;
  readonly mtime?: number;
  readonly link?: string | Buffer;
  readonly major?: number;
  readonly minor?: number;
  readonly prefix?: string | Buffer;
  readonly magic?: string | Buffer;
  readonly owner?: string;
  readonly group?: string;
  /** Written at these offsets over everything else, before the checksum is made. */
  readonly patches?: readonly { readonly at: number; readonly bytes: string | Buffer }[];
  /** Instead of the right one. */
  readonly checksum?: string | Buffer;
}

export interface RawEntry extends RawHeader {
  /** Records of a PAX header in front. */
  readonly pax?: readonly PaxRecord[] | undefined;
  readonly body?: string | Buffer;
}

export type PaxRecord = readonly [key: string, value: string | Buffer];

export const blockSize = 512;

export function bytes(text: string | Buffer): Buffer {
  return typeof text === "string" ? Buffer.from(text) : text;
}

/** `width` − 1 octal digits and a NUL. */
function octal(value: number, width: number): string {
  return `${value.toString(8).padStart(width - 1, "0")}\0`;
}

/** One ustar header block. */
export function header(fields: RawHeader): Buffer {
  const block = Buffer.alloc(blockSize);
  const put = (at: number, value: string | Buffer): void => void bytes(value).copy(block, at);
  put(0, bytes(fields.name ?? "file").subarray(0, 100));
  put(100, octal(fields.mode ?? 0o644, 8));
  put(108, octal(fields.uid ?? 0, 8));
  put(116, octal(fields.gid ?? 0, 8));
  put(124, octal(fields.size ?? 0, 12));
  put(136, octal(fields.mtime ?? 0, 12));
  put(148, " ".repeat(8));
  put(156, fields.type ?? "0");
  put(157, bytes(fields.link ?? "").subarray(0, 100));
  put(257, fields.magic ?? "ustar\u000000");
  put(265, fields.owner ?? "");
  put(297, fields.group ?? "");
  put(329, octal(fields.major ?? 0, 8));
  put(337, octal(fields.minor ?? 0, 8));
  put(345, fields.prefix ?? "");
  for (const patch of fields.patches ?? []) put(patch.at, patch.bytes);
  const sum = block.reduce((total, byte) => total + byte, 0);
  put(148, fields.checksum ?? `${sum.toString(8).padStart(6, "0")}\0 `);
  return block;
}

/** Zero bytes up to the next block. */
export function padding(size: number): Buffer {
  return Buffer.alloc((blockSize - (size % blockSize)) % blockSize);
}

/** `LENGTH KEY=VALUE\n`, LENGTH counting all of it. */
export function record(key: string, value: string | Buffer): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), bytes(value), Buffer.from("\n")]);
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

/** A PAX header (`x`, or `type`) with these records, or with these bytes as they are. */
export function pax(records: readonly PaxRecord[] | Buffer, type = "x"): Buffer {
  const body = Buffer.isBuffer(records) ? records : Buffer.concat(records.map(([key, value]) => record(key, value)));
  return Buffer.concat([header({ name: "PaxHeader", type, size: body.length }), body, padding(body.length)]);
}

/** PAX header if given, header, body, padding. `size` is that of the body unless said otherwise. */
export function entry(fields: RawEntry): Buffer {
  const body = bytes(fields.body ?? "");
  return Buffer.concat([
    fields.pax === undefined ? Buffer.alloc(0) : pax(fields.pax),
    header({ size: body.length, ...fields }),
    body,
    padding(body.length),
  ]);
}

export const end = Buffer.alloc(2 * blockSize);

/** A whole archive; parts that are buffers go in as they are. */
export function tar(entries: readonly (RawEntry | Buffer)[]): Buffer {
  return Buffer.concat([...entries.map((item) => (Buffer.isBuffer(item) ? item : entry(item))), end]);
}
