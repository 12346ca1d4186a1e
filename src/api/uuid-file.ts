/** The files that carry a pod's uuid between commands of a service unit. */
import { lstat, rename, unlink } from "node:fs/promises";
import { Failure, printable } from "../base/failure.ts";
import { ignoreMissing, ioFailure, readIfExists, tempBeside } from "../base/files.ts";

/** The pod named by the one argument, or by the uuid file instead of it. @throws Failure USAGE, NOT_FOUND */
export async function readUuidFile(args: readonly string[], file: string | undefined): Promise<string> {
  const [only, ...others] = await podsFrom(args, file);
  if (only === undefined || others.length > 0)
    throw new Failure("USAGE", "one pod is needed", { hint: "perigee list shows the uuids" });
  return only;
}

/** The pods named by arguments, or by a uuid file. @throws Failure USAGE when both or neither are given */
export async function podsFrom(args: readonly string[], file: string | undefined): Promise<readonly string[]> {
  if ((file === undefined) === (args.length === 0)) {
    throw new Failure("USAGE", "name pods, or give --uuid-file", { hint: "perigee list shows the uuids" });
  }
  if (file === undefined) return args;
  const bytes = await readIfExists(file, 4096);
  if (bytes === undefined) throw new Failure("NOT_FOUND", `there is no file ${printable(file)}`, { subject: file });
  return [bytes.toString("utf8").trim()];
}

/** A uuid file that this process made. The inode says whether it still is that one. */
export interface SavedUuidFile {
  readonly path: string;
  readonly device: bigint;
  readonly inode: bigint;
}

/**
 * 36 characters without a newline, mode 0644, as rkt's users expect. The name is given to a new file, so that nothing that stands there is
 * opened: a device, a link or a FIFO is refused (LIFE-36). @throws Failure IO_FAILED, NOT_FOUND, DISK_FULL
 */
export async function saveUuidFile(path: string, uuid: string): Promise<SavedUuidFile> {
  try {
    await requireReplaceable(path);
    const temporary = await tempBeside(path, 0o644);
    try {
      await temporary.handle.writeFile(uuid);
      const { dev, ino } = await temporary.handle.stat({ bigint: true });
      await rename(temporary.path, path);
      return { path, device: dev, inode: ino };
    } catch (error) {
      await unlink(temporary.path).catch(ignoreMissing);
      throw error;
    } finally {
      await temporary.handle.close();
    }
  } catch (error) {
    throw ioFailure(error, `cannot write ${printable(path)}`, path);
  }
}

async function requireReplaceable(path: string): Promise<void> {
  const stat = await lstat(path).catch(ignoreMissing);
  if (stat === undefined || stat.isFile()) return;
  throw new Failure("IO_FAILED", `cannot write ${printable(path)}`, {
    subject: path,
    cause: "it is there and not a regular file",
    hint: "name a file that is not there yet, or one of an earlier pod",
  });
}

/** Takes back what saveUuidFile wrote, for a pod that did not start; a file that another pod's run has put there meanwhile stays. */
export async function removeUuidFile({ path, device, inode }: SavedUuidFile): Promise<void> {
  const stat = await lstat(path, { bigint: true }).catch(ignoreMissing);
  if (stat?.dev === device && stat.ino === inode) await unlink(path).catch(ignoreMissing);
}
