/** Whether the blobs of an image of layers are what they were when they came (LAYER-5). Its files are made of them, and are not compared here. */
import { createHash } from "node:crypto";
import { Failure, printable } from "../base/failure.ts";
import type { Log } from "../base/log.ts";
import { sha512 } from "../shim/sha512.ts";
import { readDigestBlob } from "./digest-blobs.ts";
import { readArchiveBlob } from "./images.ts";
import type { Store } from "./layout.ts";
import type { StoredRecord } from "./records.ts";
import { findTree } from "./trees.ts";
import type { TreeVerdict } from "./verification.ts";

interface VerifyLayersOptions {
  readonly log: Log;
  readonly signal?: AbortSignal | undefined;
}

/** @throws Failure DIGEST_MISMATCH, NOT_FOUND for a blob that is not what was stored; INTERRUPTED */
export async function verifyLayers(
  store: Store,
  record: StoredRecord,
  { log, signal }: VerifyLayersOptions,
): Promise<TreeVerdict> {
  const { id, name, archive, oci } = record;
  if (oci === undefined) throw new Failure("INTERNAL", "an image without layers");
  for await (const _ of readArchiveBlob(store, { name, archive }));
  const blobs = [oci.config, ...oci.layers];
  const total = blobs.reduce((sum, blob) => sum + blob.size, 0);
  const task = `verifying ${printable(name)}`;
  let done = 0;
  for (const blob of blobs) {
    for await (const chunk of hashedBlob(store, blob, name)) {
      done += chunk.length;
      log.progress({ task, done, total });
      if (signal?.aborted === true) throw new Failure("INTERRUPTED", "interrupted", { cause: signal.reason });
    }
  }
  log.progress({ task, done, total, finished: true });
  const tree = findTree(store, id) === undefined ? "not rendered" : "not compared";
  const treeHash = sha512(blobs.map(({ digest }) => `${digest}\n`).join(""));
  return { treeId: id, tree, treeHash, differences: [], differenceCount: 0, usedBy: [] };
}

async function* hashedBlob(
  store: Store,
  { digest, size }: { readonly digest: string; readonly size: number },
  name: string,
): AsyncGenerator<Uint8Array> {
  const [algorithm = "", hex] = digest.split(":");
  const hash = createHash(algorithm);
  let count = 0;
  for await (const chunk of readDigestBlob(store, digest)) {
    count += chunk.length;
    hash.update(chunk);
    yield chunk;
  }
  const actual = hash.digest("hex");
  if (actual === hex && count === size) return;
  throw new Failure("DIGEST_MISMATCH", `a stored blob of ${printable(name)} is not what it was`, {
    subject: digest,
    cause: `expected ${digest} with ${size} bytes, got ${algorithm}:${actual} with ${count}`,
    hint: "perigee image rm it, and fetch it again",
  });
}
