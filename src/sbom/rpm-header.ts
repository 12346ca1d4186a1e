/** The header of one installed rpm package, as the databases store it: an index of tags, then their data. Numbers are big-endian. */
import { Failure } from "../base/failure.ts";

const tags = {
  name: 1000,
  version: 1001,
  release: 1002,
  epoch: 1003,
  summary: 1004,
  vendor: 1011,
  licence: 1014,
  url: 1020,
  arch: 1022,
  sourceRpm: 1044,
} as const;
export type RpmTag = keyof typeof tags;

export type RpmHeader = { readonly [T in RpmTag]?: string | number };

const [int32, string, internationalString] = [4, 6, 9];
const entrySize = 16;
/** rpm's own bounds. */
const mostEntries = 0xffff;
const longestText = 64 * 1024;

/** @throws Failure IMAGE_INVALID for lengths and offsets that do not fit */
export function readRpmHeader(blob: Buffer): RpmHeader {
  if (blob.length < 8) throw damaged("it is too short");
  const count = blob.readUInt32BE(0);
  const dataLength = blob.readUInt32BE(4);
  const dataStart = 8 + count * entrySize;
  if (count > mostEntries || dataStart + dataLength > blob.length) throw damaged("its lengths do not fit");
  const data = blob.subarray(dataStart, dataStart + dataLength);
  const header: { [T in RpmTag]?: string | number } = {};
  const names = new Map(Object.entries(tags).map(([name, tag]) => [tag as number, name as RpmTag]));
  for (let index = 0; index < count; index++) {
    const at = 8 + index * entrySize;
    const name = names.get(blob.readUInt32BE(at));
    if (name === undefined) continue;
    const value = valueAt(data, blob.readUInt32BE(at + 4), blob.readUInt32BE(at + 8));
    if (value !== undefined) header[name] = value;
    names.delete(tags[name]);
  }
  return header;
}

/** The first value of a tag; undefined when it is of a kind that none of ours has. */
function valueAt(data: Buffer, type: number, offset: number): string | number | undefined {
  if (type === int32) {
    if (offset + 4 > data.length) throw damaged("a number lies outside of it");
    return data.readUInt32BE(offset);
  }
  if (type !== string && type !== internationalString) return undefined;
  const end = data.indexOf(0, offset);
  if (offset >= data.length || end < 0) throw damaged("a text lies outside of it");
  return data.toString("utf8", offset, Math.min(end, offset + longestText));
}

function damaged(why: string): Failure {
  return new Failure("IMAGE_INVALID", `a package header of the rpm database is damaged: ${why}`);
}
