/** Address ranges of the built-in networks: chosen once so that no route of the host is hidden, then kept (NET-14). Pure but for the routes it reads. */
import { readStateText } from "../base/state-file.ts";

/** Both as numbers of 32 bits. */
export interface Range4 {
  readonly base: number;
  readonly bits: number;
}

/** A /16 of IPv4 and a /48 of unique local IPv6 addresses. */
export interface NetworkRange {
  /** `10.178.0.0` */
  readonly ipv4: string;
  /** `fd12:3456:789a` */
  readonly ipv6: string;
}

export const rangeBits = 16;
/** Addresses of one bridge: 2,046 for 1,023 ports. */
export const shardBits = 21;
export const shards = 2 ** (shardBits - rangeBits);

/** Of 10/8 what neither docker, podman, Kubernetes nor rkt hands out by default, then the end of 172.16/12. */
const candidates: readonly string[] = [
  ...Array.from({ length: 40 }, (_, index) => `10.${178 + index}.0.0`),
  ...["172.28.0.0", "172.29.0.0", "172.30.0.0"],
];

/** The first candidate that meets none of `taken`; undefined when all do. */
export function chooseRange(taken: readonly Range4[], others: readonly string[]): string | undefined {
  return candidates.find((base) => !others.includes(base) && !meets({ base: toNumber(base), bits: rangeBits }, taken));
}

export function isFree(ipv4: string, taken: readonly Range4[]): boolean {
  return !meets({ base: toNumber(ipv4), bits: rangeBits }, taken);
}

function meets(range: Range4, taken: readonly Range4[]): boolean {
  return taken.some(({ base, bits }) => {
    const shift = 32 - Math.min(bits, range.bits);
    return Math.floor(base / 2 ** shift) === Math.floor(range.base / 2 ** shift);
  });
}

/** Of RFC 4193: 40 random bits, so that two hosts do not have the same. */
export function newPrefix6(): string {
  // A random uuid of the kernel's: node:crypto takes milliseconds to load. Its first twelve digits are random, all of them.
  const hex = (readStateText("/proc/sys/kernel/random/uuid") ?? "").replaceAll("-", "").slice(0, 10);
  return `fd${hex.slice(0, 2)}:${hex.slice(2, 6)}:${hex.slice(6)}`;
}

/** Routes of the host but the default one, and but those over `own` interfaces. */
export function hostRoutes(
  isOwn: (link: string) => boolean,
  text = readStateText("/proc/net/route") ?? "",
): readonly Range4[] {
  return text
    .split("\n")
    .slice(1)
    .flatMap((line) => {
      const [link = "", destination = "", , , , , , mask = ""] = line.trim().split(/\s+/);
      const bits = bitsOf(littleEndian(mask));
      return link === "" || isOwn(link) || bits === 0 ? [] : [{ base: littleEndian(destination), bits }];
    });
}

/** The kernel shows addresses as they lie in memory. */
function littleEndian(hex: string): number {
  return /^[0-9A-F]{8}$/i.test(hex) ? Buffer.from(hex, "hex").readUInt32LE() : 0;
}

function bitsOf(mask: number): number {
  return Math.clz32(~mask);
}

export function toNumber(address: string): number {
  return address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
}

export function toAddress(number: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join(".");
}

/** `10.178.8.0/21` of shard 1; and `fd12:3456:789a:1::/64`. */
export function shardSubnets(
  { ipv4, ipv6 }: NetworkRange,
  shard: number,
): { readonly ipv4: string; readonly ipv6: string } {
  const base = toNumber(ipv4) + shard * 2 ** (32 - shardBits);
  return { ipv4: `${toAddress(base)}/${shardBits}`, ipv6: `${ipv6}:${shard.toString(16)}::/64` };
}
