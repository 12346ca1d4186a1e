/** The networks of a pod that is about to start: made, and what they answered put where its apps look for it. */
import { attachPod } from "../net/attach.ts";
import { hostsText, resolvText } from "../net/name-files.ts";
import type { PlanInput } from "../pod/plan.ts";
import type { PodNamespaces } from "../shim/netns.ts";
import type { Settings } from "./settings.ts";
import type { StartRequest } from "./start-pod.ts";

export interface JoinedPod {
  readonly input: PlanInput;
  readonly namespaces: PodNamespaces;
}

/** @throws Failure as attachPod: the caller discards the pod */
export async function joinNetworks(settings: Settings, request: StartRequest): Promise<JoinedPod> {
  const { prepared, input, networks, signal } = request;
  const { pod } = prepared;
  const { userNamespace } = input;
  const attached = await attachPod({
    data: settings.directories.data,
    uuid: pod.uuid,
    directory: pod.directory,
    networks: networks.chosen,
    runtimes: [],
    ids: userNamespace !== undefined && "base" in userNamespace ? userNamespace : undefined,
    pluginDirectories: networks.pluginDirectories,
    signal,
  });
  const contents = new Map([
    ["hosts", (text: string) => hostsText(text, attached.results, input.hostname)],
    ["resolv.conf", (text: string) => resolvText(text, attached.results)],
  ]);
  const apps = input.apps.map((app) => ({
    ...app,
    files: app.files.map((file) => ({ ...file, content: contents.get(file.name)?.(file.content) ?? file.content })),
  }));
  return { input: { ...input, apps, teardowns: attached.teardowns }, namespaces: attached.namespaces };
}
