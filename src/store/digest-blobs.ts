/** Blobs that are known by a digest of somebody else's choice: layers and configs of Docker and OCI images, as they came (LAYER-2). */
import { constants, type FileHandle, link, lstat, open, rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import { makeDirectories } from "../base/directories.ts";
import { errnoOf, Failure } from "../base/failure.ts";
import { ioFailure, syncDirectory } from "../base/files.ts";
import type { Store } from "./layout.ts";
import { throwAway } from "./staging.ts";

/** Made when the first of them comes. */
export const digestBlobsOf = (store: Store): string => join(store.root, "blobs", "oci");

/** @param digest `sha256:…` or `sha512:…`, checked: it becomes a path */
export function digestBlobPath(store: Store, digest: string): string {
  const [algorithm = "", hex = ""] = digest.split(":");
  return join(digestBlobsOf(store), hex.slice(0, 2), `${algorithm}-${hex}`);
}

/** The digest that a file of that name holds; undefined for a stranger's. */
export function digestOfName(name: string): string | undefined {
  return /^sha(?:256-[0-9a-f]{64}|512-[0-9a-f]{128})$/.test(name) ? name.replace("-", ":") : undefined;
}

/** Whether a blob of that size is there. Its bytes were compared when it came. */
export async function hasDigestBlob(store: Store, digest: string, size: number): Promise<boolean> {
  const stats = await lstat(digestBlobPath(store, digest)).catch((error: unknown) => {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw ioFailure(error, `cannot look at ${digest}`, digest);
  });
  return stats?.isFile() === true && stats.size === size;
}

/**
 * Gives a verified, synced file of staging its place; what stands there with another size has rotted, and goes. The name is durable after
 * syncDigestBlobs.
 */
export async function placeDigestBlob(store: Store, from: string, digest: string): Promise<void> {
  const path = digestBlobPath(store, digest);
  try {
    makeDirectories(dirname(path), 0o700);
    await link(from, path).catch(async (error: unknown) => {
      if (errnoOf(error) !== "EEXIST") throw error;
      const [there, here] = [await lstat(path), await lstat(from)];
      if (there.isFile() && there.size === here.size) return;
      await throwAway(store, [path]);
      await rename(from, path);
    });
  } catch (error) {
    throw ioFailure(error, `cannot store ${digest}`, path);
  }
}

/** Makes the names of blobs durable, whoever gave them. */
export async function syncDigestBlobs(store: Store, digests: readonly string[]): Promise<void> {
  const shelves = new Set(digests.map((digest) => dirname(digestBlobPath(store, digest))));
  for (const directory of [...shelves, digestBlobsOf(store), dirname(digestBlobsOf(store))]) {
    await syncDirectory(directory).catch((error: unknown) => {
      throw ioFailure(error, `cannot store blobs in ${directory}`, directory);
    });
  }
}

/** Its bytes, as they are: the caller compares them with the digest. @throws Failure NOT_FOUND */
export async function* readDigestBlob(store: Store, digest: string): AsyncGenerator<Uint8Array> {
  const handle = await openBlob(store, digest);
  try {
    yield* handle.createReadStream({ autoClose: false, highWaterMark: 256 * 1024 });
  } finally {
    await handle.close();
  }
}

async function openBlob(store: Store, digest: string): Promise<FileHandle> {
  const path = digestBlobPath(store, digest);
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const handle = await open(path, flags).catch((error: unknown) => {
    throw ioFailure(error, `cannot open the blob ${digest}`, path);
  });
  if ((await handle.stat()).isFile()) return handle;
  await handle.close();
  throw new Failure("IO_FAILED", `the blob ${digest} is no regular file`, { subject: path });
}
