/** The texts of hosts and resolv.conf of a pod with networks of its own. Pure. */
import { isIP } from "node:net";
import type { NetworkResult } from "./result.ts";

/** `text`, and a line for each address of the pod. */
export function hostsText(text: string, results: readonly NetworkResult[], hostname: string): string {
  const addresses = results.flatMap((result) => result.addresses.map(({ address }) => address.split("/")[0] ?? ""));
  return `${text}${addresses.map((address) => `${address}\t${hostname}\n`).join("")}`;
}

/** What the first network with name servers said, as rkt; else the host's, but for those that only the host can reach. */
export function resolvText(host: string, results: readonly NetworkResult[]): string {
  const dns = results.find((result) => result.dns.nameservers.length > 0)?.dns;
  if (dns === undefined) return withoutLoopback(host);
  return [
    ...(dns.domain === undefined ? [] : [`domain ${dns.domain}`]),
    ...(dns.search.length === 0 ? [] : [`search ${dns.search.join(" ")}`]),
    ...dns.nameservers.map((server) => `nameserver ${server}`),
    ...(dns.options.length === 0 ? [] : [`options ${dns.options.join(" ")}`]),
    "",
  ].join("\n");
}

function withoutLoopback(text: string): string {
  const lines = text.split("\n").filter((line) => {
    const server = /^\s*nameserver\s+(\S+)/.exec(line)?.[1];
    return server === undefined || (!(server.split(".")[0] === "127" && isIP(server) === 4) && server !== "::1");
  });
  return lines.join("\n");
}
