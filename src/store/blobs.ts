/**
 * Imports: bytes that were verified elsewhere become an image of the store, in an order that leaves a whole store behind
 * whenever it is cut short. What a signature is, or where bytes come from, is not known here.
 */
import { constants, type FileHandle, link, lstat, mkdir, open, rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import { sha512 } from "../base/digest.ts";
import { errnoOf, Failure } from "../base/failure.ts";
import { ioFailure, syncDirectory } from "../base/files.ts";
import { FileLock } from "../shim/flock.ts";
import { blobPath, blobsOf, indexOf, lockOf, manifestPath, recordPath, type Store, signaturePath } from "./layout.ts";
import { readRecordSync, renderFacts } from "./lookup.ts";
import { isPartOf, noteDownload, noteWhole, type Partial, partialIn } from "./partial.ts";
import { encodeSelfChecking, type ImageRecord, mergeRecords, type StoredRecord } from "./records.ts";
import { adoptStaging, makeStaging, type StagingDirectory, throwAway } from "./staging.ts";
import { publishTree, treeSizeOf } from "./trees.ts";

/** An import under way: a flocked temporary directory of the store that any process can tell live from dead. */
export interface Staging {
  /** The archive being written; every later pass reads this descriptor (T-S29). */
  readonly archive: FileHandle;
  readonly archivePath: string;
  /** An empty directory for the unpacked rootfs. */
  readonly rootfs: string;
  /** The archive is whole: it begins to go to the disk now, while it is unpacked. `commit` waits for that, and fails if it failed. */
  beginSync(): void;
  /**
   * Durable when resolved, in the order of security-and-reliability.md 5.2b; the rootfs must be synced already. A second import
   * of the same image is success and keeps the first one's blob.
   * @param parts.signature the detached signature's bytes, kept beside
   * @throws Failure DIGEST_MISMATCH when the archive is not as long as the record says, DISK_FULL, IO_FAILED
   */
  commit(record: Omit<ImageRecord, "importedAt">, parts: ImportParts): Promise<ImageRecord>;
  /** What is in `archive` already, from a download that was broken off. */
  readonly partial: Partial | undefined;
  /** Notes what is being downloaded, so that it can be gone on with; undefined: it cannot. */
  noteDownload(url: string, validator: string | undefined): Promise<void>;
  /** Notes that all of it came: whoever wants the same may copy `archive` from now on (DOWNLOAD-1). */
  noteWhole(url: string): Promise<void>;
  /** Removes everything; never throws. With `keepPart`, what was noted as a download stays for the next. */
  abandon(keepPart?: boolean): Promise<void>;
}

export interface ImportParts {
  readonly manifest: Buffer;
  readonly signature?: Buffer | undefined;
  /** The stored archive of these bytes has rotted: this one takes its place. */
  readonly replaceBlob?: boolean | undefined;
  /** Called when the image is stored, before those who wait for that go on. */
  readonly whenStored?: (() => Promise<void>) | undefined;
}

/** Called after every change to the disk, with what was done: where a test ends the process. */
export type OnStep = (step: string) => void;

/** @param url where the archive will be downloaded from: a part of it that is left from before is taken over */
export async function beginImport(store: Store, onStep: OnStep = () => {}, url?: string): Promise<Staging> {
  const adopted = url === undefined ? undefined : await adoptStaging(store, (path) => isPartOf(path, url));
  const staging = adopted ?? (await makeStaging(store));
  onStep("staging made");
  const archivePath = join(staging.path, "archive");
  const opening =
    adopted === undefined ? createFile(archivePath) : open(archivePath, constants.O_RDWR | constants.O_NOFOLLOW);
  const archive = await opening.catch(async (error: unknown) => {
    await staging.discard().catch(() => {});
    throw ioFailure(error, `cannot write ${archivePath}`, archivePath);
  });
  onStep("archive made");
  const end = async (keepPart = false): Promise<void> => {
    await archive.close().catch(() => {});
    if (keepPart && partialIn(staging.path) !== undefined) return staging.leave();
    // What cannot be removed now is removed by the next sweep, since nobody holds its lock any more.
    await staging.discard().catch(() => {});
  };
  let syncing: Promise<void> | undefined;
  const sync = (): Promise<void> => {
    syncing ??= archive.sync();
    return syncing;
  };
  return {
    archive,
    archivePath,
    rootfs: staging.rootfs,
    partial: adopted === undefined ? undefined : partialIn(staging.path),
    noteDownload: (from, validator) => noteDownload(staging.path, from, validator),
    noteWhole: async (from) => {
      await noteDownload(staging.path, from, undefined);
      await noteWhole(staging.path, from);
    },
    beginSync: () => void sync().catch(() => {}), // met by commit: the kernel tells of a failure only once
    commit: async (record, parts) => {
      const importing: Import = { store, staging, archive, archivePath, sync, onStep };
      const stored = await commit(importing, record, parts);
      try {
        await parts.whenStored?.();
      } finally {
        await end();
      }
      return stored;
    },
    abandon: end,
  };
}

interface Import {
  readonly store: Store;
  readonly staging: StagingDirectory;
  readonly archive: FileHandle;
  readonly archivePath: string;
  /** Of the archive; once, whoever asks. */
  readonly sync: () => Promise<void>;
  readonly onStep: OnStep;
}

/**
 * Blob, signature, manifest, tree, then the record: an image is listed only when all of it is there (I1), and a blob has its
 * final name only when its bytes are on the disk (I2).
 */
async function commit(
  importing: Import,
  record: Omit<ImageRecord, "importedAt">,
  parts: ImportParts,
): Promise<ImageRecord> {
  const { store, staging, onStep } = importing;
  await syncArchive(importing, record.archive.size);
  const manifest = await stage(importing, "manifest", parts.manifest);
  const signature = parts.signature && (await stage(importing, "signature", parts.signature));
  // Nothing is removed from the store while it is held shared; the index is held so that two imports see each other's record.
  const lock = await FileLock.acquire(lockOf(store), "shared");
  try {
    const index = await FileLock.acquire(indexOf(store), "exclusive");
    try {
      const fresh: StoredRecord = {
        ...record,
        importedAt: new Date().toISOString(),
        manifest: { sha512: sha512(parts.manifest) },
      };
      const next = mergeRecords(readRecordSync(store, record.id), fresh);
      if (next.archive.sha512 === record.archive.sha512)
        await placeBlob(importing, record.archive, signature, parts.replaceBlob);
      await place(importing, manifest, manifestPath(store, record.id));
      if (isWholeTree(parts.manifest, record)) await publishTree(store, staging, record.id, [record.id], onStep);
      const treeSize = treeSizeOf(store, record.id)?.size;
      const listed: StoredRecord = { ...next, ...(treeSize !== undefined && { treeSize }) };
      const staged = await stage(importing, "record", Buffer.from(encodeSelfChecking(listed)));
      await place(importing, staged, recordPath(store, record.id));
      return listed;
    } finally {
      index.release();
    }
  } catch (error) {
    throw ioFailure(error, `cannot store ${record.name}`, store.root);
  } finally {
    lock.release();
  }
}

/** An image's own rootfs is its tree only when nothing is laid below it and nothing is left out of it (ACI-49). */
function isWholeTree(manifest: Buffer, record: Omit<ImageRecord, "importedAt">): boolean {
  return !record.hasDependencies && renderFacts(manifest, record.name).whitelist.length === 0;
}

async function syncArchive({ archive, sync, onStep }: Import, expected: number): Promise<void> {
  const { size } = await archive.stat();
  if (size !== expected) {
    throw new Failure("DIGEST_MISMATCH", `the archive has ${size} bytes after it was verified with ${expected}`);
  }
  await sync();
  onStep("archive synced");
}

async function placeBlob(
  importing: Import,
  blob: ImageRecord["archive"],
  signature: string | undefined,
  replace = false,
): Promise<void> {
  const { store, archivePath, onStep } = importing;
  const path = blobPath(store, blob.sha512);
  await makeShelf(importing, dirname(path));
  await syncDirectory(blobsOf(store));
  try {
    await link(archivePath, path);
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw error;
    // Another import of the same bytes was faster. Another length means a rotten file, which the verified one replaces.
    const there = await lstat(path);
    if (replace || !there.isFile() || there.size !== blob.size) await put(store, archivePath, path);
  }
  onStep("blob linked");
  if (signature !== undefined) await put(store, signature, signaturePath(store, blob.sha512));
  await syncDirectory(dirname(path));
  onStep("blob directory synced");
}

async function makeShelf({ store, onStep }: Import, shelf: string): Promise<void> {
  try {
    await mkdir(shelf, { mode: 0o700 });
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw error;
    if ((await lstat(shelf)).isDirectory()) return;
    await throwAway(store, [shelf]);
    await mkdir(shelf, { mode: 0o700 });
  }
  onStep("blob directory made");
}

/** Gives a file its name, whatever has it now: a directory there makes room. */
async function put(store: Store, from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if (errnoOf(error) !== "EISDIR") throw error;
    await throwAway(store, [to]);
    await rename(from, to);
  }
}

/** Bytes in a file of the working directory, on the disk. @returns its path */
async function stage({ staging, onStep }: Import, name: string, bytes: Buffer): Promise<string> {
  const path = join(staging.path, name);
  const handle = await createFile(path);
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } catch (error) {
    throw ioFailure(error, `cannot write ${path}`, path);
  } finally {
    await handle.close();
  }
  onStep(`${name} staged`);
  return path;
}

async function place({ store, onStep }: Import, staged: string, path: string): Promise<void> {
  await put(store, staged, path);
  onStep(`${path} placed`);
  await syncDirectory(dirname(path));
  onStep(`${path} synced`);
}

/** Created exclusively, so that nothing planted is opened; for the owner alone. */
function createFile(path: string): Promise<FileHandle> {
  return open(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
}
