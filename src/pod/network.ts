/** What kind of network a pod has, and the files about it: resolv.conf, hosts, hostname. Pure. */
import { excerpt, Failure } from "../base/failure.ts";
import { type NameOptions, resolvConf } from "../net/name-files.ts";

/** `own`: its networks are made by plugins (src/net). */
export type PodNetwork = "none" | "host" | "own";

/** RFC 1123 labels, at most 64 bytes, which is what Linux holds. @throws Failure USAGE */
export function parseHostname(text: string): string {
  const label = /^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/;
  if (text.length > 64 || !text.split(".").every((part) => label.test(part))) {
    throw new Failure("USAGE", `--hostname ${excerpt(text)}: letters, digits, - and dots, at most 64`, {
      subject: text,
    });
  }
  return text;
}

/** `perigee-UUID`, 44 characters. */
export function defaultHostname(uuid: string): string {
  return `perigee-${uuid}`;
}

/** A file that is bound read-only over the app's own, never written into its root (T-R17). */
export interface PodFile {
  /** File name in the pod's directory for such files. */
  readonly name: string;
  /** Absolute path in the app. */
  readonly target: string;
  readonly content: string;
  /** Only for apps whose root lacks `target` (OS-3). */
  readonly onlyIfMissing: boolean;
}

export interface PodFilesInput {
  readonly network: PodNetwork;
  readonly hostname: string;
  readonly names?: NameOptions | undefined;
  /** The host's files; undefined when the host has none. */
  readonly hostResolvConf?: string | undefined;
  readonly hostHosts?: string | undefined;
}

/**
 * hostname always; hosts for a root without one (OS-2, OS-3); with the host's network also the host's resolv.conf, and its hosts,
 * where a root has none. A pod without network gets no name servers (T-R61); one with networks of its own gets both in any case, to be
 * completed by what those answer. What the user says of either (NET-32) is what every app gets.
 */
export function podFiles(input: PodFilesInput): readonly PodFile[] {
  return [
    { name: "hostname", target: "/etc/hostname", content: `${input.hostname}\n`, onlyIfMissing: false },
    hostsFile(input),
    ...resolvFile(input),
  ];
}

function hostsFile({ network, hostname, names, hostHosts }: PodFilesInput): PodFile {
  const file = { name: "hosts", target: "/etc/hosts" };
  const said = names?.hosts;
  if (said === "host") return { ...file, content: hostHosts ?? "", onlyIfMissing: false };
  const local = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n";
  const base = network === "host" && hostHosts !== undefined ? `${hostHosts.trimEnd()}\n` : local;
  // With an address of its own the name leads there.
  const own = network === "own" ? "" : `127.0.1.1\t${hostname}\n`;
  const entries = (said ?? []).map(({ address, name }) => `${address}\t${name}\n`).join("");
  return { ...file, content: `${base}${own}${entries}`, onlyIfMissing: network !== "own" && said === undefined };
}

function resolvFile({ network, names, hostResolvConf }: PodFilesInput): readonly PodFile[] {
  const file = { name: "resolv.conf", target: "/etc/resolv.conf" };
  const said = names?.dns;
  if (said === "none") return [];
  if (said === "host") return [{ ...file, content: hostResolvConf ?? "", onlyIfMissing: false }];
  if (said !== undefined) return [{ ...file, content: resolvConf(said), onlyIfMissing: false }];
  if (network === "own") return [{ ...file, content: hostResolvConf ?? "", onlyIfMissing: false }];
  if (network === "host" && hostResolvConf !== undefined) {
    return [{ ...file, content: hostResolvConf, onlyIfMissing: true }];
  }
  return [];
}
