/**
 * Nobody is led back: an image that is asked for without a version or an ID must not be older than one the same question brought
 * before (T-D12). A server, or whoever stands before it, could otherwise hand out an old image whose signature is still good.
 */
import { Failure } from "../base/failure.ts";
import type { ImageRecord } from "../store/images.ts";
import type { Store } from "../store/layout.ts";
import { type Named, noteNewest, readNewest } from "../store/newest.ts";

type Signed = Pick<ImageRecord, "signers">;

/** When it was signed: the newest of the signatures that count; undefined when nobody vouched for it. */
function signedAt({ signers }: Signed): Date | undefined {
  const times = signers.map((signer) => Date.parse(signer.signedAt));
  return times.length === 0 ? undefined : new Date(Math.max(...times));
}

/** @throws Failure ROLLBACK */
export function requireNotOlder(store: Store, named: Named, image: Signed): void {
  const time = signedAt(image);
  const newest = readNewest(store, named);
  if (time === undefined || newest === undefined || time.getTime() >= newest.getTime()) return;
  throw new Failure("ROLLBACK", `${named.name} is older than what was fetched under this name before`, {
    subject: named.name,
    cause: `it was signed on ${time.toISOString()}, the newest seen on ${newest.toISOString()}`,
    hint: `ask for a version, as in ${named.name}:VERSION; if the publisher went back on purpose: --allow-rollback`,
  });
}

/** Before it is stored, so that nothing stored is without. */
export async function noteSigned(store: Store, named: Named, image: Signed, allowRollback: boolean): Promise<void> {
  const time = signedAt(image);
  if (time !== undefined) await noteNewest(store, named, time, allowRollback);
}
