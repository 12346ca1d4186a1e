/** The keystore of the settings: the system's keys, the machine's, the user's. */
import { sha512 } from "../shim/sha512.ts";
import { type Keystore, openKeystore } from "../trust/keystore.ts";
import type { Settings } from "./settings.ts";

export function keystoreOf({ directories }: Settings): Keystore {
  return openKeystore({
    directories: [...new Set([directories.systemConfig, directories.localConfig, directories.userConfig])],
    sha512,
  });
}
