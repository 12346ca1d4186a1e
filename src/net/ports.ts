/** Ports of the host that lead into a pod: what `--port` says, what that means for a manifest, and who has them already. */
import { isIP, isIPv4 } from "node:net";
import { excerpt, Failure } from "../base/failure.ts";
import { readStateText } from "../base/state-file.ts";
import { isACName } from "../schema/grammar.ts";
import type { ACName } from "../schema/names.ts";
import type { PodManifest } from "../schema/pod-manifest.ts";
import type { PortMapping } from "./chain.ts";

/** `--port`, as it goes into the pod manifest. */
export interface PortFlag {
  readonly name: ACName;
  /** 127.0.0.1 unless it was said (NET-40). */
  readonly hostIP: string;
  readonly hostPort: number;
  /** What the user expects of the app's port. */
  readonly protocol?: string | undefined;
}

const protocols = ["tcp", "udp", "sctp"] as const;
/** Of one pod: each is a rule of its own. */
const mostMappings = 1024;
const everywhere: readonly string[] = ["0.0.0.0", "::", ""];

/** `NAME:[HOSTIP:]HOSTPORT[/PROTOCOL]`; an IPv6 address stands in brackets. @throws Failure USAGE */
export function parsePortFlag(text: string): PortFlag {
  const match = /^([a-z0-9-]+):(?:(\[[^\]]*\]|[^:[\]]*):)?(\d{1,5})(?:\/([a-z]+))?$/.exec(text);
  const [, name = "", address, port = "", protocol] = match ?? [];
  const hostIP = address === undefined ? "127.0.0.1" : address.replace(/^\[|\]$/g, "");
  const hostPort = Number(port);
  const isRight =
    isACName(name) &&
    isIP(hostIP) !== 0 &&
    isIPv4(hostIP) === !/^\[/.test(address ?? "") &&
    hostPort >= 1 &&
    hostPort <= 65535 &&
    (protocol === undefined || protocols.some((known) => known === protocol));
  if (isRight && isACName(name)) return { name, hostIP, hostPort, protocol };
  throw new Failure("USAGE", `--port ${excerpt(text)} is not NAME:[HOSTIP:]HOSTPORT[/PROTOCOL]`, {
    subject: text,
    hint: "--port http:8080 for this host alone, --port http:0.0.0.0:8080 for everybody, --port http:[::]:8080/tcp",
  });
}

/** The flags as `ports` of a pod manifest. @throws Failure USAGE for a name or protocol that no app has */
export function exposedPorts(flags: readonly PortFlag[], apps: PodManifest["apps"]): PodManifest["ports"] {
  return flags.map(({ name, hostIP, hostPort, protocol }) => {
    const found = portOf(name, apps, undefined, "USAGE");
    if (protocol !== undefined && protocol !== found.protocol) {
      throw new Failure("USAGE", `--port ${name}: the app's port is ${found.protocol}, not ${protocol}`, {
        subject: name,
      });
    }
    return { name, hostPort, hostIP, podPort: undefined };
  });
}

/** What the plugins are told: every port of every range (NET-41). @throws Failure MANIFEST_INVALID, UNSUPPORTED, LIMIT_EXCEEDED */
export function portMappings({ ports, apps }: PodManifest): readonly PortMapping[] {
  const mappings = ports.flatMap(({ name, hostPort, hostIP = "", podPort }) => {
    const { protocol, port, count } = portOf(name, apps, podPort, "MANIFEST_INVALID");
    if (hostIP === "::1") throw noLoopback(name);
    if (hostPort + count - 1 > 65535) {
      throw new Failure(
        "MANIFEST_INVALID",
        `port ${name}: the range of ${count} from ${hostPort} on ends behind 65535`,
      );
    }
    return Array.from({ length: Math.min(count, mostMappings + 1) }, (_, index) => ({
      hostPort: hostPort + index,
      containerPort: port + index,
      protocol: protocolOf(name, protocol),
      hostIP,
    }));
  });
  if (mappings.length > mostMappings) {
    throw new Failure(
      "LIMIT_EXCEEDED",
      `${mappings.length} or more ports are to be forwarded; a pod has ${mostMappings} at most`,
    );
  }
  mappings.forEach((mapping, index) => {
    const before = mappings.slice(0, index).some((other) => overlap(other, mapping));
    if (before) throw new Failure("MANIFEST_INVALID", `${portWords(mapping)} of the host is asked for twice`);
  });
  return mappings;
}

