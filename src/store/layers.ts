/**
 * Reads what a tree is made of from the index: which stored image each dependency means, and under which whitelists. Knows
 * records and manifests; opens no archive.
 */
import { excerpt, Failure, printable } from "../base/failure.ts";
import type { ImageID } from "../schema/image-id.ts";
import { type Layer, renderLayers, treeIdFor } from "./dependencies.ts";
import type { Store } from "./layout.ts";
import {
  matchingRecordsSync,
  notStored,
  type RenderFacts,
  readManifestSync,
  readRecordSync,
  renderFacts,
  resolveImageIdSync,
  type StoredDependency,
} from "./lookup.ts";
import type { StoredRecord } from "./records.ts";

/** A layer with the whitelists that apply to it, its own first. */
export interface FilteredLayer extends Layer {
  readonly whitelists: readonly (readonly string[])[];
}

export interface TreePlan {
  readonly treeId: string;
  readonly layers: readonly FilteredLayer[];
}

/** Id of the tree an image renders to; cheap, reads records and manifests only. @throws Failure NOT_FOUND, DEPENDENCY_CYCLE … */
export function treeIdOfSync(store: Store, id: ImageID): string {
  const record = readRecordSync(store, id);
  if (record === undefined) throw notStored(id);
  return record.hasDependencies ? planTree(store, id).treeId : id;
}

/** What lies in the tree of an image, lowest first. @throws Failure NOT_FOUND, NAME_MISMATCH, DEPENDENCY_CYCLE, DEPENDENCY_DEPTH */
export function planTree(store: Store, id: ImageID): TreePlan {
  const root = readRecordSync(store, id);
  if (root === undefined) throw notStored(id);
  const facts = new Map<ImageID, RenderFacts>();
  const factsOf = (image: ImageID): RenderFacts => {
    const known = facts.get(image) ?? renderFacts(readManifestSync(store, image), image);
    facts.set(image, known);
    return known;
  };
  const resolved = new Map<StoredDependency, ImageID>();
  const resolve = (dependency: StoredDependency): ImageID => {
    const known = resolved.get(dependency) ?? findDependency(store, dependency, root);
    resolved.set(dependency, known);
    return known;
  };
  const layers = renderLayers(id, (image) => factsOf(image).dependencies.map(resolve));
  return {
    treeId: treeIdFor(layers.map((layer) => layer.id)),
    layers: layers.map((layer) => ({
      ...layer,
      whitelists: layer.context.map((image) => factsOf(image).whitelist).filter((list) => list.length > 0),
    })),
  };
}

/**
 * The stored image that a dependency means: by name and labels, then by ID where one is given (ACI-52). Images for another
 * platform than the root's are not looked at.
 */
function findDependency(store: Store, dependency: StoredDependency, root: StoredRecord): ImageID {
  const candidates = vouchedFirst(
    matchingRecordsSync(store, dependency.name, dependency.labels).filter((record) => isForSamePlatform(record, root)),
    root,
  );
  const { idPrefix } = dependency;
  const found = idPrefix === undefined ? candidates[0] : candidates.find(({ id }) => hasPrefix(id, idPrefix));
  if (found !== undefined) return found.id;
  if (idPrefix !== undefined) refuseOtherName(store, dependency.name, idPrefix);
  const version = dependency.labels.find((label) => label.name === "version")?.value;
  throw new Failure("NOT_FOUND", `${excerpt(root.name)} depends on ${excerpt(dependency.name)}, which is not stored`, {
    subject: dependency.name,
    hint: `perigee fetch ${printable(dependency.name)}${version === undefined ? "" : `:${printable(version)}`}`,
  });
}

/** What lies under an image that somebody vouched for is not quietly exchanged by a later import that nobody vouches for. */
function vouchedFirst(candidates: readonly StoredRecord[], root: StoredRecord): readonly StoredRecord[] {
  if (root.signers.length === 0) return candidates;
  return candidates.toSorted((a, b) => Number(b.signers.length > 0) - Number(a.signers.length > 0));
}

function hasPrefix(id: ImageID, prefix: string): boolean {
  return id.slice(0, prefix.length) === prefix;
}

function isForSamePlatform(record: StoredRecord, root: StoredRecord): boolean {
  return ["os", "arch"].every((name) => {
    const wanted = root.labels.find((label) => label.name === name)?.value;
    const offered = record.labels.find((label) => label.name === name)?.value;
    return wanted === undefined || offered === undefined || wanted === offered;
  });
}

/** An ID that is stored, but as something else than the dependency says, deserves to be told (ACI-46). */
function refuseOtherName(store: Store, name: string, idPrefix: string): void {
  let other: StoredRecord | undefined;
  try {
    other = readRecordSync(store, resolveImageIdSync(store, idPrefix));
  } catch (error) {
    if (error instanceof Failure) return;
    throw error;
  }
  if (other === undefined) return;
  throw new Failure("NAME_MISMATCH", `the image that a dependency calls ${excerpt(name)} is ${excerpt(other.name)}`, {
    subject: other.id,
    cause: "its name or its labels are not those of the dependency",
  });
}
