/** From a reference to the location of its image and signature. Asks discovery for names; downloads nothing. */
import { Failure } from "../base/failure.ts";
import type { HttpClient } from "../http/client.ts";
import { withHostLabels } from "../schema/platform.ts";
import { discover, discoveryFailure } from "./discover.ts";
import type { Reference } from "./reference.ts";

export type Place = { readonly kind: "url"; readonly url: string } | { readonly kind: "file"; readonly path: string };

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
  readonly signal?: AbortSignal | undefined;
}

/**
 * The location of a reference that is not an image ID: for a name the first endpoint that discovery finds (DISC-6), else the
 * image's own place with `.asc` behind it.
 * @throws Failure DISCOVERY_FAILED, HTTP_FAILED, TLS_FAILED, TIMED_OUT, INTERRUPTED
 */
export async function locate(
  reference: Exclude<Reference, { readonly kind: "id" }>,
  options: LocateOptions,
): Promise<Location> {
  const found = reference.kind === "name" ? await locateName(reference, options) : locatePlace(reference);
  if (options.signature === undefined) return found;
  return { image: found.image, signature: { kind: "file", path: options.signature } };
}

async function locateName(
  { name, labels }: Extract<Reference, { readonly kind: "name" }>,
  { http, insecureHttp, signal }: LocateOptions,
): Promise<Location> {
  const discovery = await discover(await http(), name, withHostLabels(labels), {
    insecureHttp,
    wanted: "endpoints",
    signal,
  });
  const [endpoint] = discovery.endpoints;
  if (endpoint === undefined) throw discoveryFailure(name, discovery);
  return { image: { kind: "url", url: endpoint.image }, signature: { kind: "url", url: endpoint.signature } };
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
