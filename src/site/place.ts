/** Puts files into a directory that is being served: nothing is touched that is right already, nothing is ever half there. */
import { randomBytes } from "node:crypto";
import { constants, copyFile, type FileHandle, link, mkdir, open, rename, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { errnoOf } from "../base/failure.ts";
import { ignoreMissing, ioFailure, readIfExists, syncDirectory, writeAtomic } from "../base/files.ts";

export type Change = "added" | "replaced" | "unchanged";

/** Bytes; bills of materials are the largest. */
const largestText = 128 * 1024 * 1024;
const chunkSize = 256 * 1024;

/** A text or small file. */
export async function placeBytes(path: string, bytes: Uint8Array | string): Promise<Change> {
  const there = await readIfExists(path, largestText);
  if (there?.equals(Buffer.from(bytes)) === true) return "unchanged";
  await makeParents(path);
  await writeAtomic(path, bytes, 0o644);
  return there === undefined ? "added" : "replaced";
}

/**
 * The image at `source`, and its signature, become `target` and `target`.asc. While one image replaces another there is no signature
 * at all for a moment: a client then says that it is missing, not that somebody changed the image.
 * `share`: the source is of this site and may be the same file.
 */
export async function placeImage(
  source: string,
  signature: Uint8Array | undefined,
  target: string,
  share = false,
): Promise<Change> {
  const signatureFile = `${target}.asc`;
  const there = await compare(source, target);
  if (there !== "same") {
    await makeParents(target);
    const temporary = join(dirname(target), `.${randomBytes(6).toString("hex")}.tmp`);
    try {
      if (!share || !(await tryLink(source, temporary))) await copy(source, temporary);
      await unlink(signatureFile).catch(ignoreMissing);
      await rename(temporary, target);
    } catch (error) {
      await unlink(temporary).catch(ignoreMissing);
      throw ioFailure(error, `cannot write ${target}`, target);
    }
    await syncDirectory(dirname(target));
  }
  if (signature === undefined) await unlink(signatureFile).catch(ignoreMissing);
  const signed = signature === undefined ? "unchanged" : await placeBytes(signatureFile, signature);
  if (there === "same") return signed === "unchanged" ? "unchanged" : "replaced";
  return there === "missing" ? "added" : "replaced";
}

async function makeParents(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o755 }).catch((error: unknown) => {
    throw ioFailure(error, `cannot make ${dirname(path)}`, dirname(path));
  });
}

async function tryLink(source: string, target: string): Promise<boolean> {
  try {
    await link(source, target);
    return true;
  } catch (error) {
    if (["EPERM", "EMLINK", "EOPNOTSUPP", "ENOSYS"].includes(errnoOf(error) ?? "")) return false;
    throw error;
  }
}

/** With the time of the source, so that a site says of an image when it was made. */
async function copy(source: string, target: string): Promise<void> {
  await copyFile(source, target, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
  const [from, to] = await Promise.all([open(source), open(target, "r+")]);
  try {
    const { atime, mtime } = await from.stat();
    await to.utimes(atime, mtime);
    await to.chmod(0o644);
    await to.sync();
  } finally {
    await Promise.all([from.close(), to.close()]);
  }
}

async function compare(source: string, target: string): Promise<"same" | "different" | "missing"> {
  const from = await open(source).catch((error: unknown) => {
    throw ioFailure(error, `cannot read ${source}`, source);
  });
  try {
    const to = await open(target, constants.O_RDONLY | constants.O_NONBLOCK).catch((error: unknown) => {
      if (errnoOf(error) === "ENOENT") return undefined;
      throw ioFailure(error, `cannot read ${target}`, target);
    });
    if (to === undefined) return "missing";
    try {
      return (await sameContent(from, to)) ? "same" : "different";
    } finally {
      await to.close();
    }
  } finally {
    await from.close();
  }
}

async function sameContent(left: FileHandle, right: FileHandle): Promise<boolean> {
  const [one, other] = await Promise.all([left.stat(), right.stat()]);
  if (!other.isFile() || one.size !== other.size) return false;
  if (one.ino === other.ino && one.dev === other.dev) return true;
  const buffers = [Buffer.allocUnsafe(chunkSize), Buffer.allocUnsafe(chunkSize)] as const;
  for (let at = 0; at < one.size; at += chunkSize) {
    const [ours, theirs] = await Promise.all([
      left.read(buffers[0], 0, chunkSize, at),
      right.read(buffers[1], 0, chunkSize, at),
    ]);
    const isSame = buffers[0].subarray(0, ours.bytesRead).equals(buffers[1].subarray(0, theirs.bytesRead));
    if (!isSame) return false;
  }
  return true;
}
