/**
 * Several places that have an image of one registry, asked in order (OCI-67): the first that answers for the image is asked for its blobs, and
 * where it has one not the next ones are. What they send is compared with its digest as anybody else's.
 */
import { Failure } from "../base/failure.ts";
import type { Log } from "../base/log.ts";
import type { OciSource, RootDocument } from "./source.ts";

export interface Place {
  /** For messages. */
  readonly name: string;
  readonly open: () => Promise<OciSource>;
}

/** What no other place can help with. */
const final: ReadonlySet<string> = new Set(["INTERRUPTED", "DISK_FULL", "USAGE", "CONFIG_INVALID", "INTERNAL"]);

/** @param places at least one; the last is the registry itself, whose failure is the one that is told */
export function openFirst(places: readonly Place[], imageName: string, tag: string | undefined, log: Log): OciSource {
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
          answering = index;
          return root;
        } catch (error) {
          pass(place, error);
        }
      }
      throw new Failure("INTERNAL", "no registry was asked");
    },
    async *open(blob, kind, from = 0) {
      let count = from;
      for (const place of places.slice(answering)) {
        try {
          for await (const chunk of (await sourceOf(place)).open(blob, kind, count)) {
            count += chunk.length;
            yield chunk;
          }
          return;
        } catch (error) {
          // A document that a mirror has not is a short one: it is asked for anew elsewhere.
          pass(place, error);
        }
      }
    },
    close: async () => {
      for (const source of opened.values()) await source.then((one) => one.close()).catch(() => {});
    },
  };
}
