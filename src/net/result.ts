/** What a plugin answers to ADD, in any version of the protocol, as one shape. Foreign text: everything is checked before it is used. */

import { isIP } from "node:net";
import { excerpt, Failure } from "../base/failure.ts";
import { isObject } from "../base/objects.ts";
import type { JsonObject } from "./config.ts";

export interface NetworkAddress {
  /** `10.178.0.2/21` */
  readonly address: string;
  readonly gateway?: string | undefined;
}

export interface NetworkDns {
  readonly nameservers: readonly string[];
  readonly search: readonly string[];
  readonly options: readonly string[];
  readonly domain?: string | undefined;
}

export interface NetworkResult {
  /** As the last plugin of the chain gave it: what DEL and CHECK are told as `prevResult` (NET-3). */
  readonly raw: JsonObject;
  readonly addresses: readonly NetworkAddress[];
  readonly routes: readonly { readonly destination: string; readonly gateway?: string | undefined }[];
  readonly dns: NetworkDns;
  /** Of the pod's end. */
  readonly mac?: string | undefined;
}

const most = 256;

/** @throws Failure NETWORK_FAILED for what is no result (NET-4) */
export function parseResult(text: string, plugin: string): NetworkResult {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw bad(plugin, `its answer is not JSON: ${excerpt(text)}`);
  }
  if (!isObject(value)) throw bad(plugin, "its answer is not an object");
  return readResult(value, plugin);
}

/** @throws Failure NETWORK_FAILED */
export function readResult(raw: JsonObject, plugin: string): NetworkResult {
  return {
    raw,
    addresses: list(raw["ips"], "ips", plugin).map((ip) => addressOf(ip, plugin)),
    routes: list(raw["routes"], "routes", plugin).flatMap((route) =>
      typeof route["dst"] === "string" ? [{ destination: route["dst"], gateway: address(route["gw"]) }] : [],
    ),
    dns: dnsOf(raw["dns"]),
    mac: macOf(list(raw["interfaces"], "interfaces", plugin)),
  };
}

function addressOf(ip: JsonObject, plugin: string): NetworkAddress {
  const { address: text } = ip;
  const [host = "", bits = ""] = typeof text === "string" ? text.split("/") : [];
  if (isIP(host) === 0 || !/^\d{1,3}$/.test(bits)) throw bad(plugin, "its answer has an address that is none");
  return { address: `${host}/${bits}`, gateway: address(ip["gateway"]) };
}

function address(value: unknown): string | undefined {
  return typeof value === "string" && isIP(value) !== 0 ? value : undefined;
}

/** What could not stand in a resolv.conf is left out: the text goes into a file that programs of the pod parse. */
function dnsOf(value: unknown): NetworkDns {
  const dns = isObject(value) ? value : {};
  const words = (field: string): readonly string[] => {
    const found = dns[field];
    const texts = Array.isArray(found) ? found.filter((word) => typeof word === "string") : [];
    return texts.filter((word) => /^[!-~]{1,253}$/.test(word)).slice(0, most);
  };
  const { domain } = dns;
  return {
    nameservers: words("nameservers").filter((word) => isIP(word) !== 0),
    search: words("search"),
    options: words("options"),
    domain: typeof domain === "string" && /^[!-~]{1,253}$/.test(domain) ? domain : undefined,
  };
}

function macOf(interfaces: readonly JsonObject[]): string | undefined {
  const inside = interfaces.findLast(({ sandbox }) => typeof sandbox === "string" && sandbox !== "");
  const mac = inside?.["mac"];
  return typeof mac === "string" && /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(mac) ? mac : undefined;
}

function list(value: unknown, field: string, plugin: string): readonly JsonObject[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value) && value.length <= most && value.every(isObject)) return value;
  throw bad(plugin, `${field} of its answer is no list of at most ${most} objects`);
}

function bad(plugin: string, cause: string): Failure {
  return new Failure("NETWORK_FAILED", `the network plugin ${plugin} answered what is no result (NET-4)`, {
    subject: plugin,
    cause,
  });
}
