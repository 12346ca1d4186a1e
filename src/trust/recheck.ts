/** Whether a key that vouched for a stored image still does, when its file is another one now. Run asks this, so expiry does not count. */

import { parsePublicKey } from "./keys.ts";
import type { Keystore } from "./keystore.ts";
import { loadOpenpgp } from "./openpgp.ts";
import { isRevoked } from "./signing-key.ts";

/** False when no copy of the key is trusted for `name` any more, or when one of them is revoked (T-S09, T-S27). */
export async function stillVouches(keystore: Keystore, name: string, fingerprint: string): Promise<boolean> {
  const copies = (await keystore.keysFor(name)).filter((key) => key.fingerprint === fingerprint);
  const openpgp = await loadOpenpgp();
  for (const { armored } of copies) {
    if (await isRevoked(openpgp, await parsePublicKey(openpgp, armored))) return false;
  }
  return copies.length > 0;
}
