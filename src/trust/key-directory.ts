/** The caller's secret keys: DIRECTORY/FINGERPRINT.asc, 0600 in a directory of 0700. Their content is keys.ts's. */
import { constants } from "node:fs";
import { chmod, open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { makeDirectories } from "../base/directories.ts";
import { errnoOf, Failure } from "../base/failure.ts";
import { ioFailure, syncDirectory } from "../base/files.ts";
import { writeOutput } from "./files.ts";
import { keyFileLimit } from "./key-file.ts";

export interface SecretKeyFile {
  readonly fingerprint: string;
  readonly path: string;
  readonly bytes: Buffer;
}

/**
 * Stores a secret key; one that is there is never replaced, because a lost secret key does not come back, also not when several store the same key
 * at once. The very same bytes again are stored already (TRUST-30).
 * @throws Failure ALREADY_EXISTS when other bytes are there: another passphrase, other identities
 */
export async function storeSecretKey(directory: string, fingerprint: string, armored: Uint8Array): Promise<string> {
  const path = join(directory, `${fingerprint}.asc`);
  try {
    makeDirectories(directory, 0o700);
    await chmod(directory, 0o700);
  } catch (error) {
    throw ioFailure(error, `cannot make ${directory}`, directory);
  }
  try {
    await writeOutput(path, armored, { mode: 0o600, overwrite: false });
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== "ALREADY_EXISTS") throw error;
    await requireSame(directory, fingerprint, armored);
    // Whoever stored it may not have come to this yet.
    await syncDirectory(directory);
  }
  return path;
}

/** To be asked about all keys of a file before the first is stored. @throws Failure ALREADY_EXISTS when the key is there in another form */
export async function requireStorable(directory: string, fingerprint: string, armored: Uint8Array): Promise<void> {
  if ((await fingerprintsIn(directory)).includes(fingerprint)) await requireSame(directory, fingerprint, armored);
}

async function requireSame(directory: string, fingerprint: string, armored: Uint8Array): Promise<void> {
  const { path, bytes } = await readSecretKey(directory, fingerprint);
  if (bytes.equals(armored)) return;
  throw new Failure("ALREADY_EXISTS", `${path} is there already`, {
    subject: path,
    cause: "it is the same key in another form: with another passphrase, or other identities",
    hint: "move it away first if the new one shall replace it",
  });
}

/** Every secret key, by fingerprint. @throws Failure CONFIG_INVALID when others can read one */
export async function readSecretKeys(directory: string): Promise<readonly SecretKeyFile[]> {
  const keys: SecretKeyFile[] = [];
  for (const fingerprint of await fingerprintsIn(directory)) keys.push(await readSecretKey(directory, fingerprint));
  return keys;
}

/**
 * The one key whose fingerprint starts with `prefix`: at least 8 hex digits, spaces and case do not matter.
 * @throws Failure USAGE, NOT_FOUND, AMBIGUOUS
 */
export async function findSecretKey(directory: string, prefix: string): Promise<SecretKeyFile> {
  const digits = prefix.replace(/^0x|\s/gi, "").toLowerCase();
  if (!/^[0-9a-f]{8,40}$/.test(digits)) {
    throw new Failure("USAGE", "a key is named by its fingerprint, or at least the first 8 digits of it", {
      subject: prefix,
    });
  }
  const found = (await fingerprintsIn(directory)).filter(
    (fingerprint) => fingerprint.slice(0, digits.length) === digits,
  );
  const [fingerprint] = found;
  if (fingerprint === undefined) {
    throw new Failure("NOT_FOUND", `no secret key ${digits} in ${directory}`, {
      subject: prefix,
      hint: "perigee key list",
    });
  }
  if (found.length > 1) {
    throw new Failure("AMBIGUOUS", `several keys start with ${digits}`, { subject: prefix, cause: found.join(", ") });
  }
  return await readSecretKey(directory, fingerprint);
}

async function fingerprintsIn(directory: string): Promise<readonly string[]> {
  let names: string[];
  try {
    names = await readdir(directory);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw ioFailure(error, `cannot read ${directory}`, directory);
  }
  return names.flatMap((name) => /^([0-9a-f]{40})\.asc$/.exec(name)?.[1] ?? []).sort();
}

async function readSecretKey(directory: string, fingerprint: string): Promise<SecretKeyFile> {
  const path = join(directory, `${fingerprint}.asc`);
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((error: unknown) => {
    throw ioFailure(error, `cannot read ${path}`, path);
  });
  try {
    const stats = await handle.stat();
    if (!stats.isFile() || stats.size > keyFileLimit) {
      throw new Failure("CONFIG_INVALID", `${path} is no key file`, { subject: path });
    }
    if ((stats.mode & 0o077) !== 0) {
      throw new Failure("CONFIG_INVALID", `${path} is a secret key that others may use`, {
        subject: path,
        hint: `chmod 600 ${path}`,
      });
    }
    return { fingerprint, path, bytes: await handle.readFile() };
  } finally {
    await handle.close();
  }
}
