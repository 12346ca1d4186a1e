/** Files that the user named: read in chunks, written never over what is there unless he asked for it, and never half. */
import { constants } from "node:fs";
import { type FileHandle, link, lstat, open, rename, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { errnoOf, Failure } from "../base/failure.ts";
import { ioFailure, syncDirectory, tempBeside, writeAtomic } from "../base/files.ts";

/** Enough for the digest to be the work; small enough to stay in the processor's cache. */
const chunkSize = 256 * 1024;

/** A regular file, open for reading; a FIFO neither hangs us nor counts. @throws Failure NOT_FOUND, IO_FAILED */
export async function openFile(path: string): Promise<FileHandle> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((error: unknown) => {
    throw ioFailure(error, `cannot read ${path}`, path);
  });
  if ((await handle.stat()).isFile()) return handle;
  await handle.close();
  throw new Failure("IO_FAILED", `${path} is not a file`, { subject: path });
}

/** The bytes of the file from its current position, in constant memory. @throws Failure INTERRUPTED */
export async function* readChunks(handle: FileHandle, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
  for (;;) {
    if (signal?.aborted === true) throw new Failure("INTERRUPTED", "interrupted");
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(chunkSize));
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
  }
}

export interface OutputOptions {
  readonly mode: number;
  readonly overwrite: boolean;
}

/** To be asked before the work whose result goes to `path`. @throws Failure ALREADY_EXISTS */
export async function requireWritable(path: string, { overwrite }: OutputOptions): Promise<void> {
  if (overwrite) return;
  const found = await lstat(path).then(
    () => true,
    () => false,
  );
  if (found) throw exists(path);
}

/** @throws Failure ALREADY_EXISTS, also when the file appeared only just now */
export async function writeOutput(path: string, bytes: Uint8Array | string, options: OutputOptions): Promise<void> {
  if (options.overwrite) return await writeAtomic(path, bytes, options.mode);
  const temporary = await tempBeside(path, options.mode).catch((error: unknown) => {
    throw ioFailure(error, `cannot write ${path}`, path);
  });
  try {
    await temporary.handle.writeFile(bytes);
    await temporary.handle.chmod(options.mode);
    await temporary.handle.sync();
    await nameOnce(temporary.path, path);
  } catch (error) {
    if (errnoOf(error) === "EEXIST") throw exists(path);
    throw ioFailure(error, `cannot write ${path}`, path);
  } finally {
    await temporary.handle.close();
    await unlink(temporary.path).catch((error: unknown) => {
      // It has its last name already.
      if (errnoOf(error) !== "ENOENT") throw error;
    });
  }
  await syncDirectory(dirname(path));
}

/**
 * Names the file `from` `to`, which must be nobody's name: unlike rename, link never replaces. Where the file system has no links (vfat,
 * exFAT, some of FUSE) the name is taken with an empty file first, which rename then replaces: who comes second finds it taken, and nobody
 * finds half a file.
 * @throws the system's error; EEXIST for a name that is taken
 */
export async function nameOnce(from: string, to: string, linkFile: typeof link = link): Promise<void> {
  try {
    return await linkFile(from, to);
  } catch (error) {
    if (!["EPERM", "EOPNOTSUPP", "ENOSYS"].includes(errnoOf(error) ?? "")) throw error;
  }
  await (await open(to, "wx", 0o600)).close();
  try {
    await rename(from, to);
  } catch (error) {
    await unlink(to);
    throw error;
  }
}

function exists(path: string): Failure {
  return new Failure("ALREADY_EXISTS", `${path} is there already`, {
    subject: path,
    hint: "--overwrite replaces it, --output writes elsewhere",
  });
}
