/**
 * Images with all they depend on: from the store where the pull policy allows, else imported. The store changes only when a
 * reference and everything below it is there and verified, lowest first, so that a listed image always has its dependencies.
 */
import { Failure, printable } from "../base/failure.ts";
import { showOciReference } from "../oci/reference.ts";
import type { ImageID } from "../schema/image-id.ts";
import type { Dependency } from "../schema/image-manifest.ts";
import { renderOrder } from "../store/dependencies.ts";
import type { ImageRecord } from "../store/images.ts";
import { listRecords, readRecord, resolveImageId, touchImage } from "../store/images.ts";
import type { Store } from "../store/layout.ts";
import { findForHostSync } from "../store/lookup.ts";
import { hasPinnedId, requirePinned } from "./match.ts";
import { type FetchContext, importMember, type Member, storedMember } from "./member.ts";
import { findOciSync, importOciMember } from "./oci.ts";
import { startAll } from "./parallel.ts";
import type { Reference } from "./reference.ts";

/** `new`: what is stored, else fetched. `never`: only what is stored. `update`: fetched, whatever is stored. */
export type PullPolicy = "new" | "never" | "update";

export interface FetchRequest {
  readonly reference: Reference;
  /** Path of a detached signature, for files and URLs. */
  readonly signature?: string | undefined;
}

/** Levels of dependencies below an image. */
const maxDepth = 64;
/** Images that one reference may bring (A10). */
const maxImages = 256;

/**
 * Fetches, verifies, stores and renders every request and what it depends on; returns the records of the requests in order.
 * Several are downloaded at a time; they are stored in order, each whole or not at all. The policy is for what is asked for; of dependencies, what is stored is taken.
 * @throws Failure NOT_FOUND, DISCOVERY_FAILED, SIGNATURE_MISSING, KEY_UNTRUSTED, SIGNATURE_BAD, SIGNATURE_INVALID, NAME_MISMATCH, ROLLBACK,
 * DIGEST_MISMATCH, DEPENDENCY_CYCLE, DEPENDENCY_DEPTH, LIMIT_EXCEEDED, HTTP_FAILED, TLS_FAILED, TIMED_OUT, INTERRUPTED …
 */
export async function fetchClosure(
  context: FetchContext,
  requests: readonly FetchRequest[],
  pullPolicy: PullPolicy,
): Promise<readonly ImageRecord[]> {
  const unique = new Map(requests.map((request) => [JSON.stringify(request), request]));
  const isAlone = unique.size === 1;
  const resolve = (request: FetchRequest, signal: AbortSignal) =>
    resolveRequest({ ...context, signal, isAlone }, request, pullPolicy);
  const started = startAll([...unique.values()], resolve, context.signal);
  try {
    const records = new Map<string, ImageRecord>();
    for (const [index, key] of [...unique.keys()].entries()) {
      const root = await started.results[index];
      if (root !== undefined) records.set(key, await complete(context, root, pullPolicy));
    }
    return requests.flatMap((request) => records.get(JSON.stringify(request)) ?? []);
  } catch (error) {
    for (const member of await started.stop()) await member.pending?.abandon();
    throw error;
  }
}

/** Brings what `root` depends on, and stores all of it. */
async function complete(context: FetchContext, root: Member, policy: PullPolicy): Promise<ImageRecord> {
  const members: Member[] = [root];
  try {
    await collectDependencies(context, members, policy);
    return await commitAll(context, members);
  } catch (error) {
    for (const member of members) await member.pending?.abandon();
    throw error;
  }
}

async function resolveRequest(context: FetchContext, request: FetchRequest, policy: PullPolicy): Promise<Member> {
  const { reference, signature } = request;
  const stored = await lookUp(context.store, reference, policy);
  if (stored !== undefined) return await storedMember(context.store, stored, 0);
  if (policy === "never" || reference.kind === "id") throw notStored(describe(reference));
  if (reference.kind === "oci") return await importOciMember(context, reference.oci);
  return await importMember(context, reference, signature, 0);
}

/** What of the store answers the reference under this policy. Files are read anew unless nothing may be fetched. */
async function lookUp(store: Store, reference: Reference, policy: PullPolicy): Promise<ImageRecord | undefined> {
  if (reference.kind === "id") return await readRecord(store, await resolveImageId(store, reference.prefix));
  if (policy === "update" || (policy === "new" && isLocal(reference))) return undefined;
  if (reference.kind === "name") return findForHostSync(store, reference.name, reference.labels);
  if (reference.kind === "oci") return findOciSync(store, reference.oci);
  const source = reference.kind === "url" ? reference.url : reference.path;
  return (await listRecords(store)).find((record) => record.source === source);
}

/** What can change under our hands is read anew. */
function isLocal(reference: Reference): boolean {
  return reference.kind === "file" || (reference.kind === "oci" && reference.oci.from !== "registry");
}

