/** Whether a file of a site is right already, and copying one. */
import { constants, copyFile, type FileHandle, open } from "node:fs/promises";
import { errnoOf } from "../base/failure.ts";
import { ioFailure, readIfExists } from "../base/files.ts";

/** Bytes; bills of materials are the largest. */
const largestText = 128 * 1024 * 1024;
const chunkSize = 256 * 1024;

/** What putting `bytes` at `target` would change. @throws Failure IO_FAILED */
export async function isSameText(bytes: Buffer, target: string): Promise<"added" | "replaced" | "unchanged"> {
  const there = await readIfExists(target, largestText);
  if (there === undefined) return "added";
  return there.equals(bytes) ? "unchanged" : "replaced";
}

/** What putting the content of `source` at `target` would change. @throws Failure NOT_FOUND, IO_FAILED */
export async function isSameContent(source: string, target: string): Promise<"added" | "replaced" | "unchanged"> {
  const from = await open(source).catch((error: unknown) => {
    throw ioFailure(error, `cannot read ${source}`, source);
  });
  try {
    const to = await open(target, constants.O_RDONLY | constants.O_NONBLOCK).catch((error: unknown) => {
      if (errnoOf(error) === "ENOENT") return undefined;
      throw ioFailure(error, `cannot read ${target}`, target);
    });
    if (to === undefined) return "added";
    try {
      return (await areEqual(from, to)) ? "unchanged" : "replaced";
    } finally {
      await to.close();
    }
  } finally {
    await from.close();
  }
}

async function areEqual(left: FileHandle, right: FileHandle): Promise<boolean> {
  const [one, other] = await Promise.all([left.stat(), right.stat()]);
  if (!other.isFile() || one.size !== other.size) return false;
  if (one.ino === other.ino && one.dev === other.dev) return true;
  const buffers = [Buffer.allocUnsafe(chunkSize), Buffer.allocUnsafe(chunkSize)] as const;
  for (let at = 0; at < one.size; at += chunkSize) {
    const [ours, theirs] = await Promise.all([
      left.read(buffers[0], 0, chunkSize, at),
      right.read(buffers[1], 0, chunkSize, at),
    ]);
    if (!buffers[0].subarray(0, ours.bytesRead).equals(buffers[1].subarray(0, theirs.bytesRead))) return false;
  }
  return true;
}

/** By reference where the file system can; to a name that is not taken. */
export async function copyContent(source: string, target: string): Promise<void> {
  await copyFile(source, target, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
}
