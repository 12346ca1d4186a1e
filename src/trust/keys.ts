/** OpenPGP keys as files: made, described, split, unlocked. Knows nothing of where they lie. */
import type { Key, PrivateKey } from "openpgp";
import { Failure, messageOf } from "../base/failure.ts";
import { armor } from "./armor.ts";
import { keyBinaries } from "./key-file.ts";
import { loadOpenpgp, makerConfig, type OpenPGP, strictConfig } from "./openpgp.ts";
import { algorithmName, keyWeakness } from "./policy.ts";
import type { UnlockedKey } from "./sign.ts";
import { isRevoked } from "./signing-key.ts";

export interface KeyInfo {
  /** 40 lower-case hex digits. */
  readonly fingerprint: string;
  /** As they are in the key: foreign text. */
  readonly identities: readonly string[];
  /** `ed25519`, `rsa4096`, `nistp256`, … */
  readonly algorithm: string;
  readonly createdAt: Date;
  readonly expiresAt?: Date | undefined;
  readonly hasSecret: boolean;
  readonly isProtected: boolean;
  /** Why its signatures would be refused now: revoked, expired, too weak; undefined when they would count. */
  readonly problem?: string | undefined;
  /** `problem` in one word. */
  readonly state: "ok" | "revoked" | "expired" | "unusable";
}

/** One key of a file: what to show, and the bytes that were looked at. */
export interface KeyFile {
  readonly info: KeyInfo;
  /** An armoured block with this key alone. */
  readonly armored: Buffer;
}

export async function generateKey(options: {
  readonly name: string;
  readonly email: string;
  readonly type: "ed25519" | "rsa4096";
  readonly passphrase?: string | undefined;
  readonly now: Date;
}): Promise<{ readonly info: KeyInfo; readonly secretArmored: string; readonly publicArmored: string }> {
  const openpgp = await loadOpenpgp();
  const kind =
    options.type === "rsa4096"
      ? ({ type: "rsa", rsaBits: 4096 } as const)
      : ({ type: "ecc", curve: "ed25519Legacy" } as const);
  const { privateKey } = await openpgp.generateKey({
    ...kind,
    userIDs: [{ name: options.name, email: options.email }],
    date: options.now,
    // Only a primary key that certifies and signs: nobody encrypts to it.
    subkeys: [],
    format: "object",
    config: makerConfig(openpgp),
    ...(options.passphrase === undefined ? {} : { passphrase: options.passphrase }),
  });
  return {
    info: await describe(openpgp, privateKey, options.now),
    secretArmored: armor("PRIVATE KEY BLOCK", privateKey.write()),
    publicArmored: armor("PUBLIC KEY BLOCK", privateKey.toPublic().write()),
  };
}

/** Describes every key of an armoured or binary key file. @throws Failure KEY_INVALID */
export async function describeKeys(bytes: Uint8Array, now = new Date()): Promise<readonly KeyInfo[]> {
  return (await readKeyFile(bytes, now)).map(({ info }) => info);
}

/**
 * Every key of a file by itself, re-armoured from its own packets, so that each can be reviewed and stored apart.
 * @throws Failure KEY_INVALID
 */
export async function readKeyFile(bytes: Uint8Array, now = new Date()): Promise<readonly KeyFile[]> {
  const openpgp = await loadOpenpgp();
  const files: KeyFile[] = [];
  for (const binary of keyBinaries(bytes)) {
    const info = await describe(openpgp, await parse(openpgp, binary), now);
    const type = info.hasSecret ? "PRIVATE KEY BLOCK" : "PUBLIC KEY BLOCK";
    files.push({ info, armored: Buffer.from(armor(type, binary)) });
  }
  return files;
}

/** The public part of every key of a file, armoured in one block. @throws Failure KEY_INVALID */
export async function publicPart(bytes: Uint8Array): Promise<string> {
  const openpgp = await loadOpenpgp();
  const parts: Uint8Array[] = [];
  for (const binary of keyBinaries(bytes)) parts.push((await parse(openpgp, binary)).toPublic().write());
  return armor("PUBLIC KEY BLOCK", Buffer.concat(parts));
}

/**
 * The key of a secret key file, ready to sign.
 * @throws Failure PASSPHRASE_WRONG when the passphrase is wrong or missing, KEY_INVALID when the file holds no single secret key
 */
