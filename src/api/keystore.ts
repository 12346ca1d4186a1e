/** The keystore of the settings: the system's keys, the machine's, the user's. */
import { sha512 } from "../shim/sha512.ts";
import { type Keystore, openKeystore } from "../trust/keystore.ts";
import type { Settings } from "./settings.ts";

/** Lowest precedence first; one that is given twice counts once, where it counts most. */
export function keystoreDirectories({ directories }: Settings): readonly string[] {
  return [...new Set([directories.userConfig, directories.localConfig, directories.systemConfig])].reverse();
}

export function keystoreOf(settings: Settings): Keystore {
  return openKeystore({ directories: keystoreDirectories(settings), sha512 });
}
