/** Whether an image is signed by somebody trusted for its name: the five checks of spec/trust.md, in their order. */
import { createHash, type Hash } from "node:crypto";
import type { Key } from "openpgp";
import { Failure } from "../base/failure.ts";
import {
  type Claim,
  type Clock,
  requireMaySign,
  requireStrong,
  requireTimely,
  requireUnrevoked,
  requireValid,
  signerOf,
} from "./checks.ts";
import { publicFingerprints } from "./key-file.ts";
import { formatFingerprint, parsePublicKey } from "./keys.ts";
import type { Keystore, TrustedKey } from "./keystore.ts";
import { loadOpenpgp, type OpenPGP } from "./openpgp.ts";
import { digestName } from "./policy.ts";
import { type NamedSignature, readSignatureFile } from "./signature.ts";
import { questionOf, type TimedPacket, type Verdict, verdictOf } from "./verdict.ts";

export interface Signer {
  /** Of the trusted (primary) key. */
  readonly fingerprint: string;
  /** First user id, printable. */
  readonly identity: string;
  readonly signedAt: Date;
  /** sha512 hex of the key file that was trusted. */
  readonly keyDigest: string;
  readonly keyPath: string;
  readonly scope: string;
  /** What the user should be told although the signature counts: a short key. */
  readonly warning?: string | undefined;
}

/** A verification under way: the archive's bytes are given in order, then the verdict is asked for. Constant memory. */
export interface SignatureCheck {
  update(chunk: Uint8Array): void;
  /** Lower-case hex of what was given so far; only there when a signature needs this digest, so that nobody computes it twice. */
  readonly sha512?: (() => string) | undefined;
  /** The five checks of spec/trust.md for the image called `name`. @throws Failure KEY_UNTRUSTED, SIGNATURE_BAD, SIGNATURE_INVALID */
  finish(name: string): Promise<readonly Signer[]>;
  /** What finish said, for the same question of later (TRUST-28); undefined until it has. */
  verdict(): Promise<Verdict | undefined>;
}

/**
 * Parses the detached armoured signature (also binary) and finds who could have made it. With `name`, no trusted candidate → KEY_UNTRUSTED
 * before a byte of the image is read; without, the same when nobody is trusted for any name.
 * @throws Failure SIGNATURE_INVALID when it is no detached signature
 */
export async function beginVerification(
  signature: Uint8Array,
  options: Clock & { readonly name?: string | undefined; readonly keystore: Keystore },
): Promise<SignatureCheck> {
  const openpgp = await loadOpenpgp();
  const signatures = readSignatureFile(openpgp, signature);
  const { keystore } = options;
  const early = onlyTrusted(signatures, await keystore.keysFor(options.name), options.name);
  const hashes = hashesFor(early);
  const sha512 = hashes.get("sha512");
  let verdict: (() => Promise<Verdict>) | undefined;
  return {
    update(chunk) {
      for (const hash of hashes.values()) hash.update(chunk);
    },
    sha512: sha512 && (() => sha512.copy().digest("hex")),
    async finish(name) {
      const candidates = await keystore.keysFor(name); // 1 the keys trusted for this name, by whole path components
      const trusted = onlyTrusted(signatures, candidates, name); // 2 signatures that name one of them by full fingerprint
      const keyOf = parsedOnce(openpgp);
      const signers = await verifySigners(openpgp, trusted, hashes, { ...options, keyOf });
      const question = questionOf(signature, name, candidates);
      verdict = async () => verdictOf(question, signers, await packetsOf(trusted, keyOf), options.now);
      return signers;
    },
    verdict: async () => await verdict?.(),
  };
}

/** The key in a trusted file, parsed at the first question. */
type KeyOf = (copy: TrustedKey) => Promise<Key>;

function parsedOnce(openpgp: OpenPGP): KeyOf {
  const keys = new Map<TrustedKey, Promise<Key>>();
  return (copy) => {
    const key = keys.get(copy) ?? parsePublicKey(openpgp, copy.armored);
    keys.set(copy, key);
    return key;
  };
}

/** All that tell of a time that the checks looked at. */
async function packetsOf(trusted: readonly Trusted[], keyOf: KeyOf): Promise<readonly TimedPacket[]> {
  const packets: TimedPacket[] = [];
  for (const { signature, copies } of trusted) {
    packets.push(signature.packet);
    for (const copy of copies) {
      const key: readonly object[] = (await keyOf(copy)).toPacketList();
      packets.push(...key);
    }
  }
  return packets;
}

/** What the checks of one file have in common. */
interface Checking extends Clock {
  readonly keyOf: KeyOf;
}

/** A signature and the copies of the key it names: the same key can be trusted in several places. */
interface Trusted {
  readonly signature: NamedSignature;
  readonly copies: readonly TrustedKey[];
}

