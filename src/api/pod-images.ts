/** The images of a pod: found in the store without loading what fetching needs, fetched otherwise; and whether they may run. */
import { Failure } from "../base/failure.ts";
import { findOciSync } from "../fetch/oci.ts";
import { parseReference } from "../fetch/reference.ts";
import type { AppRequest } from "../pod/manifest.ts";
import type { ImageID } from "../schema/image-id.ts";
import type { ImageRecord } from "../store/images.ts";
import { planTree, treeIdOfSync } from "../store/layers.ts";
import type { Store } from "../store/layout.ts";
import { findForHostSync, notStored, readManifestSync, readRecordSync, resolveImageIdSync } from "../store/lookup.ts";
import { isImageID } from "../store/records.ts";
import { keystoreOf } from "./keystore.ts";
import type { RunApp, RunOptions } from "./run-options.ts";
import type { Settings } from "./settings.ts";

export interface PodImage {
  readonly record: ImageRecord;
  /** Validated when it was stored; its bytes are compared with the digest of the record. */
  readonly manifest: AppRequest["image"]["manifest"];
  readonly treeId: string;
}

/** The image of each app, in order, trusted now. @throws Failure as fetch does; SIGNATURE_MISSING, KEY_UNTRUSTED */
export async function podImages(settings: Settings, store: Store, options: RunOptions): Promise<readonly PodImage[]> {
  const policy = options.pullPolicy ?? "new";
  const stored = options.apps.map((app) => (policy === "update" ? undefined : findApp(store, app)));
  const records = stored.every((record) => record !== undefined) ? stored : await fetchAll(settings, options, policy);
  for (const record of records) await requireVouched(settings, store, record);
  return records.map((record) => ({
    record,
    manifest: JSON.parse(readManifestSync(store, record.id).toString("utf8")),
    treeId: treeIdOfSync(store, record.id),
  }));
}

/** Whoever signed the image and what lies below it is trusted now, unless the settings do not ask. @throws Failure SIGNATURE_MISSING, KEY_UNTRUSTED */
export async function requireVouched(settings: Settings, store: Store, record: ImageRecord): Promise<void> {
  if (settings.insecure.has("image")) return;
  if (!record.hasDependencies) await requireTrust(settings, record);
  else await requireLayersVouched(settings, store, layersOf(store, record));
}

/** As requireVouched, of the images with these IDs and nothing below them. @throws Failure NOT_FOUND too */
export async function requireLayersVouched(settings: Settings, store: Store, ids: readonly string[]): Promise<void> {
  if (settings.insecure.has("image")) return;
  for (const id of ids) {
    const layer = isImageID(id) ? readRecordSync(store, id) : undefined;
    if (layer === undefined) throw notStored(id);
    await requireTrust(settings, layer);
  }
}

/** The image and everything below it: what a dependency brings runs too, and is vouched for by its own name (T-D16). */
function layersOf(store: Store, { id, hasDependencies }: ImageRecord): readonly ImageID[] {
  return hasDependencies ? [...new Set(planTree(store, id).layers.map((layer) => layer.id))] : [id];
}

/** Files and URLs are always read anew; an explicit signature asks for a verification. */
function findApp(store: Store, app: RunApp): ImageRecord | undefined {
  if (app.signature !== undefined) return undefined;
  const reference = parseReference(app.image);
  if (reference.kind === "id") return readRecordSync(store, resolveImageIdSync(store, reference.prefix));
  if (reference.kind === "oci") {
    return reference.oci.from === "registry" ? findOciSync(store, reference.oci) : undefined;
  }
  if (reference.kind !== "name") return undefined;
  return findForHostSync(store, reference.name, reference.labels);
}

/** What several apps name in the same words is fetched once: a pod of fifty apps of one file reads it once, and all get the same image. */
async function fetchAll(
  settings: Settings,
  options: RunOptions,
  pullPolicy: "new" | "never" | "update",
): Promise<readonly ImageRecord[]> {
  const { fetchImages } = await import("./fetch.ts");
  const wordsOf = (app: RunApp) => JSON.stringify([app.image, app.signature]);
  const sought = new Map(options.apps.map((app) => [wordsOf(app), app]));
  const fetched = await fetchImages(settings, {
    images: [...sought.values()].map((app) => ({ reference: app.image, signature: app.signature })),
    pullPolicy,
    allowRollback: options.allowRollback,
    signal: options.signal,
  });
  const records = new Map([...sought.keys()].map((words, index) => [words, fetched[index]]));
  return options.apps.map((app) => {
    const record = records.get(wordsOf(app));
    if (record === undefined) throw new Failure("INTERNAL", `${app.image} has no record`);
    return record;
  });
}

/**
 * The keys that vouched at import must still be trusted now: one that was removed, masked or revoked takes the image with it.
 * Key files that did not change need no OpenPGP.
 */
async function requireTrust(settings: Settings, record: ImageRecord): Promise<void> {
  // OCI-51: who fetched it named it by its digest.
  if (record.oci?.pinned === true) return;
  if (record.signers.length === 0) {
    throw new Failure("SIGNATURE_MISSING", `${record.name} was stored without a verified signature`, {
      subject: record.id,
      hint: "fetch it again with its signature, or run it with --insecure-options=image",
    });
  }
  const keystore = keystoreOf(settings);
  const changed: string[] = [];
  for (const { fingerprint, keyDigest } of record.signers) {
    const verdict = await keystore.vouches(record.name, fingerprint, keyDigest);
    if (verdict === "yes") return;
    if (verdict === "changed") changed.push(fingerprint);
  }
  for (const fingerprint of changed) {
    const { stillVouches } = await import("../trust/recheck.ts");
    if (await stillVouches(keystore, record.name, fingerprint)) return;
  }
  throw new Failure("KEY_UNTRUSTED", `no key you trust now vouches for ${record.name}`, {
    subject: record.id,
    cause: `it was signed by ${record.signers.map((signer) => signer.fingerprint).join(", ")}`,
    hint: `perigee trust --prefix ${record.name}`,
  });
}
