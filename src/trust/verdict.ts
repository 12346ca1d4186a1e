/**
 * The outcome of a verification, for whoever asks the very same again (TRUST-28). Loads no OpenPGP. A verdict answers one question only, and not
 * beyond the first moment at which any time that is written in the signature or its keys comes; where it is kept is not known here.
 */
import { sha512 } from "../base/digest.ts";
import type { TrustedKey } from "./keystore.ts";
import { clockSkew } from "./policy.ts";

/** What a record keeps of a signer. */
export interface VouchedBy {
  readonly fingerprint: string;
  readonly keyDigest: string;
  readonly signedAt: Date;
}

/** Times in milliseconds since 1970. */
export interface Verdict {
  /** Lower-case hex SHA-512 of all that the outcome depended on, but for the archive's bytes and the time. */
  readonly question: string;
  readonly at: number;
  readonly until: number;
  readonly signers: readonly { readonly fingerprint: string; readonly keyDigest: string; readonly signedAt: number }[];
}

/** Raised whenever the five checks change: what an older program found is then asked anew. */
const rules = 1;

/** However long nothing expires: a mistake of ours, or of the library, must not be believed for ever. Milliseconds. */
const longest = 24 * 60 * 60 * 1000;

/** Which question a verification answers. `candidates`: every key that counts for `name`, in the order of the keystore. */
export function questionOf(signature: Uint8Array, name: string, candidates: readonly TrustedKey[]): string {
  const keys = candidates.map(({ scope, path, fingerprint, digest }) => [scope, path, fingerprint, digest]);
  return sha512(JSON.stringify([rules, name, sha512(signature), keys]));
}

/** @param packets of the signatures that were looked at, and of the keys that they name */
export function verdictOf(
  question: string,
  signers: readonly VouchedBy[],
  packets: readonly TimedPacket[],
  now: Date,
): Verdict {
  const at = now.getTime();
  const until = Math.min(at + longest, ...timesIn(packets).filter((time) => time > at));
  return {
    question,
    at,
    until,
    signers: signers.map(({ fingerprint, keyDigest, signedAt }) => ({
      fingerprint,
      keyDigest,
      signedAt: signedAt.getTime(),
    })),
  };
}

/** Who signed, if `verdict`, as it was kept, answers `question` now. Before it was given it answers nothing: a clock went back. */
export function signersIn(verdict: Verdict, question: string, now: Date): readonly VouchedBy[] | undefined {
  const time = now.getTime();
  if (verdict.question !== question || time < verdict.at || time >= verdict.until) return undefined;
  return verdict.signers.map(({ signedAt, ...signer }) => ({ ...signer, signedAt: new Date(signedAt) }));
}

/** What a packet of OpenPGP may tell of times; durations in seconds. */
export interface TimedPacket {
  readonly created?: Date | null;
  readonly signatureExpirationTime?: number | null;
  readonly keyExpirationTime?: number | null;
  readonly embeddedSignature?: TimedPacket | null;
}

/**
 * Every moment that any of the checks may compare the clock with, and more: which duration belongs to which key is not asked, each is added to
 * every creation. One too many costs a verification, one too few would let a key live on.
 */
function timesIn(packets: readonly TimedPacket[]): readonly number[] {
  const all = packets.flatMap((packet) => (packet.embeddedSignature ? [packet, packet.embeddedSignature] : [packet]));
  const created = all.flatMap((packet) => (packet.created ? [packet.created.getTime()] : []));
  const durations = all.flatMap((packet) => [packet.signatureExpirationTime ?? 0, packet.keyExpirationTime ?? 0]);
  const lengths = new Set([-clockSkew, ...durations.map((seconds) => seconds * 1000)]);
  return created.flatMap((time) => [time, ...[...lengths].map((length) => time + length)]);
}
