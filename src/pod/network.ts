/** What kind of network a pod has, and the files about it: resolv.conf, hosts, hostname. Pure. */
import { excerpt, Failure } from "../base/failure.ts";

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

/**
 * hostname always; hosts for a root without one (OS-2, OS-3); with the host's network also the host's resolv.conf, and its hosts,
 * where a root has none. A pod without network gets no name servers (T-R61); one with networks of its own gets both in any case, to be completed by
 * what those answer.
 * `hostResolvConf` and `hostHosts` are the host's files; undefined when the host has none.
 */
export function podFiles(input: {
  readonly network: PodNetwork;
  readonly hostname: string;
  readonly hostResolvConf?: string | undefined;
  readonly hostHosts?: string | undefined;
}): readonly PodFile[] {
  const { network, hostname, hostResolvConf, hostHosts } = input;
  const isOwn = network === "own";
  const local = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n";
  const own = isOwn ? local : `${local}127.0.1.1\t${hostname}\n`;
  const hosts =
    network === "host" && hostHosts !== undefined ? `${hostHosts.trimEnd()}\n127.0.1.1\t${hostname}\n` : own;
  const files: PodFile[] = [
    { name: "hostname", target: "/etc/hostname", content: `${hostname}\n`, onlyIfMissing: false },
    { name: "hosts", target: "/etc/hosts", content: hosts, onlyIfMissing: !isOwn },
  ];
  if (isOwn || (network === "host" && hostResolvConf !== undefined)) {
    files.push({
      name: "resolv.conf",
      target: "/etc/resolv.conf",
      content: hostResolvConf ?? "",
      onlyIfMissing: !isOwn,
    });
  }
  return files;
}
