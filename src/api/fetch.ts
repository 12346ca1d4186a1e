/** fetch: images, and what they depend on, into the store; verified, unless the settings say otherwise. */
import { resolve } from "node:path";
import { Failure } from "../base/failure.ts";
import { fetchClosure, type PullPolicy } from "../fetch/closure.ts";
import { parseReference } from "../fetch/reference.ts";
import { canKeepOwners } from "../shim/caller-ids.ts";
import type { ImageRecord } from "../store/images.ts";
import { openStore } from "../store/layout.ts";
import { keystoreOf } from "./keystore.ts";
import type { Settings } from "./settings.ts";

export interface FetchOptions {
  readonly images: readonly {
    /** An image ID, a name with labels, a URL, or a path. */
    readonly reference: string;
    /** Path of a detached signature, for a URL or a path. */
    readonly signature?: string | undefined;
  }[];
  /** A signature by a key that has expired since counts (T-S08). */
  readonly allowExpiredKey?: boolean | undefined;
  /** `update` when absent. */
  readonly pullPolicy?: PullPolicy | undefined;
  /** An image older than what its name brought before is taken (T-D12). */
  readonly allowRollback?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The record of each image, in order. Images before one that fails stay in the store; of that one nothing does.
 * @throws Failure USAGE, and what fetchClosure throws
 */
export async function fetchImages(settings: Settings, options: FetchOptions): Promise<readonly ImageRecord[]> {
  const requests = options.images.map(({ reference: text, signature }) => {
    const reference = parseReference(text);
    if (signature !== undefined && reference.kind !== "file" && reference.kind !== "url") {
      throw new Failure("USAGE", `a signature file is for an image given as a URL or a path, not for ${text}`, {
        subject: text,
        hint: "without --signature, the one that discovery names is fetched",
      });
    }
    return { reference, signature: signature === undefined ? undefined : resolve(signature) };
  });
  const { insecure } = settings;
  const context = {
    store: await openStore(settings.directories.data),
    http: settings.http,
    keystore: keystoreOf(settings),
    allowRollback: options.allowRollback === true,
    insecure: { image: insecure.has("image"), http: insecure.has("http") },
    registries: requests.some(({ reference }) => reference.kind === "oci")
      ? (await import("./registry-files.ts")).registriesOf(settings)
      : undefined,
    now: () => new Date(),
    allowExpiredKey: options.allowExpiredKey,
    keepOwners: canKeepOwners(),
    limits: await settings.limits(),
    log: settings.log,
    signal: options.signal,
  };
  return await fetchClosure(context, requests, options.pullPolicy ?? "update");
}
