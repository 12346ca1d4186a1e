/**
 * What an owner has taken back stays taken back: an older copy of a key, without the revocations that are stored, is no way around them
 * (TRUST-26). Knows nothing of which copies count.
 */
import type { Key } from "openpgp";
import { armor } from "./armor.ts";
import { parsePublicKey } from "./keys.ts";
import { loadOpenpgp, type OpenPGP } from "./openpgp.ts";
import { isRevoked } from "./signing-key.ts";

/**
 * `armored`, one public key, with the revocations of it and of its subkeys that other `copies` of it hold and it lacks; the same object
 * when it lacks none. Only those count that the owner's signature proves. @throws Failure KEY_INVALID
 */
export async function withRevocations(armored: Buffer, copies: readonly Buffer[]): Promise<Buffer> {
  const openpgp = await loadOpenpgp();
  const key = await parsePublicKey(openpgp, armored);
  let isChanged = false;
  for (const copy of copies) {
    const other = await parsePublicKey(openpgp, copy);
    if (other.getFingerprint() === key.getFingerprint()) isChanged = (await take(openpgp, key, other)) || isChanged;
  }
  return isChanged ? Buffer.from(armor("PUBLIC KEY BLOCK", key.write())) : armored;
}

/** @returns whether anything was missing */
async function take(openpgp: OpenPGP, key: Key, other: Key): Promise<boolean> {
  let isChanged = false;
  if ((await isRevoked(openpgp, other)) && !(await isRevoked(openpgp, key))) {
    key.revocationSignatures = [...key.revocationSignatures, ...other.revocationSignatures];
    isChanged = true;
  }
  for (const subkey of key.subkeys) {
    const fingerprint = subkey.getFingerprint();
    const theirs = other.subkeys.find((part) => part.getFingerprint() === fingerprint);
    if (theirs === undefined || (await isRevoked(openpgp, key, fingerprint))) continue;
    if (!(await isRevoked(openpgp, other, fingerprint))) continue;
    subkey.revocationSignatures = [...subkey.revocationSignatures, ...theirs.revocationSignatures];
    isChanged = true;
  }
  return isChanged;
}
