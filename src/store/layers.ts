/**
 * Reads what a tree is made of from the index: which stored image each dependency means, and under which whitelists. Knows
 * records and manifests; opens no archive.
 */
import { excerpt, Failure, printable } from "../base/failure.ts";
import type { ImageID } from "../schema/image-id.ts";
import { type Layer, renderLayers, treeIdFor } from "./dependencies.ts";
import type { Store } from "./layout.ts";
import {
  matchesOf,
  notStored,
  type RenderFacts,
  readManifestSync,
  readRecordSync,
  recordsNamedSync,
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
  const named = new Map<string, readonly StoredRecord[]>();
  const recordsNamed = (name: string): readonly StoredRecord[] => {
    const known = named.get(name) ?? recordsNamedSync(store, name);
    named.set(name, known);
    return known;
  };
  const resolved = new Map<StoredDependency, ImageID>();
  const resolve = (dependency: StoredDependency): ImageID => {
    const known = resolved.get(dependency) ?? findDependency(store, dependency, root, recordsNamed(dependency.name));
    resolved.set(dependency, known);
    return known;
  };
  function* dependenciesOf(image: ImageID): Generator<ImageID> {
    for (const dependency of factsOf(image).dependencies) yield resolve(dependency);
  }
  const layers = renderLayers(id, dependenciesOf);
  return {
    treeId: treeIdFor(layers.map((layer) => layer.id)),
    layers: layers.map((layer) => ({
      ...layer,
      whitelists: layer.context.map((image) => factsOf(image).whitelist).filter((list) => list.length > 0),
    })),
  };
}

/**
 * The stored image that a dependency means: by name and labels, then by ID and size where they are given (ACI-46, ACI-47, ACI-52).
 * Images for another platform than the root's are not looked at.
 */
function findDependency(
  store: Store,
  dependency: StoredDependency,
  root: StoredRecord,
  named: readonly StoredRecord[],
): ImageID {
  const { name, labels, idPrefix, size } = dependency;
  const candidates = vouchedFirst(
    matchesOf(named, labels).filter((record) => isForSamePlatform(record, root)),
    root,
  ).filter(({ id }) => idPrefix === undefined || hasPrefix(id, idPrefix));
  const found = candidates.find((record) => hasSize(record, size));
  if (found !== undefined) return found.id;
  const [other] = candidates;
  if (other !== undefined) throw wrongSize(root, other, size);
  if (idPrefix !== undefined) refuseOtherName(store, name, idPrefix);
  const version = labels.find((label) => label.name === "version")?.value;
  throw new Failure("NOT_FOUND", `${excerpt(root.name)} depends on ${excerpt(name)}, which is not stored`, {
    subject: name,
    hint: `perigee fetch ${printable(name)}${version === undefined ? "" : `:${printable(version)}`}`,
  });
}

/** Of the archive as fetched, or of its tar. */
function hasSize(record: StoredRecord, size: number | undefined): boolean {
  return size === undefined || size === record.archive.size || size === record.tarSize;
}

function wrongSize(root: StoredRecord, other: StoredRecord, size: number | undefined): Failure {
  return new Failure(
    "DIGEST_MISMATCH",
    `no stored ${excerpt(other.name)} has the size that is asked for below ${excerpt(root.name)}`,
    {
      subject: other.name,
      cause: `expected ${size} bytes, found ${other.archive.size} (${other.tarSize} uncompressed)`,
      hint: `perigee fetch ${printable(root.name)}`,
    },
  );
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
