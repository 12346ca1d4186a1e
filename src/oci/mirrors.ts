/**
 * Several places that have an image of one registry, asked in order (OCI-67): the first that answers for the image is asked for its blobs, and
 * where it has one not, or another, the next ones are (OCI-95).
 */
import { createHash, type Hash } from "node:crypto";
import { Failure } from "../base/failure.ts";
import type { Log } from "../base/log.ts";
import { algorithmOf, type Digest } from "./digest.ts";
import { type Descriptor, documentLimit, parseDocument } from "./documents.ts";
import { type OciSource, type RootDocument, requirePin } from "./source.ts";

export interface Place {
  /** For messages. */
  readonly name: string;
  readonly open: () => Promise<OciSource>;
}

/** What no other place can help with. */
const final: ReadonlySet<string> = new Set(["INTERRUPTED", "DISK_FULL", "USAGE", "CONFIG_INVALID", "INTERNAL"]);

/** Longer blobs are handed on while they come: nobody holds them until they are whole. */
const shortBlob = documentLimit;

export interface MirroredImage {
  readonly imageName: string;
  readonly tag: string | undefined;
  /** What the reference names. */
  readonly digest: Digest | undefined;
}

/** @param places at least one; the last is the registry itself, whose failure is the one that is told */
export function openFirst(places: readonly Place[], image: MirroredImage, log: Log): OciSource {
  const { imageName, tag, digest } = image;
  const opened = new Map<Place, Promise<OciSource>>();
  const sourceOf = (place: Place): Promise<OciSource> => {
    const source = opened.get(place) ?? place.open();
    opened.set(place, source);
    return source;
  };
  let answering = 0;
  const pass = (place: Place, error: unknown): void => {
    if (!(error instanceof Failure) || final.has(error.code) || place === places.at(-1)) throw error;
    log.warn(`the mirror ${place.name} is passed over: ${error.message}`);
  };
  return {
    imageName,
    tag,
    resumes: true,
    root: async (host): Promise<RootDocument> => {
      for (const [index, place] of places.entries()) {
        try {
          const root = await (await sourceOf(place)).root(host);
          if (place !== places.at(-1)) requireUsable(root, digest, place.name);
          answering = index;
          return root;
        } catch (error) {
          pass(place, error);
        }
      }
      throw new Failure("INTERNAL", "no registry was asked");
    },
    open: (blob, kind, from = 0) =>
      openBlob(places.slice(answering), { blob, from, pass }, async (place, count) =>
        (await sourceOf(place)).open(blob, kind, count),
      ),
    close: async () => {
      for (const source of opened.values()) await source.then((one) => one.close()).catch(() => {});
    },
  };
}

/** A mirror that is behind, or says with success that it failed, is none for this image. @throws Failure DIGEST_MISMATCH, IMAGE_INVALID, UNSUPPORTED */
function requireUsable(root: RootDocument, digest: Digest | undefined, name: string): void {
  requirePin(root, digest, `what ${name} has`);
  parseDocument(root.bytes, `what ${name} has`, root.mediaType);
}

interface Wanted {
  readonly blob: Descriptor;
  /** Bytes that the caller has already. */
  readonly from: number;
  /** Throws what no other place can help with. */
  readonly pass: (place: Place, error: unknown) => void;
}

/** A short one is compared before it is handed on, so that the next place can be asked; of a longer one the failure says who sent it. */
async function* openBlob(
  places: readonly Place[],
  { blob, from, pass }: Wanted,
  open: (place: Place, from: number) => Promise<AsyncIterable<Uint8Array>>,
): AsyncGenerator<Uint8Array> {
  const isHeld = from === 0 && blob.size <= shortBlob;
  let held: Uint8Array[] = [];
  let got = new Received(blob, from);
  for (const place of places) {
    try {
      for await (const chunk of await open(place, got.count)) {
        got.add(chunk, place.name);
        if (isHeld) held.push(chunk);
        else yield chunk;
      }
      got.requireWhole();
      yield* held;
      return;
    } catch (error) {
      const isWrong = error instanceof Failure && error.code === "DIGEST_MISMATCH";
      if (isWrong && !isHeld) throw error;
      pass(place, error);
      if (isWrong) [held, got] = [[], new Received(blob, from)];
    }
  }
}

/** What came of a blob, and from whom. */
class Received {
  count: number;
  readonly #blob: Descriptor;
  readonly #hash: Hash | undefined;
  readonly #senders = new Set<string>();

  /** @param from what the caller has already: only he can compare all of it */
  constructor(blob: Descriptor, from: number) {
    this.count = from;
    this.#blob = blob;
    this.#hash = from === 0 ? createHash(algorithmOf(blob.digest)) : undefined;
  }

  /** @throws Failure DIGEST_MISMATCH for more than the blob has */
  add(chunk: Uint8Array, sender: string): void {
    this.#senders.add(sender);
    this.count += chunk.length;
    this.#hash?.update(chunk);
    if (this.count > this.#blob.size) throw wrongBlob(this.#blob, this.#senders);
  }

  /** Once, at the end. @throws Failure DIGEST_MISMATCH */
  requireWhole(): void {
    const { digest, size } = this.#blob;
    const actual = this.#hash === undefined ? digest : `${algorithmOf(digest)}:${this.#hash.digest("hex")}`;
    if (this.count !== size || actual !== digest) throw wrongBlob(this.#blob, this.#senders);
  }
}

function wrongBlob({ digest }: Descriptor, senders: ReadonlySet<string>): Failure {
  const names = [...senders].join(" and ") || "nobody";
  return new Failure("DIGEST_MISMATCH", `${names} sent something else than the blob ${digest}`, {
    subject: digest,
    hint: "take a mirror that does so out of registries.d, and fetch it again; if it stays so, ask who published the image",
  });
}
