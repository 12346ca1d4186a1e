/** The texts of hosts and resolv.conf of a pod, and what the user may say of them. Pure. */
import { isIP } from "node:net";
import { excerpt, Failure } from "../base/failure.ts";
import type { NetworkDns, NetworkResult } from "./result.ts";

/** `host`: the host's file as it is; `none`: what the image has. */
export interface NameOptions {
  readonly dns?: "host" | "none" | NetworkDns | undefined;
  readonly hosts?: "host" | readonly HostsEntry[] | undefined;
}

export interface HostsEntry {
  readonly address: string;
  readonly name: string;
}

/** As typed. */
export interface NameFlags {
  readonly dns?: readonly string[] | undefined;
  readonly dnsSearch?: readonly string[] | undefined;
  readonly dnsOptions?: readonly string[] | undefined;
  readonly dnsDomain?: string | undefined;
  /** `ADDRESS=NAME` or `host`. */
  readonly hostsEntries?: readonly string[] | undefined;
}

const hostName = /^[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?$/;

/** `--dns…` and `--hosts-entry` (NET-32). @throws Failure USAGE */
export function parseNameFlags(flags: NameFlags): NameOptions {
  return { dns: dnsOf(flags), hosts: hostsOf(flags.hostsEntries ?? []) };
}

function dnsOf({ dns = [], dnsSearch = [], dnsOptions = [], dnsDomain }: NameFlags): NameOptions["dns"] {
  const further = dnsSearch.length + dnsOptions.length > 0 || dnsDomain !== undefined;
  const word = dns.find((server) => server === "host" || server === "none");
  if (word !== undefined && (dns.length > 1 || further)) {
    throw new Failure("USAGE", `--dns=${word} stands alone: the file is not perigee's then`);
  }
  if (word === "host" || word === "none") return word;
  if (dns.length === 0 && !further) return undefined;
  for (const server of dns) require("--dns", server, isIP(server) !== 0, "an IP address, host or none");
  for (const name of dnsSearch) require("--dns-search", name, hostName.test(name), "a domain");
  for (const option of dnsOptions) require("--dns-opt", option, /^[!-~]{1,100}$/.test(option), "a word");
  if (dnsDomain !== undefined) require("--dns-domain", dnsDomain, hostName.test(dnsDomain), "a domain");
  return { nameservers: dns, search: dnsSearch, options: dnsOptions, domain: dnsDomain };
}

function require(flag: string, text: string, isRight: boolean, what: string): void {
  if (!isRight) throw new Failure("USAGE", `${flag}=${excerpt(text)} is not ${what}`, { subject: text });
}

function hostsOf(texts: readonly string[]): NameOptions["hosts"] {
  if (texts.length === 0) return undefined;
  if (texts.includes("host")) {
    if (texts.length === 1) return "host";
    throw new Failure("USAGE", "--hosts-entry=host stands alone: the file is the host's then");
  }
  return texts.map((text) => {
    const at = text.indexOf("=");
    const [address, name] = [text.slice(0, Math.max(at, 0)), text.slice(at + 1)];
    require("--hosts-entry", text, isIP(address) !== 0 && hostName.test(name), "ADDRESS=NAME, or host");
    return { address, name };
  });
}

/** `--net-alias`. @throws Failure USAGE */
export function parseAlias(text: string): string {
  require("--net-alias", text, hostName.test(text), "a host name");
  return text;
}

/** `text`, and a line for each address of the pod. */
export function hostsText(text: string, results: readonly NetworkResult[], names: readonly string[]): string {
  const addresses = results.flatMap((result) => result.addresses.map(({ address }) => address.split("/")[0] ?? ""));
  return `${text}${addresses.map((address) => `${address}\t${names.join(" ")}\n`).join("")}`;
}

/** What the first network with name servers said, as rkt; else the host's, but for those that only the host can reach. */
export function resolvText(host: string, results: readonly NetworkResult[]): string {
  const dns = results.find((result) => result.dns.nameservers.length > 0)?.dns;
  return dns === undefined ? withoutLoopback(host) : resolvConf(dns);
}

export function resolvConf({ nameservers, search, options, domain }: NetworkDns): string {
  return [
    ...(domain === undefined ? [] : [`domain ${domain}`]),
    ...(search.length === 0 ? [] : [`search ${search.join(" ")}`]),
    ...nameservers.map((server) => `nameserver ${server}`),
    ...(options.length === 0 ? [] : [`options ${options.join(" ")}`]),
    "",
  ].join("\n");
}

function withoutLoopback(text: string): string {
  const lines = text.split("\n").filter((line) => {
    const server = /^\s*nameserver\s+(\S+)/.exec(line)?.[1];
    return server === undefined || ((server.split(".")[0] !== "127" || isIP(server) !== 4) && server !== "::1");
  });
  return lines.join("\n");
}
