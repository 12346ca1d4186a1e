/** The files of an image that lies on this machine: in a directory, or in a tar that is read once for its names. Knows nothing of what they mean. */
import { constants, type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, excerpt, Failure, printable } from "../base/failure.ts";
import { ioFailure } from "../base/files.ts";
import { sniffCompression } from "../image/compression.ts";
import { fillOf } from "../tar/body.ts";
import { pathKey } from "../tar/entry.ts";
import { readTar } from "../tar/read.ts";
import { collect } from "./source.ts";

export interface FileSet {
  /** Bytes of the file; undefined when there is none of that name. */
  size(name: string): Promise<number | undefined>;
  /** @throws Failure NOT_FOUND */
  open(name: string): AsyncIterable<Uint8Array>;
  close(): Promise<void>;
}

const chunkSize = 256 * 1024;
const readOnly = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** The small file, whole; undefined when it is not there. @throws Failure LIMIT_EXCEEDED */
export async function readSmall(files: FileSet, name: string, limit: number): Promise<Buffer | undefined> {
  const size = await files.size(name);
  return size === undefined ? undefined : await collect(files.open(name), limit, name);
}

/** @param name relative, made by us: never taken from an image unchecked */
export function directoryFiles(directory: string): FileSet {
  const reach = async (name: string): Promise<FileHandle | undefined> => {
    const path = join(directory, name);
    try {
      const handle = await open(path, readOnly);
      if ((await handle.stat()).isFile()) return handle;
      await handle.close();
    } catch (error) {
      if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return undefined;
      throw ioFailure(error, `cannot read ${printable(path)}`, path);
    }
    throw new Failure("IMAGE_INVALID", `${printable(path)} is no regular file`, { subject: path });
  };
  async function* content(name: string): AsyncGenerator<Uint8Array> {
    const handle = await reach(name);
    if (handle === undefined) throw missing(join(directory, name));
    try {
      yield* handle.createReadStream({ autoClose: false, highWaterMark: chunkSize });
    } finally {
      await handle.close();
    }
  }
  return {
    size: async (name) => {
      const handle = await reach(name);
      try {
        return (await handle?.stat())?.size;
      } finally {
        await handle?.close();
      }
    },
    open: content,
    close: async () => {},
  };
}

interface Span {
  readonly start: number;
  readonly size: number;
}

/**
 * A tar is read to its end first: what stands there twice, or with holes, could be two files to two readers.
 * @throws Failure NOT_FOUND, ARCHIVE_INVALID, UNSUPPORTED for a compressed one
 */
export async function archiveFiles(path: string): Promise<FileSet> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((error: unknown) => {
    throw ioFailure(error, `cannot read ${printable(path)}`, path);
  });
  try {
    if (!(await handle.stat()).isFile()) throw new Failure("IO_FAILED", `${printable(path)} is no regular file`);
    const spans = await findMembers(handle, path);
    return {
      size: async (name) => spans.get(name)?.size,
      open: (name) => {
        const span = spans.get(name);
        if (span === undefined) throw missing(`${path}: ${name}`);
        return piece(handle, span);
      },
      close: () => handle.close(),
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function findMembers(handle: FileHandle, path: string): Promise<ReadonlyMap<string, Span>> {
  const { size } = await handle.stat();
  const head = Buffer.alloc(8);
  await handle.read(head, 0, head.length, 0);
  const compression = sniffCompression(head);
  if (compression !== "none") {
    throw new Failure("UNSUPPORTED", `${printable(path)} is compressed with ${compression}`, {
      subject: path,
      hint: `unpack it first: ${compression} -dc FILE > FILE.tar`,
    });
  }
  const spans = new Map<string, Span>();
  for await (const member of readTar(piece(handle, { start: 0, size }))) {
    const name = pathKey(member.path);
    if (member.type === "directory") continue;
    if (spans.has(name)) throw twice(path, name);
    if (member.type !== "file") continue;
    if (member.isSparse === true || member.span === undefined) throw twice(path, name);
    spans.set(name, { start: member.span.end - fillOf(member.size) - member.size, size: member.size });
  }
  return spans;
}

async function* piece(handle: FileHandle, { start, size }: Span): AsyncGenerator<Uint8Array> {
  for (let at = start; at < start + size; ) {
    const buffer = Buffer.allocUnsafeSlow(Math.min(chunkSize, start + size - at));
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, at);
    if (bytesRead === 0) return; // cut off meanwhile: whoever compares the digest will say so
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

function missing(path: string): Failure {
  return new Failure("NOT_FOUND", `${printable(path)} is not there`, {
    subject: path,
    cause: "the image names it, but does not bring it",
  });
}

function twice(path: string, name: string): Failure {
  return new Failure("ARCHIVE_INVALID", `${printable(path)} has ${excerpt(name)} twice, or with holes`, {
    subject: path,
  });
}
