/** The compression around an image's tar (ACI-5). Knows nothing of tar; a consumer sees plain chunks. */
import { pipeline } from "node:stream";
import { createGunzip } from "node:zlib";
import { errnoOf, Failure, raiseLimit } from "../base/failure.ts";
import { trailing } from "../compression/damage.ts";

export type Compression = "gzip" | "bzip2" | "xz" | "zstd" | "none";

export interface DecompressionLimits {
  /** Bytes that come out. */
  readonly totalSize: number;
  /** Out : in, counted once more than 64 MiB came out; gzip itself cannot pass 1032. */
  readonly ratio: number;
  /** Bytes of an xz dictionary and what belongs to it. */
  readonly xzMemory: number;
  /** Bytes of history a zstd frame may ask for. */
  readonly zstdWindow: number;
}

const mebi = 1024 * 1024;

export const defaultDecompressionLimits: DecompressionLimits = {
  totalSize: 64 * 1024 * mebi,
  ratio: 200,
  xzMemory: 128 * mebi,
  zstdWindow: 128 * mebi,
};

/** Bytes that come out before the ratio counts. */
export const ratioCountsFrom = 64 * mebi;
/** Output chunks: each is a trip to the thread pool and back, so not small; in flight are a few of them. */
const chunkSize = 256 * 1024;

const magics: readonly (readonly [Compression, readonly number[]])[] = [
  ["gzip", [0x1f, 0x8b]],
  ["bzip2", [0x42, 0x5a, 0x68]],
  ["xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ["zstd", [0x28, 0xb5, 0x2f, 0xfd]],
];
const longestMagic = 6;

/** By magic (ACI-5), never by file name. */
export function sniffCompression(head: Uint8Array): Compression {
  return magics.find(([, magic]) => magic.every((byte, index) => head[index] === byte))?.[0] ?? "none";
}

export interface Opened {
  readonly compression: Compression;
  readonly tar: AsyncIterable<Uint8Array>;
  /** Ends the source, also when nothing of `tar` was read: a generator that never began cannot. */
  close(): Promise<void>;
}

/** Compressed bytes on their way in, and whether all of them came. */
interface Given {
  readonly chunks: AsyncIterable<Uint8Array>;
  bytes: number;
  isWhole: boolean;
}

/** Looks at the first bytes and opens what they announce. `tar` throws ARCHIVE_INVALID, LIMIT_EXCEEDED, UNSUPPORTED. */
export async function openCompressed(
  source: AsyncIterable<Uint8Array>,
  limits: DecompressionLimits = defaultDecompressionLimits,
): Promise<Opened> {
  const iterator = source[Symbol.asyncIterator]();
  const { head, bytes } = await readHead(iterator);
  const compression = sniffCompression(head);
  const whole = continued(bytes, iterator);
  const close = async (): Promise<void> => void (await iterator.return?.());
  if (compression === "none") return { compression, tar: whole, close };
  const given = counted(whole);
  return { compression, tar: bounded(await decoded(given, compression, limits), given, limits), close };
}

/** The tar inside, bounded: output ≤ limits.totalSize, ratio ≤ limits.ratio once past 64 MiB (Z01…Z06, A13). */
export async function* decompress(
  source: AsyncIterable<Uint8Array>,
  limits: DecompressionLimits = defaultDecompressionLimits,
): AsyncGenerator<Uint8Array> {
  yield* (await openCompressed(source, limits)).tar;
}

/** The decoders but zlib's are JavaScript: what a hostile stream breaks is an array bound, not memory. Loaded when met. */
async function decoded(
  given: Given,
  compression: Exclude<Compression, "none">,
  limits: DecompressionLimits,
): Promise<AsyncIterable<Uint8Array>> {
  switch (compression) {
    case "gzip":
      return gunzip(given);
    case "bzip2":
      return (await import("../compression/bzip2.ts")).unbzip2(given.chunks);
    case "xz":
      return (await import("../compression/xz.ts")).unxz(given.chunks, { memory: limits.xzMemory });
    case "zstd":
      return (await import("../compression/zstd.ts")).unzstd(given.chunks, { window: limits.zstdWindow });
  }
}

async function* bounded(
  tar: AsyncIterable<Uint8Array>,
  given: Given,
  limits: DecompressionLimits,
): AsyncGenerator<Uint8Array> {
  let produced = 0;
  for await (const chunk of tar) {
    produced += chunk.length;
    if (produced > limits.totalSize || (produced > ratioCountsFrom && produced > given.bytes * limits.ratio)) {
      throw bomb(produced, given.bytes);
    }
    yield chunk;
  }
}

function counted(source: AsyncIterable<Uint8Array>): Given {
  const given: Given = { bytes: 0, isWhole: false, chunks: count() };
  async function* count(): AsyncGenerator<Uint8Array> {
    for await (const chunk of source) {
      given.bytes += chunk.length;
      yield chunk;
    }
    given.isWhole = true;
  }
  return given;
}

async function readHead(iterator: AsyncIterator<Uint8Array>) {
  const bytes: Uint8Array[] = [];
  let head: Uint8Array = new Uint8Array();
  while (head.length < longestMagic) {
    const next = await iterator.next();
    if (next.done === true) break;
    bytes.push(next.value);
    head = bytes.length === 1 ? next.value : Buffer.concat(bytes);
  }
  return { head, bytes };
}

/** The chunks read already, then the rest; ending early ends the source. */
async function* continued(
  bytes: readonly Uint8Array[],
  iterator: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  try {
    yield* bytes;
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) yield next.value;
  } finally {
    await iterator.return?.();
  }
}

/**
 * zlib checks the CRC and the length of each member. It overlooks zeros after the last one, so its count of bytes is
 * compared with ours: a file has one reading (Z02).
 */
async function* gunzip(given: Given): AsyncGenerator<Uint8Array> {
  // Room for several chunks keeps the thread pool busy while the consumer hashes and parses.
  const options = { chunkSize, highWaterMark: 4 * chunkSize };
  const engine = createGunzip(options);
  // The error, ours or the source's, comes out of the iteration below; this only keeps it from being unhandled.
  pipeline(given.chunks, engine, () => {});
  try {
    yield* engine;
  } catch (error) {
    throw gzipFailure(error);
  }
  if (!given.isWhole || engine.bytesWritten !== given.bytes) {
    throw trailing("gzip");
  }
}

function bomb(produced: number, given: number): Failure {
  return new Failure(
    "LIMIT_EXCEEDED",
    `the image unpacks to more than allowed: ${produced} bytes from ${given}`,
    raiseLimit("ratio"),
  );
}

/** zlib's own errors in our words; those of the source pass. */
function gzipFailure(error: unknown): unknown {
  if (!(errnoOf(error) ?? "").startsWith("Z_")) return error;
  // The first header was seen by its magic: this is what stands where a second could.
  if (error instanceof Error && error.message === "incorrect header check") return trailing("gzip");
  const isCut = errnoOf(error) === "Z_BUF_ERROR";
  return new Failure("ARCHIVE_INVALID", isCut ? "the gzip data is cut off" : "the gzip data is damaged", {
    cause: error,
    hint: "fetch or build it again",
  });
}
