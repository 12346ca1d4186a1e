/**
 * Which addresses are everybody's and which are of this machine, its networks or its provider, where a stranger's redirect or
 * page must not lead (T-D03). Pure.
 */
import { BlockList, isIP } from "node:net";

/** Not of the Internet at large: RFC 6890 and what became of it, less the ranges for documentation, which nobody has. */
const privateRanges = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "224.0.0.0/3",
  "::/127",
  "fc00::/7",
  "fe80::/9",
  "ff00::/8",
] as const;

let list: BlockList | undefined;

function privateList(): BlockList {
  if (list !== undefined) return list;
  list = new BlockList();
  for (const range of privateRanges) {
    const [network = "", bits = ""] = range.split("/");
    list.addSubnet(network, Number(bits), isIP(network) === 4 ? "ipv4" : "ipv6");
  }
  return list;
}

/** Whether `address`, as text of an IPv4 or IPv6 address without brackets, is a private one; what is no address is not. */
export function isPrivateAddress(address: string): boolean {
  const bare = address.split("%", 1)[0] ?? "";
  const family = isIP(bare);
  if (family === 0) return false;
  if (family === 4) return privateList().check(bare, "ipv4");
  const inside = embedded(groupsOf(bare));
  return privateList().check(bare, "ipv6") || (inside !== undefined && privateList().check(inside, "ipv4"));
}

/** The eight groups of an IPv6 address. The URL parser writes each as hexadecimal digits, and the longest run of zeros as `::`. */
function groupsOf(address: string): readonly number[] {
  const [left = "", right] = new URL(`http://[${address}]/`).hostname.slice(1, -1).split("::");
  const numbers = (text: string) => (text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16)));
  const [before, after] = [numbers(left), numbers(right ?? "")];
  return [...before, ...Array<number>(8 - before.length - after.length).fill(0), ...after];
}

/** The IPv4 address that one of IPv6 leads to: mapped (::ffff:0:0/96), compatible (::/96), by NAT64 (64:ff9b::/96), by 6to4 (2002::/16). */
function embedded(groups: readonly number[]): string | undefined {
  const beginning = groups.slice(0, 6).join();
  const isInTail = ["0,0,0,0,0,65535", "0,0,0,0,0,0", "100,65435,0,0,0,0"].includes(beginning);
  const [high, low] = isInTail ? groups.slice(6) : groups[0] === 0x2002 ? groups.slice(1, 3) : [];
  if (high === undefined || low === undefined) return undefined;
  return [high >> 8, high & 255, low >> 8, low & 255].join(".");
}
