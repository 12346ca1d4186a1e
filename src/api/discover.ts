/** discover: where a name's image, signature and keys are said to be. Downloads none of them. */
import { type Attempt, discover, discoveryFailure, type Endpoint } from "../fetch/discover.ts";
import { parseImageName } from "../fetch/reference.ts";
import { withHostLabels } from "../schema/platform.ts";
import type { Settings } from "./settings.ts";

export interface DiscoverOptions {
  /** NAME[:VERSION][,label=value…] */
  readonly names: readonly string[];
  readonly signal?: AbortSignal | undefined;
}

export interface DiscoveredImage {
  readonly name: string;
  /** With the host's os and arch where none were given. */
  readonly labels: readonly { readonly name: string; readonly value: string }[];
  /** The first is the one that fetch uses. */
  readonly endpoints: readonly Endpoint[];
  readonly keys: readonly string[];
  /** Every place that was asked, in order. */
  readonly attempts: readonly Omit<Attempt, "failure">[];
}

/** @throws Failure USAGE; for a name of which nothing is found DISCOVERY_FAILED, HTTP_FAILED, TLS_FAILED or TIMED_OUT */
export async function discoverImages(
  settings: Settings,
  options: DiscoverOptions,
): Promise<readonly DiscoveredImage[]> {
  const references = options.names.map(parseImageName);
  const http = await settings.http();
  const insecureHttp = settings.insecure.has("http");
  const images: DiscoveredImage[] = [];
  for (const { name, labels: given } of references) {
    const labels = withHostLabels(given);
    const discovery = await discover(http, name, labels, { insecureHttp, signal: options.signal });
    const { endpoints, keys, attempts } = discovery;
    if (endpoints.length === 0 && keys.length === 0) throw discoveryFailure(name, discovery);
    images.push({ name, labels, endpoints, keys, attempts: attempts.map(({ failure: _, ...attempt }) => attempt) });
  }
  return images;
}
