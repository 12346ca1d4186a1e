/** The networks of a pod that is about to start: made, and what they answered put where its apps look for it. */
import { attachPod } from "../net/attach.ts";
import { withNetworksLocked } from "../net/builtin.ts";
import type { RuntimeConfig } from "../net/chain.ts";
import { hostsText, type NameOptions, resolvText } from "../net/name-files.ts";
import { refreshHosts, writeBase } from "../net/peers.ts";
import type { PlanInput } from "../pod/plan.ts";
import { directoriesOfPods } from "../pod/pod.ts";
import type { PodNamespaces } from "../shim/netns.ts";
import type { Settings } from "./settings.ts";
import type { StartRequest } from "./start-pod.ts";

export interface JoinedPod {
  readonly input: PlanInput;
  readonly namespaces: PodNamespaces;
}

/** @throws Failure as attachPod: the caller discards the pod */
export async function joinNetworks(settings: Settings, root: string, request: StartRequest): Promise<JoinedPod> {
  const { prepared, input, networks, ports, podName, signal } = request;
  const { uuid, directory } = prepared.pod;
  const { data } = settings.directories;
  const { userNamespace } = input;
  // The first is what others call it by.
  const names = [...new Set([...(podName === undefined ? [] : [podName]), input.hostname, ...networks.aliases])];
  const attached = await attachPod({
    data,
    uuid,
    directory,
    networks: networks.chosen,
    runtime: {
      ...(ports.length > 0 && { portMappings: ports }),
      ...(networks.aliases.length > 0 && { aliases: networks.aliases }),
      ...dnsCapability(networks.names),
    },
    names,
    others: () => directoriesOfPods(root).filter((other) => other !== directory),
    ids: userNamespace !== undefined && "base" in userNamespace ? userNamespace : undefined,
    pluginDirectories: networks.pluginDirectories,
    signal,
  });
  const { results } = attached;
  const texts = new Map(input.apps.flatMap(({ files }) => files).map(({ name, content }) => [name, content]));
  if (networks.names.hosts !== "host") {
    const base = hostsText(texts.get("hosts") ?? "", results, names);
    withNetworksLocked(data, () => {
      writeBase(directory, base);
      refreshHosts(directoriesOfPods(root));
    });
  }
  const resolve = (text: string) => (networks.names.dns === undefined ? resolvText(text, results) : text);
  const apps = input.apps.map((app) => ({
    ...app,
    files: app.files.map((file) => (file.name === "resolv.conf" ? { ...file, content: resolve(file.content) } : file)),
  }));
  return { input: { ...input, apps, teardowns: attached.teardowns }, namespaces: attached.namespaces };
}

/** In the form that plugins with the capability `dns` read. */
function dnsCapability({ dns }: NameOptions): Pick<RuntimeConfig, "dns"> {
  if (dns === undefined || dns === "host" || dns === "none") return {};
  return { dns: { servers: dns.nameservers, searches: dns.search, options: dns.options } };
}
