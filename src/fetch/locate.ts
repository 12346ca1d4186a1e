/** From a reference to the location of its image and signature. Asks discovery for names; downloads nothing. */
import { Failure } from "../base/failure.ts";
import type { HttpClient } from "../http/client.ts";
import { withHostLabels } from "../schema/platform.ts";
import type { Answers } from "./answers.ts";
import { discover, discoveryFailure } from "./discover.ts";
import type { Reference } from "./reference.ts";

export type Place =
  | {
      readonly kind: "url";
      readonly url: string;
      /** A page of the Internet named it, not the user: it must not be in a private network (T-D03). */
      readonly isGuarded?: boolean | undefined;
    }
  | { readonly kind: "file"; readonly path: string };

/** Where an image and its detached signature are. */
export interface Location {
  readonly image: Place;
  readonly signature: Place;
}

export interface LocateOptions {
  readonly http: () => Promise<HttpClient>;
  readonly insecureHttp: boolean;
  /** A file with the signature, instead of the one beside the image. */
  readonly signature?: string | undefined;
  readonly answers?: Answers | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Endpoints of a name that are tried. */
const maxMirrors = 10;

/**
 * The locations of a reference that is neither an image ID nor an image of Docker or OCI, first choice first: for a name the endpoints that discovery finds (DISC-6),
 * else the image's own place with `.asc` behind it.
 * @throws Failure DISCOVERY_FAILED, HTTP_FAILED, TLS_FAILED, TIMED_OUT, INTERRUPTED
 */
export async function locate(
  reference: Exclude<Reference, { readonly kind: "id" | "oci" }>,
  options: LocateOptions,
): Promise<readonly Location[]> {
  if (reference.kind === "name") return await locateName(reference, options);
  const found = locatePlace(reference);
  if (options.signature === undefined) return [found];
  return [{ image: found.image, signature: { kind: "file", path: options.signature } }];
}

async function locateName(
  { name, labels }: Extract<Reference, { readonly kind: "name" }>,
  { http, insecureHttp, answers, signal }: LocateOptions,
): Promise<readonly Location[]> {
  const discovery = await discover(await http(), name, withHostLabels(labels), {
    insecureHttp,
    wanted: "endpoints",
    answers,
    signal,
  });
  if (discovery.endpoints.length === 0) throw discoveryFailure(name, discovery);
  const isGuarded = discovery.guarded.endpoints;
  return discovery.endpoints.slice(0, maxMirrors).map((endpoint) => ({
    image: { kind: "url", url: endpoint.image, isGuarded },
    signature: { kind: "url", url: endpoint.signature, isGuarded },
  }));
}

function locatePlace(reference: Extract<Reference, { readonly kind: "url" | "file" }>): Location {
  if (reference.kind === "file") {
    return { image: reference, signature: { kind: "file", path: `${reference.path}.asc` } };
  }
  const signature = new URL(reference.url);
  if (!signature.pathname.endsWith(".aci")) throw new Failure("INTERNAL", `${reference.url} does not end in .aci`);
  signature.pathname += ".asc";
  return { image: reference, signature: { kind: "url", url: signature.href } };
}