function protocolOf(name: string, text: string): PortMapping["protocol"] {
  const known = protocols.find((protocol) => protocol === text);
  if (known !== undefined) return known;
  throw new Failure("UNSUPPORTED", `port ${name} has the protocol ${excerpt(text)}, which is not forwarded`, {
    hint: `what is forwarded is ${protocols.join(", ")}`,
  });
}

function portOf(
  name: string,
  apps: PodManifest["apps"],
  podPort: PodManifest["ports"][number]["podPort"],
  code: "USAGE" | "MANIFEST_INVALID",
): { readonly protocol: string; readonly port: number; readonly count: number } {
  if (podPort !== undefined) return podPort;
  const all = apps.flatMap(({ app }) => app?.ports ?? []);
  const found = all.filter((port) => port.name === name);
  const [first] = found;
  if (first !== undefined && found.length === 1) return first;
  const names = [...new Set(all.map((port) => port.name))];
  throw new Failure(code, found.length > 1 ? `${name} is a port of two apps` : `no app has a port ${excerpt(name)}`, {
    subject: name,
    cause: names.length === 0 ? "the images name no ports" : `the apps' ports are ${names.join(", ")}`,
    hint: "say it with podPort in a pod manifest, or add the port to the image: perigee image patch-manifest --port",
  });
}

function noLoopback(name: string): Failure {
  return new Failure("UNSUPPORTED", `port ${name}: Linux forwards nothing from the address ::1`, {
    hint: "127.0.0.1, or an address of an interface",
  });
}

export function overlap(a: PortMapping, b: PortMapping): boolean {
  const isSameAddress = a.hostIP === b.hostIP || everywhere.includes(a.hostIP) || everywhere.includes(b.hostIP);
  return a.protocol === b.protocol && a.hostPort === b.hostPort && isSameAddress;
}

/** `127.0.0.1:8080/tcp` */
export function portWords({ hostIP, hostPort, protocol }: PortMapping): string {
  const address = hostIP === "" ? "*" : isIPv4(hostIP) ? hostIP : `[${hostIP}]`;
  return `${address}:${hostPort}/${protocol}`;
}

/** Another pod, and what of the host it holds. */
export interface PortHolder {
  readonly uuid: string;
  readonly name?: string | undefined;
  readonly ports: readonly PortMapping[];
}

/** @throws Failure ALREADY_EXISTS naming who has one of them (NET-42) */
export function requireFree(wanted: readonly PortMapping[], holders: readonly PortHolder[]): void {
  for (const port of wanted) {
    const holder = holders.find(({ ports }) => ports.some((other) => overlap(port, other)));
    if (holder !== undefined) {
      const called = holder.name === undefined ? "" : ` (${holder.name})`;
      throw new Failure("ALREADY_EXISTS", `${portWords(port)} of the host leads to pod ${holder.uuid}${called}`, {
        subject: portWords(port),
        hint: `perigee stop ${holder.name ?? holder.uuid}, perigee gc if it was killed, or another port`,
      });
    }
    if (isListening(port)) {
      throw new Failure("ALREADY_EXISTS", `a program of the host listens at ${portWords(port)}`, {
        subject: portWords(port),
        hint: `ss -lnp 'sport = :${port.hostPort}' says which`,
      });
    }
  }
}

/** Of IPv4 and IPv6; what is not a socket of a program cannot be seen here. */
function isListening({ hostIP, hostPort, protocol }: PortMapping): boolean {
  return [protocol, `${protocol}6`].some((table) =>
    listeners(readStateText(`/proc/net/${table}`) ?? "", protocol).some(
      ({ address, port }) =>
        port === hostPort && (everywhere.includes(hostIP) || everywhere.includes(address) || address === hostIP),
    ),
  );
}

/** Sockets of a table of /proc/net that take what comes: TCP in LISTEN, UDP unconnected. An IPv6 address but `::` counts as none that we name. */
export function listeners(
  text: string,
  protocol: string,
): readonly { readonly address: string; readonly port: number }[] {
  const state = protocol === "udp" ? "07" : "0A";
  return text.split("\n").flatMap((line) => {
    const match = /^\s*\d+: ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) \S+ ([0-9A-F]{2}) /.exec(line);
    if (match?.[1] === undefined || match[2] === undefined || match[3] !== state) return [];
    return [{ address: addressOf(match[1]), port: Number.parseInt(match[2], 16) }];
  });
}

function addressOf(hex: string): string {
  if (/^0+$/.test(hex)) return "";
  return hex.length === 8 ? [...Buffer.from(hex, "hex").reverse()].join(".") : hex;
}