export async function unlockKey(bytes: Uint8Array, passphrase?: string): Promise<UnlockedKey> {
  const openpgp = await loadOpenpgp();
  const [binary, ...others] = keyBinaries(bytes);
  if (binary === undefined || others.length > 0) throw new Failure("KEY_INVALID", "the file must hold one secret key");
  const key = await parse(openpgp, binary);
  const fingerprint = key.getFingerprint();
  if (!key.isPrivate()) {
    throw new Failure("KEY_INVALID", "this is a public key; signing needs the secret one", { subject: fingerprint });
  }
  return { fingerprint, handle: key.isDecrypted() ? key : await decrypt(openpgp, key, passphrase) };
}

async function decrypt(openpgp: OpenPGP, privateKey: PrivateKey, passphrase: string | undefined): Promise<PrivateKey> {
  const subject = privateKey.getFingerprint();
  if (passphrase === undefined) {
    throw new Failure("PASSPHRASE_WRONG", `the key ${formatFingerprint(subject)} needs its passphrase`, {
      subject,
      hint: "give --passphrase-file FILE, or set PERIGEE_PASSPHRASE, or use a terminal",
    });
  }
  try {
    return await openpgp.decryptKey({ privateKey, passphrase });
  } catch (cause) {
    const sentence = `the passphrase does not open the key ${formatFingerprint(subject)}`;
    throw new Failure("PASSPHRASE_WRONG", sentence, { subject, cause });
  }
}

/** `3c1a 0dfd …`: groups of four. */
export function formatFingerprint(fingerprint: string): string {
  return fingerprint.match(/.{1,4}/g)?.join(" ") ?? "";
}

/** Parses the packets of one key. @throws Failure KEY_INVALID */
async function parse(openpgp: OpenPGP, binary: Buffer): Promise<Key> {
  let key: Key;
  try {
    key = await openpgp.readKey({ binaryKey: binary });
  } catch (cause) {
    throw new Failure("KEY_INVALID", "the key cannot be read", { cause });
  }
  if (key.keyPacket.version !== 4) {
    throw new Failure("KEY_INVALID", `this is a version ${key.keyPacket.version} key; only version 4 is supported`);
  }
  return key;
}

/** For verify: one public key of a trusted key file. @throws Failure KEY_INVALID */
export async function parsePublicKey(openpgp: OpenPGP, bytes: Uint8Array): Promise<Key> {
  const [binary, ...others] = keyBinaries(bytes);
  if (binary === undefined || others.length > 0) throw new Failure("KEY_INVALID", "a key file must hold one key");
  const key = await parse(openpgp, binary);
  if (key.isPrivate()) throw new Failure("KEY_INVALID", "a trusted key must be a public key");
  return key;
}

async function describe(openpgp: OpenPGP, key: Key, now: Date): Promise<KeyInfo> {
  const expires = await key.getExpirationTime().catch(() => null);
  return {
    fingerprint: key.getFingerprint(),
    identities: key.getUserIDs(),
    algorithm: algorithmName(key.getAlgorithmInfo()),
    createdAt: key.getCreationTime(),
    expiresAt: expires instanceof Date ? expires : undefined,
    hasSecret: key.isPrivate(),
    isProtected: key.isPrivate() && !key.isDecrypted(),
    ...(await problemOf(openpgp, key, now, expires instanceof Date ? expires : undefined)),
  };
}

async function problemOf(
  openpgp: OpenPGP,
  key: Key,
  now: Date,
  expires: Date | undefined,
): Promise<Pick<KeyInfo, "state" | "problem">> {
  if (await isRevoked(openpgp, key)) return { state: "revoked", problem: "it is revoked" };
  const weakness = keyWeakness(key.getAlgorithmInfo());
  if (weakness !== undefined) return { state: "unusable", problem: weakness };
  if (expires !== undefined && expires <= now) {
    return { state: "expired", problem: `it expired on ${expires.toISOString()}` };
  }
  return await key.getSigningKey(undefined, now, undefined, strictConfig(openpgp)).then(
    (): Pick<KeyInfo, "state"> => ({ state: "ok" }),
    (error: unknown) => ({
      state: "unusable",
      problem: `it may not sign: ${messageOf(error)}`,
    }),
  );
}
