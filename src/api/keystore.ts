/** The keystore of the settings: the system's keys, the machine's, the user's; and that one at a time changes it. */
import { join } from "node:path";
import { FileLock } from "../shim/flock.ts";
import { sha512 } from "../shim/sha512.ts";
import { type Keystore, openKeystore } from "../trust/keystore.ts";
import { makeTrustedDirectories } from "../trust/trusted-files.ts";
import type { Settings } from "./settings.ts";

/** Lowest precedence first; one that is given twice counts once, where it counts most. */
export function keystoreDirectories({ directories }: Settings): readonly string[] {
  return [...new Set([directories.userConfig, directories.localConfig, directories.systemConfig])].reverse();
}

export function keystoreOf(settings: Settings): Keystore {
  return openKeystore({ directories: keystoreDirectories(settings), sha512 });
}

/** The directory that the caller's keys and masks are put into. */
export function ownKeystoreDirectory({ directories, caller }: Settings): string {
  return caller.isRoot ? directories.localConfig : directories.userConfig;
}

/**
 * What `act` looks at and then writes belongs together: nobody else who stores in the same directory changes keys meanwhile (TRUST-27). Readers do not
 * wait. The lock is a file that only its owner can open, so that no stranger can hold it.
 * @throws Failure INTERRUPTED, CONFIG_INVALID, IO_FAILED
 */
export async function changingKeystore<T>(
  settings: Settings,
  signal: AbortSignal | undefined,
  act: () => Promise<T>,
): Promise<T> {
  const directory = await makeTrustedDirectories(ownKeystoreDirectory(settings), ["trustedkeys"]);
  const onWait = () => settings.log.info("waiting for another process that changes the trusted keys");
  const lock = await FileLock.acquire(join(directory, ".lock"), "exclusive", { create: true, signal, onWait });
  try {
    return await act();
  } finally {
    lock.release();
  }
}
