/** Signs an image file: IMAGE.aci → IMAGE.aci.asc. What the bytes are is not asked: a signature is over bytes. */
import { realpath } from "node:fs/promises";
import { Failure, printable } from "../base/failure.ts";
import { readIfExists } from "../base/files.ts";
import { FileLock } from "../shim/flock.ts";
import { openFile, readChunks, requireWritable, writeOutput } from "../trust/files.ts";
import { findGpgKey, type GpgKey, type GpgSigning, startGpg } from "../trust/gpg.ts";
import { findSecretKey } from "../trust/key-directory.ts";
import { unlockKey } from "../trust/keys.ts";
import { signStream, type UnlockedKey } from "../trust/sign.ts";
import { signatureFileLimit } from "../trust/signature.ts";
import { keyDirectory, selectKeys } from "./keys.ts";
import type { Settings } from "./settings.ts";

export interface SigningKeyChoice {
  /** Fingerprint, or a unique prefix of at least 8 digits. */
  readonly fingerprint: string;
  /** A function is called only once image and output were found to be usable. */
  readonly passphrase?: string | (() => Promise<string | undefined>) | undefined;
}

export interface SignOptions {
  readonly image: string;
  /** One signature for each, in one block; undefined: the only key there is, or none when `gpg` names one. */
  readonly keys?: readonly SigningKeyChoice[] | undefined;
  /** Keys of the user's gpg, as it names them; its agent asks for their passphrases. */
  readonly gpg?: readonly string[] | undefined;
  /** Signatures by other keys that are in the output file already stay in it. */
  readonly append?: boolean | undefined;
  /** Default: the image's path and `.asc` (ACI-9). */
  readonly output?: string | undefined;
  readonly overwrite?: boolean | undefined;
  readonly now?: Date | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface SignedImage {
  readonly image: string;
  readonly signature: string;
  /** Whose signatures were made. */
  readonly fingerprints: readonly string[];
  /** How many were there before and stayed. */
  readonly kept: number;
  readonly signedAt: Date;
}

/**
 * Writes a detached armoured signature (ACI-8), atomically.
 * @throws Failure NOT_FOUND, AMBIGUOUS, PASSPHRASE_WRONG, KEY_INVALID, ALREADY_EXISTS, USAGE; with `append` SIGNATURE_BAD and
 * SIGNATURE_INVALID when what is there is of another image or no signature
 */
export async function signImage(settings: Settings, options: SignOptions): Promise<SignedImage> {
  const { image, output = `${image}.asc`, overwrite = false, append = false, now = new Date(), signal } = options;
  if (append && overwrite) {
    throw new Failure("USAGE", "--append and --overwrite exclude each other", {
      hint: "--append keeps the signatures of other keys, --overwrite keeps none",
    });
  }
  const target = { mode: 0o644, overwrite: overwrite || append };
  const handle = await openFile(image);
  let gpg: GpgSigning | undefined;
  let lock: FileLock | undefined;
  try {
    // From reading what is there to writing it with more, so that of two who add at the same time neither loses the other's.
    if (append) lock = await lockImage(image, settings, signal);
    await requireWritable(output, target);
    const gpgKeys = await gpgKeysOf(settings, options);
    const isDefault = options.keys === undefined && gpgKeys.length === 0;
    const keys = await unlockAll(settings, isDefault ? await selectKeys(settings, []) : (options.keys ?? []));
    const earlier = append ? await readIfExists(output, signatureFileLimit) : undefined;
    gpg = gpgKeys.length === 0 ? undefined : await startGpg({ ...settings, signal }, gpgKeys);
    const { file, kept } = await signStream(readChunks(handle, signal), keys, now, { gpg, earlier });
    await writeOutput(output, file, target);
    const fingerprints = [...keys, ...gpgKeys].map(({ fingerprint }) => fingerprint);
    return { image, signature: output, fingerprints, kept, signedAt: now };
  } finally {
    gpg?.abandon();
    lock?.release();
    await handle.close();
  }
}

async function lockImage(image: string, { log }: Settings, signal: AbortSignal | undefined): Promise<FileLock> {
  const onWait = (): void => log.info(`waiting for somebody else who signs ${printable(image)}`);
  return await FileLock.acquire(await realpath(image), "exclusive", { signal, onWait });
}

/** Each once, in the order given. */
async function gpgKeysOf(settings: Settings, { gpg = [], signal }: SignOptions): Promise<readonly GpgKey[]> {
  const keys = new Map<string, GpgKey>();
  for (const keyId of gpg) {
    const key = await findGpgKey({ ...settings, signal }, keyId);
    keys.set(key.fingerprint, key);
  }
  return [...keys.values()];
}

async function unlockAll(settings: Settings, choices: readonly SigningKeyChoice[]): Promise<readonly UnlockedKey[]> {
  const keys: UnlockedKey[] = [];
  for (const { fingerprint, passphrase } of choices) {
    const file = await findSecretKey(keyDirectory(settings), fingerprint);
    keys.push(await unlockKey(file.bytes, typeof passphrase === "function" ? await passphrase() : passphrase));
  }
  return keys;
}
