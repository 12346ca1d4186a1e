/** perigee net explain */
import { type ExplainedNetwork, type ExplainedPod, explainNetworks } from "../../api/explain-networks.ts";
import { printable } from "../../base/failure.ts";
import { defineCommand } from "../command.ts";
import { versioned } from "../document.ts";

function networkLines(network: ExplainedNetwork): readonly string[] {
  const via = (gateway: string | undefined) => (gateway === undefined ? "" : ` via ${gateway}`);
  return [
    `${network.ifName}: network ${network.network}, ${network.from}`,
    `  plugins: ${network.plugins.join(", ")} (CNI ${network.cniVersion})`,
    ...network.addresses.map(({ address, gateway }) => `  address: ${address}${via(gateway)}`),
    ...(network.mac === undefined ? [] : [`  hardware address: ${network.mac}`]),
    ...network.routes.map(({ destination, gateway }) => `  route: ${destination}${via(gateway)}`),
    ...network.nameservers.map((server) => `  name server: ${server}`),
    ...network.ports.map((port) => `  port of the host: ${port}`),
  ];
}

function podLines({ uuid, names, networks, rules }: ExplainedPod): readonly string[] {
  return [
    `pod ${uuid}, found by others as ${names.join(", ")}`,
    ...networks.flatMap(networkLines),
    ...rules.map(({ madeBy, rule }) => `rule of ${madeBy}: ${rule}`),
  ].map(printable);
}

export default defineCommand({
  name: "net explain",
  arguments: "<pod>",
  summary: "Show a pod's networks: addresses, routes, ports, and the rules of the host about it",
  description:
    "Says for each network where its configuration is, what its plugins answered and which ports of the host lead to the pod; then the rules of the host's packet filter that are about it, and who made them. As root; others see no rules.",
  examples: ["perigee net explain web", "perigee net explain 6f3a --format json"],
  run: ({ args, settings }) => explainNetworks(settings, { pod: args[0] ?? "" }),
  json: versioned,
  text: podLines,
});
