/**
 * Images with all they depend on: from the store where the pull policy allows, else imported. The store changes only when a
 * reference and everything below it is there and verified, lowest first, so that a listed image always has its dependencies.
 */
import { Failure, printable } from "../base/failure.ts";
import type { Log } from "../base/log.ts";
import type { HttpClient } from "../http/client.ts";
import type { ImageLimits } from "../image/limits.ts";
import type { ImageID } from "../schema/image-id.ts";
import { type Dependency, ImageManifest } from "../schema/image-manifest.ts";
import { hostLabels, withHostLabels } from "../schema/platform.ts";
import { parseDocument } from "../schema/validate.ts";
import { renderOrder } from "../store/dependencies.ts";
import type { ImageRecord } from "../store/images.ts";
import { listRecords, readManifest, readRecord, resolveImageId, touchImage } from "../store/images.ts";
import type { Store } from "../store/layout.ts";
import { findForHostSync } from "../store/lookup.ts";
import type { Keystore } from "../trust/keystore.ts";
import { type Answers, openAnswers } from "./answers.ts";
import { importImage, type PendingImage } from "./import.ts";
import { locate } from "./locate.ts";
import { hasPinnedId, requirePinned } from "./match.ts";
import { firstOf } from "./mirrors.ts";
import type { Reference } from "./reference.ts";
import { noteSigned, requireNotOlder } from "./rollback.ts";

/** `new`: what is stored, else fetched. `never`: only what is stored. `update`: fetched, whatever is stored. */
export type PullPolicy = "new" | "never" | "update";

export interface FetchContext {
  readonly store: Store;
  /** Made on first use: nothing is loaded for an image that is stored. */
  readonly http: () => Promise<HttpClient>;
  readonly keystore: Keystore;
  readonly limits?: ImageLimits | undefined;
  /** An image older than what its name brought before is taken (T-D12). */
  readonly allowRollback: boolean;
  /** --insecure-options=image, http, pubkey */
  readonly insecure: { readonly image: boolean; readonly http: boolean };
  readonly now: () => Date;
  /** A signature by a key that has expired since counts (T-S08). */
  readonly allowExpiredKey?: boolean | undefined;
  /** uid 0: owners are kept in trees. */
  readonly keepOwners: boolean;
  readonly log: Log;
  readonly signal?: AbortSignal | undefined;
}

export interface FetchRequest {
  readonly reference: Reference;
  /** Path of a detached signature, for files and URLs. */
  readonly signature?: string | undefined;
}

type Sought = Exclude<Reference, { readonly kind: "id" }>;

/** Levels of dependencies below an image. */
const maxDepth = 64;
/** Images that one reference may bring (A10). */
const maxImages = 256;

/** An image of a closure: stored already, or pending. */
interface Member {
  readonly record: Omit<ImageRecord, "importedAt">;
  readonly pending?: PendingImage | undefined;
  readonly stored?: ImageRecord | undefined;
  readonly dependencies: readonly Dependency[];
  readonly depth: number;
}

/**
 * Fetches, verifies, stores and renders every request and what it depends on; returns the records of the requests in order.
 * Each request is stored whole or not at all. The policy is for what is asked for; of dependencies, what is stored is taken.
 * @throws Failure NOT_FOUND, DISCOVERY_FAILED, SIGNATURE_MISSING, KEY_UNTRUSTED, SIGNATURE_BAD, SIGNATURE_INVALID, NAME_MISMATCH, ROLLBACK,
 * DIGEST_MISMATCH, DEPENDENCY_CYCLE, DEPENDENCY_DEPTH, LIMIT_EXCEEDED, HTTP_FAILED, TLS_FAILED, TIMED_OUT, INTERRUPTED …
 */
export async function fetchClosure(
  context: FetchContext,
  requests: readonly FetchRequest[],
  pullPolicy: PullPolicy,
): Promise<readonly ImageRecord[]> {
  const records: ImageRecord[] = [];
  for (const request of requests) records.push(await fetchOne(context, request, pullPolicy));
  return records;
}