/** Level by level; what is there already is not fetched again, so a graph with loops ends, and is then refused. */
async function collectDependencies(context: FetchContext, members: Member[], policy: PullPolicy): Promise<void> {
  const edges = new Map<ImageID, readonly ImageID[]>();
  for (let known = 0; known < members.length; ) {
    const level = members.slice(known);
    known = members.length;
    const fetched = await resolveLevel(context, members, level, policy);
    try {
      for (const member of level) {
        const below = member.dependencies.map((dependency) => {
          const image = members.find((candidate) => satisfies(candidate, dependency)) ?? fetched.get(keyOf(dependency));
          if (image === undefined) throw new Failure("INTERNAL", `${dependency.imageName} was not resolved`);
          if (!members.includes(image)) members.push(image);
          requirePinned(dependency, image.record, member.record.name);
          return image.record.id;
        });
        edges.set(member.record.id, below);
      }
    } finally {
      // Two questions may have brought one image.
      for (const image of fetched.values()) if (!members.includes(image)) await image.pending?.abandon();
    }
  }
  const [root] = members;
  if (root !== undefined) renderOrder(root.record.id, (id) => edges.get(id) ?? [], maxDepth);
}

/** What the images of a level depend on and nobody brought yet, several at a time. */
async function resolveLevel(
  context: FetchContext,
  members: readonly Member[],
  level: readonly Member[],
  policy: PullPolicy,
): Promise<ReadonlyMap<string, Member>> {
  const wanted = new Map<string, { readonly dependency: Dependency; readonly member: Member }>();
  for (const member of level) {
    for (const dependency of member.dependencies) {
      if (wanted.has(keyOf(dependency)) || members.some((candidate) => satisfies(candidate, dependency))) continue;
      wanted.set(keyOf(dependency), { dependency, member });
      requireBounded(members[0], members.length + wanted.size);
    }
  }
  const started = startAll(
    [...wanted],
    async ([key, { dependency, member }], signal) =>
      [key, await resolveDependency({ ...context, signal }, dependency, member, policy)] as const,
    context.signal,
  );
  try {
    return new Map(await Promise.all(started.results));
  } catch (error) {
    for (const [, image] of await started.stop()) await image.pending?.abandon();
    throw error;
  }
}

function keyOf({ imageName, imageID, labels }: Dependency): string {
  return JSON.stringify([imageName, imageID, labels]);
}

function satisfies({ record }: Member, dependency: Dependency): boolean {
  return (
    record.name === dependency.imageName &&
    hasPinnedId(dependency, record.id) &&
    dependency.labels.every((want) => record.labels.some((has) => has.name === want.name && has.value === want.value))
  );
}

async function resolveDependency(
  context: FetchContext,
  dependency: Dependency,
  dependant: Member,
  policy: PullPolicy,
): Promise<Member> {
  const depth = dependant.depth + 1;
  if (depth > maxDepth) {
    throw new Failure("DEPENDENCY_DEPTH", `dependencies go deeper than ${maxDepth} levels`, {
      subject: dependant.record.name,
    });
  }
  if (context.signal?.aborted) throw new Failure("INTERRUPTED", `interrupted before ${dependency.imageName}`);
  const { imageName: name, labels } = dependency;
  const stored = await findDependency(context, dependency);
  if (stored !== undefined) return await storedMember(context.store, stored, depth);
  if (policy === "never") throw notStored(`${name}, which ${dependant.record.name} depends on,`);
  context.log.info(`${dependant.record.name} depends on ${name}`);
  // T-D16: trusted by its own name, not by that of the image which asks for it.
  return await importMember(
    context,
    { kind: "name", name, labels },
    undefined,
    depth,
    dependency.imageID !== undefined,
  );
}

/** A stored image for the dependency: the one pinned, else the one a lookup by name gives. One that nobody vouched for does not count. */
async function findDependency(context: FetchContext, dependency: Dependency): Promise<ImageRecord | undefined> {
  const { store, insecure } = context;
  const { imageName, labels } = dependency;
  const candidates =
    dependency.imageID === undefined
      ? [findForHostSync(store, imageName, labels)]
      : (await listRecords(store)).filter((record) => satisfies({ record, dependencies: [], depth: 0 }, dependency));
  return candidates.find(
    (record) => record !== undefined && record.oci === undefined && (insecure.image || record.signers.length > 0),
  );
}

function requireBounded(root: Member | undefined, count: number): void {
  if (count <= maxImages) return;
  throw new Failure("LIMIT_EXCEEDED", `${root?.record.name} depends on more than ${maxImages - 1} images`, {
    subject: root?.record.name,
  });
}

/** @returns the record of the first member, whose turn is last */
async function commitAll({ store }: FetchContext, members: readonly Member[]): Promise<ImageRecord> {
  let last: ImageRecord | undefined;
  for (const { pending, stored } of members.toReversed()) {
    if (stored !== undefined) await touchImage(store, stored.id);
    last = stored ?? (await pending?.commit());
  }
  if (last === undefined) throw new Failure("INTERNAL", "a closure without its image");
  return last;
}

function notStored(what: string): Failure {
  return new Failure("NOT_FOUND", `${what} is not in the store`, {
    subject: what,
    hint: "perigee image list shows what is; perigee fetch brings more",
  });
}

function describe(reference: Reference): string {
  if (reference.kind === "id") return reference.prefix;
  if (reference.kind === "url") return printable(reference.url);
  if (reference.kind === "file") return printable(reference.path);
  if (reference.kind === "oci") return printable(showOciReference(reference.oci));
  const labels = reference.labels.map(({ name, value }) => `,${name}=${value}`).join("");
  return printable(`${reference.name}${labels}`);
}
