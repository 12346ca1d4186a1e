/** The networks that need no configuration: `default` and `default-restricted`, each a bridge of this data directory's own (NET-12…16). */

import { readdirSync } from "node:fs";
import { isIP } from "node:net";
import { join } from "node:path";
import { errnoOf, Failure } from "../base/failure.ts";
import { isObject } from "../base/objects.ts";
import { readStateText } from "../base/state-file.ts";
import { FileLock } from "../shim/flock.ts";
import { builtinList, type NetworkList } from "./config.ts";
import { chooseRange, hostRoutes, isFree, type NetworkRange, newPrefix6, shardSubnets, shards } from "./ranges.ts";
import { replaceFile } from "./state.ts";

export type BuiltinName = "default" | "default-restricted";
export const builtinNames: readonly string[] = ["default", "default-restricted"] satisfies readonly BuiltinName[];

/** The kernel gives a bridge 1,023 ports; pods that start at the same time count each other late. */
const portsOfShard = 900;

/** `<data>/networks`: leases, chosen ranges, and the lock under which pods join and bridges go. */
export function networksOf(data: string): string {
  return join(data, "networks");
}

export interface BuiltinNetwork {
  readonly list: NetworkList;
  readonly bridge: string;
  readonly range: NetworkRange;
  readonly isRestricted: boolean;
}

/** Of the usual data directory `perigee0`, of others with a number of their own, so that two on one host do not share a bridge. */
export function bridgeName(data: string, name: BuiltinName, shard: number): string {
  const hash = Buffer.from(data).reduce((sum, byte) => Math.imul(sum ^ byte, 0x01000193) >>> 0, 0x811c9dc5);
  const place = data === "/var/lib/perigee" ? "perigee" : `pg${hash.toString(16).padStart(8, "0")}`;
  return `${place}${name === "default" ? "" : "r"}${shard}`;
}

/** All that this data directory can have. */
function bridgeNames(data: string): readonly string[] {
  return builtinNames.flatMap((name) =>
    Array.from({ length: shards }, (_, shard) => bridgeName(data, name as BuiltinName, shard)),
  );
}

/** The bridges of this data directory that are there. */
export function bridgesOf(data: string): readonly string[] {
  const names = bridgeNames(data);
  return links().filter((link) => names.includes(link));
}

/** Of the network namespace of this process; /sys may show another's. */
function links(): readonly string[] {
  const text = readStateText("/proc/net/dev") ?? "";
  return text.split("\n").flatMap((line) => /^\s*([^\s:|]+):/.exec(line)?.[1] ?? []);
}

/** @throws Failure LIMIT_EXCEEDED when no range of addresses is free, or every bridge is full */
export function builtinNetwork(data: string, name: BuiltinName, withPorts: boolean): BuiltinNetwork {
  const range = rangeOf(data, name);
  const shard = firstFree(data, name);
  const bridge = bridgeName(data, name, shard);
  const isRestricted = name === "default-restricted";
  const subnets = shardSubnets(range, shard);
  const families = hasIpv6() ? [subnets.ipv4, subnets.ipv6] : [subnets.ipv4];
  const routes = isRestricted ? [] : [{ dst: "0.0.0.0/0" }, ...(hasIpv6() ? [{ dst: "::/0" }] : [])];
  const list = builtinList({
    cniVersion: "1.0.0",
    name: shardName(name, shard),
    plugins: [
      {
        type: "bridge",
        bridge,
        isGateway: true,
        // Rules for the whole network are made once, by one call of nft (rules.ts): the plugins' own would cost every pod 100 ms.
        ipMasq: false,
        hairpinMode: true,
        ipam: {
          type: "host-local",
          dataDir: join(networksOf(data), "leases"),
          ranges: families.map((subnet) => [{ subnet }]),
          routes,
        },
      },
      ...(withPorts ? [{ type: "portmap", capabilities: { portMappings: true }, snat: true }] : []),
    ],
  });
  return { list, bridge, range, isRestricted };
}

function firstFree(data: string, name: BuiltinName): number {
  for (let shard = 0; shard < shards; shard++) {
    if (leases(data, shardName(name, shard)) < portsOfShard) return shard;
  }
  throw new Failure("LIMIT_EXCEEDED", `the network ${name} is full: ${shards} bridges of ${portsOfShard} pods each`, {
    subject: name,
    hint: "--net=NAME with a network of your own in net.d",
  });
}

function shardName(name: BuiltinName, shard: number): string {
  return shard === 0 ? name : `${name}-${shard}`;
}

/** IPv4 addresses that the plugin host-local has given out and not got back: one for each port of the bridge. */
function leases(data: string, network: string): number {
  try {
    return readdirSync(join(networksOf(data), "leases", network)).filter((name) => isIP(name) === 4).length;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return 0;
    throw error;
  }
}

export function hasIpv6(): boolean {
  return readStateText("/proc/sys/net/ipv6/conf/all/disable_ipv6")?.trim() === "0";
}

/** What was chosen before, unless a route of the host has come since and no pod is in the network. */
function rangeOf(data: string, name: BuiltinName): NetworkRange {
  // Pods that start at the same time must not choose differently.
  return withNetworksLocked(data, () => chooseOrKeep(data, name));
}

/** For what pods that start at the same time must do one after the other: moments only. */
export function withNetworksLocked<T>(data: string, work: () => T): T {
  const lock = FileLock.open(join(networksOf(data), "choice"), "exclusive", { wait: true, create: true });
  try {
    return work();
  } finally {
    lock?.release();
  }
}

function chooseOrKeep(data: string, name: BuiltinName): NetworkRange {
  const file = join(networksOf(data), `${name}.json`);
  const known = readRange(file);
  const own = new Set(bridgesOf(data));
  // By name, whether it is there or not: one that a pod makes at this moment must not look like a stranger's.
  const ours = new Set(bridgeNames(data));
  const taken = hostRoutes((link) => ours.has(link));
  if (known !== undefined && (own.has(bridgeName(data, name, 0)) || isFree(known.ipv4, taken))) return known;
  const others = builtinNames.flatMap((other) => readRange(join(networksOf(data), `${other}.json`))?.ipv4 ?? []);
  const ipv4 = chooseRange(taken, others);
  if (ipv4 === undefined) {
    throw new Failure("LIMIT_EXCEEDED", "every range of addresses for pods has a route of the host in it", {
      hint: "define a network in net.d, with addresses of your choice, and name it with --net",
    });
  }
  const range = { ipv4, ipv6: known?.ipv6 ?? newPrefix6() };
  replaceFile(file, `${JSON.stringify(range)}\n`);
  return range;
}

function readRange(file: string): NetworkRange | undefined {
  try {
    const value: unknown = JSON.parse(readStateText(file) ?? "null");
    if (!isObject(value)) return undefined;
    const { ipv4, ipv6 } = value;
    const isRange =
      typeof ipv4 === "string" &&
      /^\d{1,3}(\.\d{1,3}){3}$/.test(ipv4) &&
      typeof ipv6 === "string" &&
      /^fd[0-9a-f]{2}(:[0-9a-f]{4}){2}$/.test(ipv6);
    return isRange ? { ipv4, ipv6 } : undefined;
  } catch {
    return undefined;
  }
}
