/** run-prepared: starts a pod that prepare has left. Fetches nothing; what may have changed since is asked again. */
import { Failure } from "../base/failure.ts";
import { defaultHostname } from "../pod/network.ts";
import { buildPlan } from "../pod/plan.ts";
import { openPods, type Pod } from "../pod/pod.ts";
import { readWaiting, takePrepared, type WaitingPod } from "../pod/prepared.ts";
import { type PodRecord, replacePodRecord } from "../pod/record.ts";
import { callerIds } from "../shim/caller-ids.ts";
import { touchImage } from "../store/images.ts";
import { openStoreSync, type Store } from "../store/layout.ts";
import { notStored, readRecordSync } from "../store/lookup.ts";
import { isImageID } from "../store/records.ts";
import type { ChosenImage } from "./choose-pod.ts";
import { decidePod, podCgroups, treeWarnings } from "./decide.ts";
import { decidePorts, type NetworkTerms } from "./decide-networks.ts";
import { inputOf, treesOf } from "./fill-pod.ts";
import { requireLayersVouched } from "./pod-images.ts";
import { metadataOf, requireStartable } from "./run.ts";
import type { RunOptions } from "./run-options.ts";
import type { Settings } from "./settings.ts";
import { orDiscard, type RunnablePod, type StartRequest, startPod } from "./start-pod.ts";

export interface RunPreparedOptions
  extends NetworkTerms,
    Pick<RunOptions, "hostname" | "sdnotify" | "interactive" | "metadata" | "strict" | "uuidFile" | "signal"> {
  /** A uuid or a unique prefix of it. */
  readonly pod: string;
  readonly foreground: boolean;
}

/**
 * Everything up to the start of the shim. What is refused before anything is made leaves the pod prepared; after that a failure leaves
 * nothing of it, as with run (LIFE-52).
 * @throws Failure NOT_FOUND, AMBIGUOUS; WRONG_STATE with the state of a pod that is not prepared; SIGNATURE_MISSING, KEY_UNTRUSTED for an
 * image that nobody vouches for any more (LIFE-51); and as runPod
 */
export async function runPreparedPod(settings: Settings, options: RunPreparedOptions): Promise<RunnablePod> {
  await requireStartable(settings, options);
  const { data } = settings.directories;
  const root = openPods(data);
  const pod = await takePrepared(root, options.pod);
  let request: StartRequest;
  try {
    request = await check(settings, pod, options);
  } catch (error) {
    pod.release();
    throw error;
  }
  return await orDiscard(settings, root, pod, async () => {
    replacePodRecord(pod.directory, request.prepared.record);
    const metadata = await metadataOf(settings, pod, request.input, options);
    return await startPod(settings, root, { ...request, input: { ...request.input, metadata } });
  });
}

/** Only looks, and renders a tree that is gone. */
async function check(settings: Settings, pod: Pod, options: RunPreparedOptions): Promise<StartRequest> {
  const { data } = settings.directories;
  const store = openStoreSync(data);
  const waiting = readWaiting(data, pod);
  const images = imagesOf(store, waiting.record);
  await requireLayersVouched(settings, store, [...images.map(({ record }) => record.id), ...waiting.terms.layers]);
  const terms = termsOf(waiting, options);
  const decisions = decidePod(settings, terms, { images, reified: reifiedOf(waiting) });
  const ports = decidePorts(decisions.networks, decisions.manifest);
  const cgroups = podCgroups(decisions, pod.uuid);
  const record = {
    ...waiting.record,
    network: decisions.networks.words,
    hostname: decisions.hostname ?? defaultHostname(pod.uuid),
    cgroups: cgroups.remove,
    prepared: undefined,
  };
  const prepared = { pod, record, cgroups };
  const trees = await treesOf(settings, store, decisions, options.signal);
  const input = inputOf(settings, terms, decisions, prepared, trees);
  buildPlan(input);
  if (options.signal?.aborted === true) throw new Failure("INTERRUPTED", "interrupted before the pod was started");
  for (const image of images) touchImage(store, image.record.id);
  const warnings = [...decisions.warnings, ...treeWarnings(decisions, trees)];
  const { emptyVolumes, networks } = decisions;
  const podName = waiting.record.name;
  return { prepared, input, trees, emptyVolumes, networks, ports, podName, warnings, ...options };
}

function termsOf({ record, terms }: WaitingPod, options: RunPreparedOptions) {
  const { hostname, sdnotify, interactive, foreground, strict } = options;
  const { network, netAliases, dns, dnsSearch, dnsOptions, dnsDomain, hostsEntries } = options;
  const { overlay, allowSymlinkSources } = terms;
  return {
    network,
    netAliases,
    dns,
    dnsSearch,
    dnsOptions,
    dnsDomain,
    hostsEntries,
    hostname,
    sdnotify,
    interactive,
    foreground,
    overlay,
    allowSymlinkSources,
    strict: terms.strict || strict === true,
    privateUsers: record.idBase !== undefined || callerIds() !== undefined,
  };
}

/** What was warned of when it was prepared is not said again. */
function reifiedOf({ manifest, terms }: WaitingPod) {
  const imageIsolators = new Map(Object.entries(terms.imageIsolators).map(([app, names]) => [app, new Set(names)]));
  return { manifest, imageIsolators, warnings: [] };
}

/** As they are stored now. @throws Failure NOT_FOUND */
function imagesOf(store: Store, { apps }: PodRecord): readonly ChosenImage[] {
  return apps.map(({ imageId, treeId }) => {
    const record = isImageID(imageId) ? readRecordSync(store, imageId) : undefined;
    if (record === undefined) throw notStored(imageId);
    return { record, treeId };
  });
}
