/** Debian's compressors as oracles for ours: what they write is read, and what they refuse is never read as something else. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { Failure } from "../../src/base/failure.ts";
import { chunks, collect } from "./tar-bytes.ts";

export type Decoder = (source: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>;

/** Runs a compressor over `bytes`. @throws Error when it fails */
export function compress(argv: readonly string[], bytes: Uint8Array): Buffer {
  const [program = "", ...args] = argv;
  const { status, stdout, stderr } = spawnSync(program, args, { input: bytes, maxBuffer: 2 ** 30 });
  if (status !== 0) throw new Error(`${argv.join(" ")}: exit ${status}\n${stderr}`);
  return stdout;
}

/** What the tool makes of it; undefined when it refuses. */
export function decompress(argv: readonly string[], bytes: Uint8Array): Buffer | undefined {
  const [program = "", ...args] = argv;
  const { status, stdout } = spawnSync(program, args, { input: bytes, maxBuffer: 2 ** 30 });
  return status === 0 ? stdout : undefined;
}

export const decode = (decoder: Decoder, bytes: Uint8Array, size?: number): Promise<Buffer> =>
  collect(decoder(chunks(bytes, size)));

/** Numbers that look like chance and are the same every time. */
export function lottery(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Something like source code: words that come back, near and far. */
export function prose(length: number, seed = 1): Buffer {
  const next = lottery(seed);
  const words = Array.from({ length: 3000 }, () => Math.floor(next() * 1e9).toString(36));
  const parts: string[] = [];
  for (let size = 0; size < length; ) {
    const word = `${words[Math.floor(next() ** 3 * words.length)]}${next() < 0.1 ? "\n" : " "}`;
    parts.push(word);
    size += word.length;
  }
  return Buffer.from(parts.join("")).subarray(0, length);
}

/** The shapes that meet every branch of a decoder. */
export const samples: readonly (readonly [string, Buffer])[] = [
  ["nothing", Buffer.alloc(0)],
  ["one byte", Buffer.from("x")],
  ["zeros", Buffer.alloc(3_000_000)],
  ["noise", randomBytes(400_000)],
  ["prose", prose(1_500_000)],
  [
    "prose, noise and zeros in turn",
    Buffer.concat([prose(300_000, 2), randomBytes(50_000), Buffer.alloc(70_000, 7), prose(300_000, 2)]),
  ],
  [
    "records of 24 bytes",
    Buffer.from(Uint32Array.from({ length: 120_000 }, (_, i) => (i % 6 === 0 ? i : i % 6)).buffer),
  ],
];

/** Refused in our words, with the codes of bad input; nothing else may come out of a decoder. */
export async function isRefused(decoding: Promise<Buffer>): Promise<Buffer | undefined> {
  try {
    return await decoding;
  } catch (error) {
    assert.ok(error instanceof Failure, `${error}`);
    assert.match(error.code, /^(ARCHIVE_INVALID|UNSUPPORTED|LIMIT_EXCEEDED)$/);
    return undefined;
  }
}

/** Every cut of a stream is refused. */
export async function refusesCuts(decoder: Decoder, stream: Buffer, step = 1): Promise<void> {
  for (let length = 1; length < stream.length; length += step) {
    assert.equal(await isRefused(decode(decoder, stream.subarray(0, length))), undefined, `cut at ${length}`);
  }
}

/** A flipped bit is found, or made no difference. */
export async function findsFlips(decoder: Decoder, stream: Buffer, plain: Buffer, step = 1): Promise<void> {
  for (let at = 0; at < stream.length; at += step) {
    const flipped = Buffer.from(stream);
    flipped[at] = (flipped[at] ?? 0) ^ (1 << (at % 8));
    const result = await isRefused(decode(decoder, flipped));
    assert.ok(result === undefined || result.equals(plain), `byte ${at}`);
  }
}

/**
 * Streams without a sum, changed by chance: whatever we accept, the tool accepts, and reads the same. (It may accept more: we are strict.)
 */
export async function agreesWith(
  tool: readonly string[],
  decoder: Decoder,
  stream: Buffer,
  rounds: number,
): Promise<void> {
  const next = lottery(stream.length);
  for (let round = 0; round < rounds; round++) {
    const changed = Buffer.from(stream);
    for (let i = 0; i <= round % 3; i++) changed[Math.floor(next() * changed.length)] = Math.floor(next() * 256);
    const ours = await isRefused(decode(decoder, changed, 1000));
    if (ours === undefined) continue;
    const theirs = decompress(tool, changed);
    assert.ok(theirs?.equals(ours), `round ${round}: ${tool[0]} reads it differently`);
  }
}