/** Check 2, as far as fingerprints tell. @throws Failure KEY_UNTRUSTED */
function onlyTrusted(
  signatures: readonly NamedSignature[],
  candidates: readonly TrustedKey[],
  name: string | undefined,
): readonly Trusted[] {
  const known = candidates.map((key) => ({ key, fingerprints: publicFingerprints(key.armored) }));
  const trusted = signatures.map((signature) => ({
    signature,
    copies: known.filter(({ fingerprints }) => fingerprints.includes(signature.issuer)).map(({ key }) => key),
  }));
  const named = trusted.filter(({ copies }) => copies.length > 0);
  if (named.length > 0) return named;
  const what = name === undefined ? "the image" : name;
  const issuers = [...new Set(signatures.map(({ issuer }) => formatFingerprint(issuer)))];
  const trustedFor = candidates.map(({ fingerprint, scope }) => `${formatFingerprint(fingerprint)} (${scope})`);
  throw new Failure("KEY_UNTRUSTED", `${what} is signed by a key you do not trust`, {
    subject: signatures[0]?.issuer,
    cause: `signed by ${issuers.join(", ")}; trusted for ${what}: ${trustedFor.slice(0, 8).join(", ") || "none"}`,
    hint: name === undefined ? "perigee trust --prefix and what the image is called" : `perigee trust --prefix ${name}`,
  });
}

/** One running hash for each accepted digest in use; a refused digest needs none. */
function hashesFor(trusted: readonly Trusted[]): ReadonlyMap<string, Hash> {
  const hashes = new Map<string, Hash>();
  for (const { signature } of trusted) {
    const digest = digestName(signature.packet.hashAlgorithm ?? 0);
    if (digest !== undefined && !hashes.has(digest)) hashes.set(digest, createHash(digest));
  }
  return hashes;
}

/**
 * Checks 3 to 5 of every trusted signature. One that counts is enough, unless the mathematics of another is wrong: then somebody changed
 * the image or the file, and no good signature beside it makes up for that (T-S14).
 */
async function verifySigners(
  openpgp: OpenPGP,
  trusted: readonly Trusted[],
  hashes: ReadonlyMap<string, Hash>,
  checking: Checking,
): Promise<readonly Signer[]> {
  const signers: Signer[] = [];
  let refusal: unknown;
  for (const one of trusted) {
    try {
      signers.push(await verifySigner(openpgp, one, hashes, checking));
    } catch (error) {
      if (!isRefusal(error)) throw error;
      refusal ??= error;
    }
  }
  if (signers.length === 0) throw refusal;
  return signers;
}

/** The signer, or a Failure that says which check refused. Of several trusted copies of the key any may count, and any may revoke. */
async function verifySigner(
  openpgp: OpenPGP,
  { signature, copies }: Trusted,
  hashes: ReadonlyMap<string, Hash>,
  { keyOf, ...clock }: Checking,
): Promise<Signer> {
  const claims: Claim[] = [];
  for (const copy of copies) {
    claims.push({ openpgp, ...signature, copy, key: await keyOf(copy) });
  }
  for (const claim of claims) await requireUnrevoked(claim); // 5 the part that no other copy makes good
  return await firstThatCounts(claims, async (claim) => {
    const signing = await requireMaySign(claim); // 2 the key lets what is named sign
    requireStrong(claim, signing); // 3 hash and key strength
    await requireValid(claim, signing, hashes); // 4 the mathematics, over the bytes we hashed ourselves
    return signerOf(claim, await requireTimely(claim, signing, clock)); // 5 neither expired nor from the future
  });
}

/**
 * What a signer asks of its own work: every signature of `file` counts now, one by each of `keys`, as if these were trusted for all names.
 * @throws Failure KEY_UNTRUSTED, SIGNATURE_BAD, SIGNATURE_INVALID
 */
export async function requireCounting(
  openpgp: OpenPGP,
  file: Uint8Array,
  keys: readonly Pick<TrustedKey, "fingerprint" | "armored">[],
  hashes: ReadonlyMap<string, Hash>,
): Promise<void> {
  const signatures = readSignatureFile(openpgp, file);
  const copies = keys.map((key) => ({ ...key, path: key.fingerprint, digest: "", scope: "root" }));
  const found = new Set<string>();
  const checking = { now: new Date(), keyOf: parsedOnce(openpgp) };
  for (const signature of onlyTrusted(signatures, copies, undefined)) {
    found.add((await verifySigner(openpgp, signature, hashes, checking)).fingerprint);
  }
  if (keys.length === signatures.length && keys.every(({ fingerprint }) => found.has(fingerprint))) return;
  throw new Failure("SIGNATURE_INVALID", "there is not one signature by each key");
}

/** The first result; the first refusal when there is none. Anything but a refusal, such as SIGNATURE_BAD, ends it at once. */
async function firstThatCounts<T, R>(items: readonly T[], verify: (item: T) => Promise<R>): Promise<R> {
  let refusal: unknown;
  for (const item of items) {
    try {
      return await verify(item);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      refusal ??= error;
    }
  }
  throw refusal;
}

function isRefusal(error: unknown): boolean {
  return error instanceof Failure && error.code === "SIGNATURE_INVALID";
}
