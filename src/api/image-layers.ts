/** An image with everything it depends on, whether it is stored or a file: what a file depends on is looked for in the store. */
import type { ImageID } from "../schema/image-id.ts";
import { lockStore } from "../store/gc.ts";
import { touchImage } from "../store/images.ts";
import type { ArchiveOf } from "../store/layer-archives.ts";
import { readableArchives } from "../store/layered-files.ts";
import { type PlanRoot, planLone, planTree, planTreeOn, type TreePlan } from "../store/layers.ts";
import { openStore, type Store } from "../store/layout.ts";
import { notStored, readManifestSync, readRecordSync, renderFacts } from "../store/lookup.ts";
import type { StoredRecord } from "../store/records.ts";
import { findImageSource, type ImageSource } from "./image-source.ts";
import type { Settings } from "./settings.ts";

/** Of one of its images. */
export type LayerFacts = Pick<StoredRecord, "id" | "name" | "labels" | "tarSize">;

export interface LayeredImage {
  readonly root: LayerFacts;
  /** The bytes of the root's manifest. */
  readonly manifest: Buffer;
  readonly plan: TreePlan;
  readonly archiveOf: ArchiveOf;
  /** @throws Failure NOT_FOUND for an image that the plan does not name */
  readonly factsOf: (id: ImageID) => LayerFacts;
  /** Notes that its images were used. */
  readonly touch: () => void;
}

/**
 * `use` gets the image while nothing of it can be removed from the store. A file is read once for its plan, and is not verified; one that depends
 * on nothing needs no store.
 * @throws Failure NOT_FOUND, AMBIGUOUS, USAGE, DEPENDENCY_CYCLE, DEPENDENCY_DEPTH, DIGEST_MISMATCH; for a file as readArchive
 */
export async function withLayers<T>(
  settings: Settings,
  { image, signal }: { readonly image: string; readonly signal?: AbortSignal | undefined },
  use: (layered: LayeredImage) => Promise<T>,
): Promise<T> {
  const source = await findImageSource(settings, image);
  if (source.kind === "stored") return await holding(settings, source.store, signal, () => use(ofStored(source)));
  const file = await readFile(settings, source, signal);
  if (file.root.facts.dependencies.length === 0) return await use(ofFile(file, planLone(file.root), undefined));
  const store = await openStore(settings.directories.data);
  return await holding(settings, store, signal, () => use(ofFile(file, planTreeOn(store, file.root), store)));
}

async function holding<T>(
  { log }: Settings,
  store: Store,
  signal: AbortSignal | undefined,
  use: () => Promise<T>,
): Promise<T> {
  const lock = await lockStore(store, "shared", { signal, log });
  try {
    return await use();
  } finally {
    lock.release();
  }
}

function ofStored({ store, record }: Extract<ImageSource, { kind: "stored" }>): LayeredImage {
  const plan = planTree(store, record.id);
  return {
    root: record,
    manifest: readManifestSync(store, record.id),
    plan,
    archiveOf: readableArchives(store),
    factsOf: (id) => storedFacts(store, id),
    touch: () => touchAll(store, plan),
  };
}

interface ReadFile {
  readonly root: PlanRoot & LayerFacts;
  readonly manifest: Buffer;
  readonly archive: ReturnType<ArchiveOf>;
}

async function readFile(
  settings: Settings,
  { open }: Extract<ImageSource, { kind: "file" }>,
  signal: AbortSignal | undefined,
): Promise<ReadFile> {
  const { readArchive } = await import("../image/archive.ts");
  const limits = await settings.limits();
  const { id, manifest, manifestBytes, tarSize } = await readArchive(open(), undefined, { limits, signal });
  const { name, labels } = manifest;
  const root = { id, name, labels, tarSize, signers: [], facts: renderFacts(manifestBytes, name) };
  return { root, manifest: manifestBytes, archive: { id, name, limits, open } };
}

function ofFile({ root, manifest, archive }: ReadFile, plan: TreePlan, store: Store | undefined): LayeredImage {
  return {
    root,
    manifest,
    plan,
    archiveOf: (id) => (id === root.id || store === undefined ? archive : readableArchives(store)(id)),
    factsOf: (id) => (id === root.id || store === undefined ? root : storedFacts(store, id)),
    touch: () => store !== undefined && touchAll(store, plan),
  };
}

function storedFacts(store: Store, id: ImageID): LayerFacts {
  const record = readRecordSync(store, id);
  if (record === undefined) throw notStored(id);
  return record;
}

function touchAll(store: Store, { layers }: TreePlan): void {
  for (const id of new Set(layers.map((layer) => layer.id))) touchImage(store, id);
}
