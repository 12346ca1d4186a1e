/** Opening a file of a site: nothing outside of its directory is ever opened for an answer, whatever links lie in it. */
import { constants } from "node:fs";
import { type FileHandle, open, readlink, realpath } from "node:fs/promises";
import { join } from "node:path";

export interface SiteFile {
  readonly handle: FileHandle;
  readonly names: readonly string[];
  readonly size: number;
  readonly modifiedAt: Date;
  /** Strong: another content has another tag, because files of a site are replaced and never changed. */
  readonly etag: string;
}

export interface OpenOptions {
  /** Only a directory is meant: a file that is called so is none. */
  readonly isDirectory?: boolean | undefined;
}

/** The regular file `names` below `directory`, or `index.html` of the directory of that name. Undefined when there is none. */
export async function openSiteFile(
  directory: string,
  names: readonly string[],
  { isDirectory = false }: OpenOptions = {},
): Promise<SiteFile | undefined> {
  const root = await realpath(directory);
  const file = isDirectory ? undefined : await openBelow(root, names);
  return file ?? (await openBelow(root, [...names, "index.html"]));
}

async function openBelow(root: string, names: readonly string[]): Promise<SiteFile | undefined> {
  const handle = await open(join(root, ...names), constants.O_RDONLY | constants.O_NONBLOCK).catch(() => undefined);
  if (handle === undefined) return undefined;
  try {
    const stat = await handle.stat({ bigint: true });
    // What was opened is asked, not what the path means now: no link and no race leads out.
    const opened = (await readlink(`/proc/self/fd/${handle.fd}`)).split("/");
    const isInside = root.split("/").every((part, index) => part === opened[index]);
    if (stat.isFile() && isInside) {
      const etag = `"${[stat.ino, stat.size, stat.mtimeNs].map((number) => number.toString(36)).join("-")}"`;
      return { handle, names, size: Number(stat.size), modifiedAt: stat.mtime, etag };
    }
  } catch {
    // Gone, or not to be read: as if it were not there.
  }
  await handle.close();
  return undefined;
}
