/** Just enough of PNG to tell a picture of something from an empty one. */
import assert from "node:assert/strict";
import { inflateSync } from "node:zlib";

export interface Picture {
  readonly width: number;
  readonly height: number;
  /** Lines of pixels that no other line is equal to. */
  readonly distinctLines: number;
}

/** Filters make equal lines look different only at their borders, so few distinct lines mean an empty picture. */
export function readPng(bytes: Buffer): Picture {
  assert.deepEqual([...bytes.subarray(0, 8)], [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  const [width, height, depth, colour] = [
    bytes.readUInt32BE(16),
    bytes.readUInt32BE(20),
    bytes[24] ?? 0,
    bytes[25] ?? 0,
  ];
  const channels = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 }[colour] ?? 0;
  const data: Buffer[] = [];
  for (let at = 8; at < bytes.length; at += 12 + bytes.readUInt32BE(at)) {
    const size = bytes.readUInt32BE(at);
    if (bytes.toString("latin1", at + 4, at + 8) === "IDAT") data.push(bytes.subarray(at + 8, at + 8 + size));
  }
  const lines = inflateSync(Buffer.concat(data));
  const stride = 1 + Math.ceil((width * channels * depth) / 8);
  assert.equal(lines.length, stride * height);
  const seen = new Set<string>();
  for (let line = 0; line < height; line++) seen.add(lines.toString("latin1", line * stride, (line + 1) * stride));
  return { width, height, distinctLines: seen.size };
}
