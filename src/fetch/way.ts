/**
 * How the bytes of an archive come here: they are stored already, somebody else is bringing them just now, or a server is asked.
 * Of those who want the same URL at the same time only one asks (spec/store.md, DOWNLOAD-1…4).
 */
import { join } from "node:path";
import { printable } from "../base/failure.ts";
import { findDownloaded, type Turn, takeTurn, waitForOwner } from "../store/downloads.ts";
import type { Store } from "../store/layout.ts";
import type { AcquireOptions } from "./download.ts";
import type { Place } from "./locate.ts";
import { type KnownArchive, knownArchive } from "./stored.ts";

export type Way =
  | { readonly kind: "stored"; readonly known: KnownArchive }
  /** A file that another process downloaded; it is gone once that process is done. */
  | { readonly kind: "shared"; readonly place: Place; readonly owner: string }
  /** Others wait until it is released. */
  | { readonly kind: "ask"; readonly known: KnownArchive | undefined; release(): Promise<void> };

type Url = Extract<Place, { kind: "url" }>;

export interface WayOptions extends AcquireOptions {
  readonly store: Store;
  readonly now: () => Date;
  /** When the image was first wanted: what another process brought since then is an answer to this one too (DOWNLOAD-4). */
  readonly since?: Date | undefined;
  /** No image that is not stored yet is held meanwhile, so that others may be waited for until they have stored theirs (DOWNLOAD-2). */
  readonly holdsNothing?: boolean | undefined;
}

/** @throws Failure INTERRUPTED while it waits */
export async function chooseWay(image: Place, options: WayOptions): Promise<Way> {
  const { store, answers, signal } = options;
  if (image.kind === "file") return { kind: "ask", known: undefined, release: async () => {} };
  const { url } = image;
  const early = knownArchive(store, image, answers);
  if (early?.isFresh) return { kind: "stored", known: early };
  const onWait = sayOnce(url, options);
  for (;;) {
    const turn = await takeTurn(store, url, { signal, onWait });
    const found = await lookAround(image, options, turn);
    if (found.kind !== "shared" || options.holdsNothing !== true) return found;
    onWait();
    await waitForOwner(found.owner, { signal });
  }
}

/** Gives `turn` back, unless a server is to be asked. */
async function lookAround(image: Url, options: WayOptions, turn: Turn): Promise<Way> {
  const { store, answers } = options;
  let isKept = false;
  try {
    // In this order: whoever has stored it lets go of his working directory only after he noted what the URL brought.
    const owner = answers === undefined || answers.isAnew ? undefined : findDownloaded(store, image.url);
    const known = knownArchive(store, image, answers);
    if (known?.isFresh || isAnswerSince(options, known)) return { kind: "stored", known };
    if (owner !== undefined) return { kind: "shared", owner, place: { kind: "file", path: join(owner, "archive") } };
    isKept = true;
    return { kind: "ask", known, release: turn.release };
  } finally {
    if (!isKept) await turn.release();
  }
}

/** One of the future is no proof of anything: a clock went back. */
function isAnswerSince({ since, now }: WayOptions, known: KnownArchive | undefined): known is KnownArchive {
  if (since === undefined || known === undefined) return false;
  const at = Date.parse(known.answer.at);
  return at > since.getTime() && at <= now().getTime();
}

function sayOnce(url: string, { log }: WayOptions): () => void {
  let isSaid = false;
  return () => {
    if (!isSaid) log.info(`waiting for another process that fetches ${printable(url)}`);
    isSaid = true;
  };
}
