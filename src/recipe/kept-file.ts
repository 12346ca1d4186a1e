/** Small files that follow from layers, kept in the step cache beside them: whoever asks for the same again need not make it again. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { sha512 } from "../base/digest.ts";
import { errnoOf } from "../base/failure.ts";
import { beginLayer, type Cache, commitLayer, findLayer, layerDirectory } from "./cache.ts";

const fileName = "file";

/** @param key from keyOf. @returns undefined when it was not kept, and when a disk changed it */
export async function findFile(cache: Cache, key: string): Promise<Buffer | undefined> {
  const known = findLayer(cache, key);
  if (known === undefined) return undefined;
  const bytes = await readFile(join(layerDirectory(cache, known.id), fileName)).catch((error: unknown) => {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  });
  return bytes !== undefined && layerOf(bytes) === known.id ? bytes : undefined;
}

/** From now on findFile gives it for `key`. @throws Failure DISK_FULL, IO_FAILED */
export async function keepFile(cache: Cache, key: string, bytes: Buffer): Promise<void> {
  const staging = await beginLayer(cache);
  try {
    await writeFile(join(staging.tree, fileName), bytes, { mode: 0o600, flush: true });
    await commitLayer(cache, staging, key, { layer: layerOf(bytes), size: bytes.length });
  } finally {
    await staging.discard();
  }
}

function layerOf(bytes: Buffer): string {
  return `file-${sha512(bytes)}`;
}
