/** Signing keys of the caller: made, listed, exported, imported. They live in <user-config>/keys. */
import { join } from "node:path";
import { Failure } from "../base/failure.ts";
import { readIfExists } from "../base/files.ts";
import { writeOutput } from "../trust/files.ts";
import {
  findSecretKey,
  readSecretKeys,
  requireStorable,
  type SecretKeyFile,
  storeSecretKey,
} from "../trust/key-directory.ts";
import { keyFileLimit } from "../trust/key-file.ts";
import { describeKeys, formatFingerprint, generateKey, type KeyInfo, publicPart, readKeyFile } from "../trust/keys.ts";
import type { Settings } from "./settings.ts";

export { formatFingerprint };

/** Where secret keys are kept. */
export function keyDirectory(settings: Settings): string {
  return join(settings.directories.userConfig, "keys");
}

/** A key and the file it is in. */
export interface StoredKey extends KeyInfo {
  readonly path: string;
}

export interface CreateKeyOptions {
  readonly name: string;
  readonly email: string;
  readonly type?: "ed25519" | "rsa4096" | undefined;
  /** Undefined: the key is stored unprotected. */
  readonly passphrase: string | undefined;
  readonly now?: Date | undefined;
}

/** Makes a signing key that gpg 2.2 can use as well, and stores it. @throws Failure USAGE */
export async function createKey(settings: Settings, options: CreateKeyOptions): Promise<StoredKey> {
  const { name, email, type = "ed25519", passphrase, now = new Date() } = options;
  if (!/^[^<>\p{Cc}]+$/u.test(name) || name.trim() === "") {
    throw new Failure("USAGE", "the name of a key is some text without < and >", { subject: name });
  }
  if (!/^[^\s<>@\p{Cc}]+@[^\s<>@\p{Cc}]+$/u.test(email)) {
    throw new Failure("USAGE", "the email of a key looks like name@example.com", { subject: email });
  }
  if (passphrase === "") {
    throw new Failure("USAGE", "the passphrase is empty", { hint: "--no-passphrase stores the key unprotected" });
  }
  const { info, secretArmored } = await generateKey({ name, email, type, passphrase, now });
  const path = await storeSecretKey(keyDirectory(settings), info.fingerprint, Buffer.from(secretArmored));
  return { ...info, path };
}

/** All signing keys, by fingerprint. */
export async function listKeys(settings: Settings): Promise<readonly StoredKey[]> {
  const keys: StoredKey[] = [];
  for (const file of await readSecretKeys(keyDirectory(settings))) keys.push(await describeStored(file));
  return keys;
}

/**
 * The signing keys that `prefixes` name; without any, the only key there is.
 * @throws Failure NOT_FOUND, AMBIGUOUS, USAGE
 */
export async function selectKeys(settings: Settings, prefixes: readonly string[]): Promise<readonly StoredKey[]> {
  const directory = keyDirectory(settings);
  if (prefixes.length > 0) {
    const keys = new Map<string, StoredKey>();
    for (const prefix of prefixes) {
      const file = await findSecretKey(directory, prefix);
      keys.set(file.fingerprint, await describeStored(file));
    }
    return [...keys.values()];
  }
  const all = await listKeys(settings);
  if (all.length === 0) {
    throw new Failure("NOT_FOUND", `there is no signing key in ${directory}`, {
      subject: directory,
      hint: "perigee key generate --name NAME --email EMAIL",
    });
  }
  if (all.length > 1) {
    throw new Failure("AMBIGUOUS", "there are several signing keys; name one", {
      cause: all.map(({ fingerprint }) => fingerprint).join(", "),
      hint: `--key ${all[0]?.fingerprint ?? ""}`,
    });
  }
  return all;
}

async function describeStored({ fingerprint, path, bytes }: SecretKeyFile): Promise<StoredKey> {
  const [info] = await describeKeys(bytes);
  if (info?.fingerprint !== fingerprint) {
    throw new Failure("KEY_INVALID", `${path} holds another key than its name says`, { subject: path });
  }
  return { ...info, path };
}

export interface ExportedKey {
  readonly fingerprint: string;
  readonly secret: boolean;
  readonly armored: string;
  /** Where it was written, when asked to. */
  readonly path?: string | undefined;
}

export interface ExportKeyOptions {
  readonly fingerprint: string;
  /** The secret key as it is stored: protected if it has a passphrase. */
  readonly secret?: boolean | undefined;
  readonly output?: string | undefined;
  readonly overwrite?: boolean | undefined;
}

/** The armoured public (or secret) key. @throws Failure NOT_FOUND, AMBIGUOUS, ALREADY_EXISTS */
export async function exportKey(settings: Settings, options: ExportKeyOptions): Promise<ExportedKey> {
  const { secret = false, output, overwrite = false } = options;
  const file = await findSecretKey(keyDirectory(settings), options.fingerprint);
  const armored = secret ? file.bytes.toString("ascii") : await publicPart(file.bytes);
  if (output !== undefined) await writeOutput(output, armored, { mode: secret ? 0o600 : 0o644, overwrite });
  return { fingerprint: file.fingerprint, secret, armored, path: output };
}

/** The bytes of a file that should be a key. @throws Failure NOT_FOUND, KEY_INVALID for one that is far too long to be one */
export async function readKeyBytes(file: string): Promise<Buffer> {
  const bytes = await readIfExists(file, keyFileLimit).catch((error: unknown) => {
    if (!(error instanceof Failure) || error.code !== "LIMIT_EXCEEDED") throw error;
    throw new Failure("KEY_INVALID", `${file} is no key file`, {
      subject: file,
      cause: error,
      hint: "perigee key export writes a key that others can use",
    });
  });
  if (bytes === undefined) throw new Failure("NOT_FOUND", `${file} is not there`, { subject: file });
  return bytes;
}

/**
 * Stores every secret key of `file`, as protected as it is there; one that is stored just so already is left as it is (TRUST-30).
 * @throws Failure NOT_FOUND, KEY_INVALID when it holds none, ALREADY_EXISTS when one is stored in another form
 */
export async function importKeys(settings: Settings, file: string): Promise<readonly StoredKey[]> {
  const keys = await readKeyFile(await readKeyBytes(file));
  if (!keys.every(({ info }) => info.hasSecret)) {
    throw new Failure("KEY_INVALID", `${file} holds a public key; only secret keys are imported`, {
      subject: file,
      hint: `to trust it: perigee trust --prefix example.com ${file}, with the beginning of the images' names`,
    });
  }
  const directory = keyDirectory(settings);
  for (const { info, armored } of keys) await requireStorable(directory, info.fingerprint, armored);
  const stored: StoredKey[] = [];
  for (const { info, armored } of keys) {
    const path = await storeSecretKey(directory, info.fingerprint, armored);
    if (!info.isProtected) settings.log.warn(`${path} is not protected by a passphrase`);
    stored.push({ ...info, path });
  }
  return stored;
}

/** The passphrase from `file` (its first line) or PERIGEE_PASSPHRASE; undefined when neither is given. @throws Failure NOT_FOUND */
export async function givenPassphrase(settings: Settings, file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return settings.environment.get("PERIGEE_PASSPHRASE");
  const bytes = await readIfExists(file, 64 * 1024);
  if (bytes === undefined) throw new Failure("NOT_FOUND", `${file} is not there`, { subject: file });
  return bytes.toString("utf8").split(/\r?\n/, 1)[0] ?? "";
}
