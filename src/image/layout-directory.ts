/** An image before it is an archive: a directory with the file `manifest` and the directory `rootfs`, as actool has it. */
import { lstat, readdir } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { errnoOf, Failure, printable } from "../base/failure.ts";
import { ioFailure, readIfExists } from "../base/files.ts";
import { manifestLimit } from "../schema/grammar.ts";

export interface LayoutDirectory {
  readonly manifestPath: string;
  readonly manifest: Buffer;
  readonly rootfs: string;
}

/**
 * The parts of the layout in `directory`; what an archive of it would be refused for is refused here (ACI-3, A04, A07, A08).
 * @throws Failure NOT_FOUND, IMAGE_INVALID, LIMIT_EXCEEDED
 */
export async function readLayoutDirectory(directory: string): Promise<LayoutDirectory> {
  const shown = printable(directory);
  const names = await readdir(directory).catch((error: unknown) => {
    if (errnoOf(error) === "ENOTDIR") throw notDirectory(shown, directory);
    if (errnoOf(error) === "ENOENT") throw notThere(`the directory ${shown}`, directory, error);
    throw ioFailure(error, `cannot read the directory ${shown}`, directory);
  });
  const manifestPath = join(directory, "manifest");
  const rootfs = join(directory, "rootfs");
  if (!names.includes("manifest")) throw missing(manifestPath, "write it there, or give --manifest FILE --rootfs DIR");
  if (!names.includes("rootfs")) throw missing(rootfs, "move the files of the image into it");
  const stranger = names.find((name) => name !== "manifest" && name !== "rootfs");
  if (stranger !== undefined) {
    throw new Failure("IMAGE_INVALID", `${printable(join(directory, stranger))} lies beside manifest and rootfs`, {
      subject: stranger,
      hint: "move it away: an image has nothing else (ACI-3)",
    });
  }
  if (!(await lstat(rootfs)).isDirectory()) throw notDirectory(printable(rootfs), rootfs);
  return { manifestPath, manifest: await readManifestFile(manifestPath), rootfs };
}

/** The bytes of a manifest file. @throws Failure NOT_FOUND, IMAGE_INVALID when it is no regular file, LIMIT_EXCEEDED */
export async function readManifestFile(path: string): Promise<Buffer> {
  const status = await lstat(path).catch((error: unknown) => {
    if (errnoOf(error) === "ENOENT") throw notThere(`the manifest ${printable(path)}`, path, error);
    throw ioFailure(error, `cannot read the manifest ${printable(path)}`, path);
  });
  if (!status.isFile()) {
    throw new Failure("IMAGE_INVALID", `the manifest ${printable(path)} is no regular file`, { subject: path });
  }
  const bytes = await readIfExists(path, manifestLimit);
  if (bytes === undefined) throw missing(path, "write it");
  return bytes;
}

/** @internal for build.ts, which says the same of a root file system. */
export function notThere(what: string, path: string, cause: unknown): Failure {
  return new Failure("NOT_FOUND", `${what} is not there`, {
    subject: path,
    cause,
    hint: `check the spelling; it would be in ${printable(dirname(resolve(path)))}`,
  });
}

function missing(path: string, hint: string): Failure {
  return new Failure("IMAGE_INVALID", `${printable(path)} is missing`, { subject: path, hint });
}

function notDirectory(shown: string, subject: string): Failure {
  return new Failure("IMAGE_INVALID", `${shown} is not a directory`, {
    subject,
    hint: "give a directory with the file manifest and the directory rootfs",
  });
}
