/**
 * Reads what a tree is made of from the index: which stored image each dependency means, and under which whitelists. Knows
 * records and manifests; opens no archive.
 */
import { excerpt, Failure, printable } from "../base/failure.ts";
import type { ImageID } from "../schema/image-id.ts";
import { type Layer, renderLayers, treeIdFor } from "./dependencies.ts";
import type { Store } from "./layout.ts";
import {
  listRecordsSync,
  matchesOf,
  notStored,
  type RenderFacts,
  readManifestOf,
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

/** An image that stands on others, which need not be stored itself. */
export interface PlanRoot extends Pick<StoredRecord, "id" | "name" | "labels" | "signers"> {
  readonly facts: RenderFacts;
}

/** Plans the trees of any number of images; what was read for one is not read for another. */
export interface Planner {
  /** What lies in the tree of an image, lowest first. @throws Failure NOT_FOUND, NAME_MISMATCH, DEPENDENCY_CYCLE, DEPENDENCY_DEPTH */
  plan(id: ImageID): TreePlan;
  /** As plan, of an image at hand; everything below it is looked up in the store. */
  planOn(root: PlanRoot): TreePlan;
  /** Id of the tree an image renders to; cheap, reads records and manifests only. @throws as plan */
  treeId(id: ImageID): string;
}

/** Where records come from: the disk, or an index that was read whole. */
interface Records {
  byId(id: ImageID): StoredRecord | undefined;
  named(name: string): readonly StoredRecord[];
}

/** @param index every record, when they were read already: without, all entries are looked at for each name that is depended on */
export function openPlanner(store: Store, index?: readonly StoredRecord[]): Planner {
  const records = index === undefined ? recordsOnDisk(store) : recordsOf(index);
  const storedFacts = remembering((id: ImageID) => renderFacts(readManifestOf(store, recordOf(records, id)), id));
  const planOn = (root: PlanRoot): TreePlan => {
    const factsOf = (id: ImageID) => (id === root.id ? root.facts : storedFacts(id));
    const resolve = remembering((dependency: StoredDependency) =>
      findDependency(store, dependency, root, records.named(dependency.name)),
    );
    function* dependenciesOf(image: ImageID): Generator<ImageID> {
      for (const dependency of factsOf(image).dependencies) yield resolve(dependency);
    }
    const layers = renderLayers(root.id, dependenciesOf);
    return {
      treeId: treeIdFor(layers.map((layer) => layer.id)),
      layers: layers.map((layer) => ({
        ...layer,
        whitelists: layer.context.map((image) => factsOf(image).whitelist).filter((list) => list.length > 0),
      })),
    };
  };
  const plan = (id: ImageID) => planOn({ ...recordOf(records, id), facts: storedFacts(id) });
  return { plan, planOn, treeId: (id) => (recordOf(records, id).hasDependencies ? plan(id).treeId : id) };
}

/** As Planner.treeId, of one image. */
export function treeIdOfSync(store: Store, id: ImageID): string {
  return openPlanner(store).treeId(id);
}

/** As Planner.plan, of one image. */
export function planTree(store: Store, id: ImageID): TreePlan {
  return openPlanner(store).plan(id);
}

/** As Planner.planOn, of one image. */
export function planTreeOn(store: Store, root: PlanRoot): TreePlan {
  return openPlanner(store).planOn(root);
}

function recordOf(records: Records, id: ImageID): StoredRecord {
  const record = records.byId(id);
  if (record === undefined) throw notStored(id);
  return record;
}

/** The first name is looked for in the entries as they are; whoever asks for a second one has all of them read, so that many names do not mean as many readings. */
function recordsOnDisk(store: Store): Records {
  let all: Records | undefined;
  let isFirst = true;
  const look = (name: string): readonly StoredRecord[] => {
    if (isFirst) {
      isFirst = false;
      return recordsNamedSync(store, name);
    }
    all ??= recordsOf(listRecordsSync(store));
    return all.named(name);
  };
  return { byId: remembering((id: ImageID) => readRecordSync(store, id)), named: remembering(look) };
}

function recordsOf(index: readonly StoredRecord[]): Records {
  const byId = new Map(index.map((record) => [record.id, record]));
  const byName = new Map<string, StoredRecord[]>();
  for (const record of index) {
    const others = byName.get(record.name);
    if (others === undefined) byName.set(record.name, [record]);
    else others.push(record);
  }
  return { byId: (id) => byId.get(id), named: (name) => byName.get(name) ?? [] };
}

function remembering<K, V>(find: (key: K) => V): (key: K) => V {
  const known = new Map<K, { readonly value: V }>();
  return (key) => {
    const found = known.get(key) ?? { value: find(key) };
    known.set(key, found);
    return found.value;
  };
}

/** The plan of an image that depends on nothing: no store has to be there. */
export function planLone({ id, facts: { whitelist } }: PlanRoot): TreePlan {
  return { treeId: id, layers: [{ id, context: [id], whitelists: whitelist.length === 0 ? [] : [whitelist] }] };
}

/**
 * The stored image that a dependency means: by name and labels, then by ID and size where they are given (ACI-46, ACI-47, ACI-52).
 * Images for another platform than the root's are not looked at.
 */
function findDependency(
  store: Store,
  dependency: StoredDependency,
  root: PlanRoot,
  named: readonly StoredRecord[],
): ImageID {
  const { name, labels, idPrefix, size } = dependency;
  const candidates = vouchedFirst(
    // An image of layers has no archive to lay under another.
    matchesOf(named, labels).filter((record) => record.oci === undefined && isForSamePlatform(record, root)),
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

function wrongSize(root: PlanRoot, other: StoredRecord, size: number | undefined): Failure {
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
function vouchedFirst(candidates: readonly StoredRecord[], root: PlanRoot): readonly StoredRecord[] {
  if (root.signers.length === 0) return candidates;
  return candidates.toSorted((a, b) => Number(b.signers.length > 0) - Number(a.signers.length > 0));
}

function hasPrefix(id: ImageID, prefix: string): boolean {
  return id.slice(0, prefix.length) === prefix;
}

function isForSamePlatform(record: StoredRecord, root: PlanRoot): boolean {
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
