/** Signs an image file: IMAGE.aci → IMAGE.aci.asc. What the bytes are is not asked: a signature is over bytes. */

import { openFile, readChunks, requireWritable, writeOutput } from "../trust/files.ts";
import { findSecretKey } from "../trust/key-directory.ts";
import { unlockKey } from "../trust/keys.ts";
import { signStream, type UnlockedKey } from "../trust/sign.ts";
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
  /** One signature for each, in one block; undefined: the only key there is. */
  readonly keys?: readonly SigningKeyChoice[] | undefined;
  /** Default: the image's path and `.asc` (ACI-9). */
  readonly output?: string | undefined;
  readonly overwrite?: boolean | undefined;
  readonly now?: Date | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface SignedImage {
  readonly image: string;
  readonly signature: string;
  readonly fingerprints: readonly string[];
  readonly signedAt: Date;
}

/**
 * Writes a detached armoured signature (ACI-8), atomically.
 * @throws Failure NOT_FOUND, AMBIGUOUS, PASSPHRASE_WRONG, KEY_INVALID, ALREADY_EXISTS
 */
export async function signImage(settings: Settings, options: SignOptions): Promise<SignedImage> {
  const { image, output = `${image}.asc`, overwrite = false, now = new Date(), signal } = options;
  const target = { mode: 0o644, overwrite };
  const handle = await openFile(image);
  try {
    await requireWritable(output, target);
    const keys = await unlockAll(settings, options.keys ?? (await selectKeys(settings, [])));
    await writeOutput(output, await signStream(readChunks(handle, signal), keys, now), target);
    return { image, signature: output, fingerprints: keys.map(({ fingerprint }) => fingerprint), signedAt: now };
  } finally {
    await handle.close();
  }
}

async function unlockAll(settings: Settings, choices: readonly SigningKeyChoice[]): Promise<readonly UnlockedKey[]> {
  const keys: UnlockedKey[] = [];
  for (const { fingerprint, passphrase } of choices) {
    const file = await findSecretKey(keyDirectory(settings), fingerprint);
    keys.push(await unlockKey(file.bytes, typeof passphrase === "function" ? await passphrase() : passphrase));
  }
  return keys;
}
