/** What a trusted key itself says about the keys in it: which may sign, and whether its owner took any of them back. */
import type { Key, SignaturePacket, Subkey } from "openpgp";
import { lenientConfig, type OpenPGP, strictConfig } from "./openpgp.ts";

export type KeyPacket = Key["keyPacket"] | Subkey["keyPacket"];

/**
 * The primary key or subkey with `fingerprint`, if the key lets it sign: a primary key with a valid self-signature, or a subkey that the
 * primary key bound for signing and that signed its own binding back, so that nobody adopts another's key (T-S19, T-S20).
 * `when` null: whether it may at all; a date: whether it may then, expiry included.
 * @throws Error with the library's reason
 */
export async function signingKeyOf(
  openpgp: OpenPGP,
  key: Key,
  fingerprint: string,
  when: Date | null,
): Promise<KeyPacket> {
  const named = [key, ...key.subkeys].find((part) => part.getFingerprint() === fingerprint);
  if (named === undefined) throw new Error("the key has no such subkey");
  const found = await key.getSigningKey(named.getKeyID(), when, undefined, strictConfig(openpgp));
  // The library finds by the 64-bit id, which two subkeys can share; only the fingerprint names a key (T-S26).
  if (found.getFingerprint() !== fingerprint) throw new Error("the subkey may not sign");
  return found.keyPacket;
}

/** Whether the owner revoked the key, for any reason and at any time (T-S09); with `fingerprint`, also whether that subkey was. */
export async function isRevoked(openpgp: OpenPGP, key: Key, fingerprint?: string): Promise<boolean> {
  const { enums } = openpgp;
  const primary = key.keyPacket;
  if (await anyValid(openpgp, key, key.revocationSignatures, enums.signature.keyRevocation, { key: primary }))
    return true;
  const subkey = key.subkeys.find((part) => part.getFingerprint() === fingerprint);
  if (subkey === undefined) return false;
  const bound = { key: primary, bind: subkey.keyPacket };
  return await anyValid(openpgp, key, subkey.revocationSignatures, enums.signature.subkeyRevocation, bound);
}

async function anyValid(
  openpgp: OpenPGP,
  key: Key,
  signatures: readonly SignaturePacket[],
  type: SignaturePacket["signatureType"] & number,
  data: object,
): Promise<boolean> {
  for (const signature of signatures) {
    // Judged at its own time: neither a clock that is behind nor a date in the future takes a warning back.
    const when = signature.created ?? new Date(0);
    const valid = await signature.verify(key.keyPacket, type, data, when, false, lenientConfig(openpgp)).then(
      () => true,
      () => false,
    );
    if (valid) return true;
  }
  return false;
}
