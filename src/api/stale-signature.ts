/** A signature that was left beside an image whose bytes are others now. */
import { Failure, printable } from "../base/failure.ts";
import { readIfExists } from "../base/files.ts";
import type { Log } from "../base/log.ts";
import { openFile, readChunks } from "../trust/files.ts";
import { signatureFileLimit } from "../trust/signature.ts";

/**
 * Warns when the signature beside the image just written is not of it: everybody would refuse the image for it (TRUST-15). An image that was
 * built again to the same bytes keeps its signature.
 * @returns its path then
 */
export async function warnIfStale(image: string, log: Log, signal?: AbortSignal): Promise<string | undefined> {
  const signature = `${image}.asc`;
  if (await fits(signature, image, signal)) return undefined;
  log.warn(`${printable(signature)} signs other bytes: perigee sign --overwrite ${printable(image)}`);
  return signature;
}

/** True also where there is none. */
async function fits(signature: string, image: string, signal: AbortSignal | undefined): Promise<boolean> {
  try {
    const file = await readIfExists(signature, signatureFileLimit);
    if (file === undefined) return true;
    const { isSignatureOf } = await import("../trust/signature-block.ts");
    const handle = await openFile(image);
    try {
      return await isSignatureOf(file, readChunks(handle, signal));
    } finally {
      await handle.close();
    }
  } catch (error) {
    // No signature at all, or nothing that can be read as one, fits as little.
    if (error instanceof Failure && error.code !== "INTERRUPTED") return false;
    throw error;
  }
}