async function fetchOne(context: FetchContext, request: FetchRequest, policy: PullPolicy): Promise<ImageRecord> {
  const members: Member[] = [];
  try {
    members.push(await resolveRequest(context, request, policy));
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
  return await importMember(context, reference, signature, 0);
}

/** What of the store answers the reference under this policy. Files are read anew unless nothing may be fetched. */
async function lookUp(store: Store, reference: Reference, policy: PullPolicy): Promise<ImageRecord | undefined> {
  if (reference.kind === "id") return await readRecord(store, await resolveImageId(store, reference.prefix));
  if (policy === "update" || (policy === "new" && reference.kind === "file")) return undefined;
  if (reference.kind === "name") return findForHostSync(store, reference.name, reference.labels);
  const source = reference.kind === "url" ? reference.url : reference.path;
  return (await listRecords(store)).find((record) => record.source === source);
}

/**
 * What was kept from before shortens the way; where the shorter way ends in a failure, because what was kept does not fit to what
 * is published now, everything is asked for anew, once.
 */
async function importMember(
  context: FetchContext,
  reference: Sought,
  signature: string | undefined,
  depth: number,
  isPinned = false,
): Promise<Member> {
  const answers = openAnswers(context.store, context.now);
  const attempt = (from: Answers) => importOnce(context, reference, { signature, depth, isPinned, answers: from });
  try {
    return await attempt(answers);
  } catch (error) {
    const isOurs = error instanceof Failure && ["INTERRUPTED", "DISK_FULL"].includes(error.code);
    if (!answers.hasShortcut() || isOurs) throw error;
    context.log.debug(`asking for everything anew: ${String(error)}`);
    return await attempt(openAnswers(context.store, context.now, answers));
  }
}

interface ImportOnce {
  readonly signature: string | undefined;
  readonly depth: number;
  /** Asked for by image ID. */
  readonly isPinned: boolean;
  readonly answers: Answers;
}

async function importOnce(context: FetchContext, reference: Sought, once: ImportOnce): Promise<Member> {
  const { insecure, store, log, allowRollback } = context;
  const { signature, answers, depth } = once;
  const options = { ...context, insecureHttp: insecure.http, insecureImage: insecure.image, answers };
  const named = reference.kind === "name" ? { ...reference, hostLabels: hostLabels(reference.labels) } : undefined;
  // T-D12: who names a version or an ID gets it, however old it is.
  const isFloating = named?.labels.every((label) => label.name !== "version") === true && !once.isPinned;
  const mark = named !== undefined && isFloating ? { ...named, labels: withHostLabels(named.labels) } : undefined;
  const pending = await firstOf(await locate(reference, { ...options, signature }), log, async (location) => {
    const image = await importImage({ location, named }, options);
    try {
      if (mark !== undefined && !allowRollback) requireNotOlder(store, mark, image.record);
      return image;
    } catch (error) {
      await image.abandon();
      throw error;
    }
  });
  const commit = async (): Promise<ImageRecord> => {
    const stored = await pending.commit();
    if (mark !== undefined) await noteSigned(store, mark, pending.record, allowRollback);
    return stored;
  };
  return {
    record: pending.record,
    pending: { ...pending, commit },
    dependencies: pending.manifest.dependencies,
    depth,
  };
}

async function storedMember(store: Store, stored: ImageRecord, depth: number): Promise<Member> {
  const dependencies = stored.hasDependencies
    ? parseDocument(ImageManifest, await readManifest(store, stored.id), `the manifest of ${stored.name}`).dependencies
    : [];
  return { record: stored, stored, dependencies, depth };
}

/** Breadth first; what is there already is not fetched again, so a graph with loops ends, and is then refused. */
async function collectDependencies(context: FetchContext, members: Member[], policy: PullPolicy): Promise<void> {
  const edges = new Map<ImageID, readonly ImageID[]>();
  for (const member of members) {
    const below: ImageID[] = [];
    for (const dependency of member.dependencies) {
      const found = members.find((candidate) => satisfies(candidate, dependency));
      const image = found ?? (await resolveDependency(context, dependency, member, policy));
      if (found === undefined) members.push(image);
      requirePinned(dependency, image.record, member.record.name);
      below.push(image.record.id);
      requireBounded(members);
    }
    edges.set(member.record.id, below);
  }
  const [root] = members;
  if (root !== undefined) renderOrder(root.record.id, (id) => edges.get(id) ?? [], maxDepth);
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
  return candidates.find((record) => record !== undefined && (insecure.image || record.signers.length > 0));
}

function requireBounded(members: readonly Member[]): void {
  if (members.length <= maxImages) return;
  throw new Failure("LIMIT_EXCEEDED", `${members[0]?.record.name} depends on more than ${maxImages - 1} images`, {
    subject: members[0]?.record.name,
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
  const labels = reference.labels.map(({ name, value }) => `,${name}=${value}`).join("");
  return printable(`${reference.name}${labels}`);
}
