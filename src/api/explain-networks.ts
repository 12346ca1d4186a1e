/** net explain: what networks a pod is in, what its plugins answered, and which rules of the host are about it. Looks only. */
import { Failure } from "../base/failure.ts";
import { portWords } from "../net/ports.ts";
import { rulesAbout } from "../net/rules-about.ts";
import { readIntent, readPodResult } from "../net/state.ts";
import { podsOf, resolvePod } from "../pod/pod.ts";
import type { Settings } from "./settings.ts";

export interface ExplainedNetwork {
  readonly network: string;
  readonly ifName: string;
  /** The file of its configuration, or `built in`. */
  readonly from: string;
  readonly cniVersion: string;
  /** In the order in which they were called. */
  readonly plugins: readonly string[];
  readonly addresses: readonly { readonly address: string; readonly gateway?: string | undefined }[];
  readonly routes: readonly { readonly destination: string; readonly gateway?: string | undefined }[];
  readonly nameservers: readonly string[];
  readonly mac?: string | undefined;
  /** `127.0.0.1:8080/tcp to 80` */
  readonly ports: readonly string[];
}

export interface ExplainedPod {
  readonly uuid: string;
  /** By which pods of its networks find it. */
  readonly names: readonly string[];
  readonly networks: readonly ExplainedNetwork[];
  /** Of the host: who made each, and its text. */
  readonly rules: readonly { readonly madeBy: string; readonly rule: string }[];
}

/** @throws Failure NOT_FOUND, AMBIGUOUS; WRONG_STATE for a pod without networks of its own; CONFIG_INVALID */
export async function explainNetworks(settings: Settings, options: { readonly pod: string }): Promise<ExplainedPod> {
  const { uuid, directory } = resolvePod(podsOf(settings.directories.data), options.pod);
  const intent = readIntent(directory);
  if (intent === undefined) {
    throw new Failure("WRONG_STATE", `pod ${uuid} has no networks of its own`, {
      subject: uuid,
      cause: "it runs with --net=none or --net=host, or has not begun to run",
    });
  }
  const networks = intent.attachments.map(({ network, list, ifName, runtime }, index): ExplainedNetwork => {
    const result = readPodResult(directory, index);
    return {
      network,
      ifName,
      from: list.file ?? "built in",
      cniVersion: list.cniVersion,
      plugins: list.plugins.map(({ type }) => type),
      addresses: result?.addresses ?? [],
      routes: result?.routes ?? [],
      nameservers: result?.dns.nameservers ?? [],
      mac: result?.mac,
      ports: (runtime.portMappings ?? []).map((port) => `${portWords(port)} to ${port.containerPort}`),
    };
  });
  return { uuid, names: intent.names, networks, rules: await rulesAbout(uuid, intent.attachments, networks) };
}
