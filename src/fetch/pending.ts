/** An image between its verification and the store: committed when everything it depends on is there too, or given up. */
import type { ArchiveSummary } from "../image/archive.ts";
import type { Dependency } from "../schema/image-manifest.ts";
import type { Staging } from "../store/blobs.ts";
import type { ImageRecord } from "../store/images.ts";
import type { Signer } from "../trust/verify.ts";
import type { Answers } from "./answers.ts";
import { type Acquired, type Downloaded, where } from "./download.ts";
import type { WantedImage } from "./import.ts";

/** A verified, unpacked image that is not in the store yet. */
export interface PendingImage {
  readonly record: Omit<ImageRecord, "importedAt">;
  readonly dependencies: readonly Dependency[];
  commit(): Promise<ImageRecord>;
  /** Removes it; nothing after `commit`. */
  abandon(): Promise<void>;
}

export interface Finished {
  readonly acquired: Acquired | Downloaded;
  readonly summary: ArchiveSummary;
  readonly signers: readonly Signer[];
  readonly signature: Buffer | undefined;
}

export function pendingImage(
  { location, named }: WantedImage,
  staging: Staging,
  { acquired, summary, signers, signature }: Finished,
  answers: Answers | undefined,
): PendingImage {
  const { manifest } = summary;
  const { sha512, size } = acquired;
  const record = {
    id: summary.id,
    name: manifest.name,
    labels: manifest.labels,
    archive: { sha512, size },
    tarSize: summary.tarSize,
    signers: signers.map(({ fingerprint, keyDigest, signedAt }) => ({
      fingerprint,
      keyDigest,
      signedAt: signedAt.toISOString(),
    })),
    source: where(location.image),
    latest: named?.labels.every((label) => label.name !== "version") ?? false,
    hasDependencies: manifest.dependencies.length > 0,
  };
  let isCommitted = false;
  const commit = async (): Promise<ImageRecord> => {
    const whenStored = async (): Promise<void> => {
      isCommitted = true;
      if (!("response" in acquired)) return;
      await answers?.keep(acquired.response.asked, acquired.response, { image: { id: record.id, sha512 } });
    };
    const replaceBlob = answers?.rotten.has(sha512);
    return await staging.commit(record, { manifest: summary.manifestBytes, signature, replaceBlob, whenStored });
  };
  const abandon = async (): Promise<void> => {
    if (!isCommitted) await staging.abandon();
  };
  return { record, dependencies: manifest.dependencies, commit, abandon };
}
