/**
 * One image of a closure: from the store, or imported from the first place that has it and that does not lead back to an older one.
 * Knows nothing of what depends on what.
 */
import { Failure } from "../base/failure.ts";
import type { Log } from "../base/log.ts";
import type { HttpClient } from "../http/client.ts";
import type { ImageLimits } from "../image/limits.ts";
import type { RegistrySettings } from "../oci/registries.ts";
import type { Dependency } from "../schema/image-manifest.ts";
import { hostLabels, withHostLabels } from "../schema/platform.ts";
import type { ImageRecord } from "../store/images.ts";
import type { Store } from "../store/layout.ts";
import type { Keystore } from "../trust/keystore.ts";
import { type Answers, openAnswers } from "./answers.ts";
import { importImage } from "./import.ts";
import { locate } from "./locate.ts";
import { firstOf } from "./mirrors.ts";
import type { PendingImage } from "./pending.ts";
import type { Reference } from "./reference.ts";
import { noteSigned, requireNotOlder } from "./rollback.ts";
import { storedDependencies } from "./stored.ts";

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
  /** Nothing is known of registries when absent. */
  readonly registries?: RegistrySettings | undefined;
  readonly now: () => Date;
  /** A signature by a key that has expired since counts (T-S08). */
  readonly allowExpiredKey?: boolean | undefined;
  /** uid 0: owners are kept in trees. */
  readonly keepOwners: boolean;
  readonly log: Log;
  readonly signal?: AbortSignal | undefined;
  /** Only one image was asked for, so while it is fetched no other is held that is not stored yet (DOWNLOAD-2). */
  readonly isAlone?: boolean | undefined;
}

type Sought = Exclude<Reference, { readonly kind: "id" | "oci" }>;

/** An image of a closure: stored already, or pending. */
export interface Member {
  readonly record: Omit<ImageRecord, "importedAt">;
  readonly pending?: PendingImage | undefined;
  readonly stored?: ImageRecord | undefined;
  readonly dependencies: readonly Dependency[];
  readonly depth: number;
}

/**
 * What was kept from before shortens the way; where the shorter way ends in a failure, because what was kept does not fit to what
 * is published now, everything is asked for anew, once.
 */
export async function importMember(
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
  const holdsNothing = context.isAlone === true && depth === 0;
  const options = {
    ...context,
    insecureHttp: insecure.http,
    insecureImage: insecure.image,
    answers,
    holdsNothing,
    since: context.now(),
  };
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
    // Before: who is killed between the two finds a dependency stored, asks for it no more and would never note it.
    if (mark !== undefined) await noteSigned(store, mark, pending.record, allowRollback);
    return await pending.commit();
  };
  return {
    record: pending.record,
    pending: { ...pending, commit },
    dependencies: pending.dependencies,
    depth,
  };
}

export async function storedMember(store: Store, stored: ImageRecord, depth: number): Promise<Member> {
  return { record: stored, stored, dependencies: await storedDependencies(store, stored), depth };
}
