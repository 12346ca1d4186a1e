/** Which algorithms and times count: pure tables and decisions (checks 3 and 5 of spec/trust.md), without OpenPGP. */

/** OpenPGP hash algorithm ids that a signature over an image may use, by node:crypto name (TRUST-9). */
const digests: ReadonlyMap<number, string> = new Map([
  [8, "sha256"],
  [9, "sha384"],
  [10, "sha512"],
]);

const refusedDigests: ReadonlyMap<number, string> = new Map([
  [1, "MD5"],
  [2, "SHA-1"],
  [3, "RIPEMD-160"],
  [11, "SHA-224"],
]);

/** The node:crypto name of an accepted digest, else undefined (T-S06, T-S07). */
export function digestName(algorithm: number): string | undefined {
  return digests.get(algorithm);
}

/** How a refused digest is called in messages. */
export function refusedDigestName(algorithm: number): string {
  return refusedDigests.get(algorithm) ?? `algorithm ${algorithm}`;
}

export interface KeyAlgorithm {
  /** As the OpenPGP library names it: `rsaEncryptSign`, `eddsaLegacy`, … */
  readonly algorithm: string;
  readonly bits?: number;
  readonly curve?: string;
}

const rsa: ReadonlySet<string> = new Set(["rsaEncryptSign", "rsaSign"]);
const curves: ReadonlySet<string> = new Set([
  "ed25519Legacy",
  "nistP256",
  "nistP384",
  "nistP521",
  "brainpoolP256r1",
  "brainpoolP384r1",
  "brainpoolP512r1",
]);

/** Why keys of this kind are refused, or undefined (T-S05, TRUST-10): RSA below 2048 bits, DSA, ElGamal, unknown curves. */
export function keyWeakness(key: KeyAlgorithm): string | undefined {
  if (rsa.has(key.algorithm)) return (key.bits ?? 0) < 2048 ? `RSA with ${key.bits ?? 0} bits is too weak` : undefined;
  if (key.algorithm === "ed25519" || key.algorithm === "ed448") return undefined;
  if (key.algorithm === "ecdsa" || key.algorithm === "eddsaLegacy") {
    return curves.has(key.curve ?? "") ? undefined : `the curve ${key.curve ?? "?"} is not accepted`;
  }
  return `${key.algorithm} keys are not accepted`;
}

/** What is accepted but deserves a warning, or undefined (T-S05). */
export function keyWarning(key: KeyAlgorithm): string | undefined {
  if (!rsa.has(key.algorithm) || (key.bits ?? 0) >= 3072) return undefined;
  return `RSA with ${key.bits ?? 0} bits is short; ask the signer for a key of 3072 bits or Ed25519`;
}

/** Short names for people: `ed25519`, `rsa4096`, `nistp256`. */
export function algorithmName(key: KeyAlgorithm): string {
  if (key.curve !== undefined) return key.curve.replace(/Legacy$/, "").toLowerCase();
  const family = key.algorithm.replace(/(EncryptSign|Sign)$/, "").toLowerCase();
  return key.bits === undefined ? family : `${family}${key.bits}`;
}

/** How far a signer's clock may be ahead of ours: 24 hours (T-S11). */
export const clockSkew = 24 * 60 * 60 * 1000;

export interface SignatureTimes {
  readonly created: Date;
  /** Infinity: never. */
  readonly expires: number;
  readonly keyCreated: Date;
}

/** Why the times of a signature are refused at `now`, or undefined (T-S10, T-S11, TRUST-14). */
export function untimely({ created, expires, keyCreated }: SignatureTimes, now: Date): string | undefined {
  if (created.getTime() > now.getTime() + clockSkew) return `it is dated ${created.toISOString()}, in the future`;
  if (expires <= now.getTime()) return `it expired on ${new Date(expires).toISOString()}`;
  if (created < keyCreated) return "it is older than its key";
  return undefined;
}
