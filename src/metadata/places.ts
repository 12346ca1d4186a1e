/** Where the metadata service keeps what it needs, and how its socket is reached however long the path is. */
import type { Server } from "node:net";
import { join } from "node:path";
import { makeDirectories } from "../base/directories.ts";
import { ioFailure } from "../base/files.ts";

/** `<data>/metadata`, 0700: only its owner registers pods. */
export function metadataDirectory(data: string): string {
  return join(data, "metadata");
}

/** metadataDirectory, once it is there. @throws Failure IO_FAILED and its kin */
export function makeMetadataDirectory(data: string): string {
  const directory = metadataDirectory(data);
  try {
    makeDirectories(directory, 0o700);
  } catch (error) {
    throw ioFailure(error, `cannot make ${directory}`, directory);
  }
  return directory;
}

/** The socket in the directory that is open as `descriptor`: the address of a socket has room for 107 bytes, which a path may not have. */
export function socketPath(descriptor: number): string {
  return `/proc/self/fd/${descriptor}/socket`;
}

/** Resolves when `server` listens. @throws the system's error */
export async function listen(server: Server, where: Parameters<Server["listen"]>[0]): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(where, () => {
      server.off("error", reject);
      resolve();
    });
  });
}
