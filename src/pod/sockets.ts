/** Listening sockets that a service manager handed to this process (sd_listen_fds), matched to the ports of a pod's apps (ACI-43). Pure. */
import { excerpt, Failure } from "../base/failure.ts";
import type { Port } from "../schema/app.ts";
import type { PodManifest } from "../schema/pod-manifest.ts";

export interface HandedSocket {
  readonly descriptor: number;
  /** Of LISTEN_FDNAMES; empty when there is none. */
  readonly name: string;
  readonly kind: "tcp" | "udp" | "unix" | "other";
  readonly port?: number | undefined;
}

/** What an app finds its socket by, and which of all those handed over it is. */
export interface AppSocket {
  readonly name: string;
  readonly index: number;
}

/** The first descriptor of the protocol, and as many as the shim takes. */
const [firstDescriptor, mostSockets] = [3, 256];

/** Descriptors and names that the environment tells; none when it speaks of another process. @throws Failure USAGE for what is no number */
export function announcedSockets(
  environment: ReadonlyMap<string, string>,
  pid: number,
): readonly Pick<HandedSocket, "descriptor" | "name">[] {
  const text = environment.get("LISTEN_FDS");
  if (text === undefined || environment.get("LISTEN_PID") !== String(pid)) return [];
  const count = /^\d{1,4}$/.test(text) ? Number(text) : Number.NaN;
  if (!(count <= mostSockets)) {
    throw new Failure("USAGE", `LISTEN_FDS ${excerpt(text)}: a number of at most ${mostSockets}`, { subject: text });
  }
  const names = (environment.get("LISTEN_FDNAMES") ?? "").split(":");
  return Array.from({ length: count }, (_, index) => ({
    descriptor: firstDescriptor + index,
    name: names[index] ?? "",
  }));
}

/**
 * By app name, in the order of its ports: a socket is a port's if it is called like it, else if protocol and number are the port's.
 * @throws Failure USAGE naming a port without a socket, a socket of another protocol, or a socket that is no port's (LIFE-88)
 */
export function matchSockets(
  { apps }: Pick<PodManifest, "apps">,
  handed: readonly HandedSocket[],
): ReadonlyMap<string, readonly AppSocket[]> {
  const free = new Map(handed.entries());
  const matched = apps.map(({ name, app }) => {
    const ports = (app?.ports ?? []).filter(({ socketActivated }) => socketActivated);
    return [name, ports.flatMap((port) => socketsOf(name, port, free))] as const;
  });
  const left = [...free.values()];
  if (left.length > 0) {
    throw mismatch(
      `${left.map(describe).join("; ")}: not a socket of any port`,
      "of no app a port with socketActivated is called so or has this number",
    );
  }
  return new Map(matched.filter(([, sockets]) => sockets.length > 0));
}

/** Taken out of `free`. */
function socketsOf(app: string, port: Port, free: Map<number, HandedSocket>): readonly AppSocket[] {
  const named = [...free].filter(([, socket]) => socket.name === port.name);
  const found = named.length > 0 ? named : [...free].filter(([, socket]) => isAt(port, socket));
  const other = found.find(([, { kind }]) => kind !== "unix" && kind !== port.protocol);
  if (other !== undefined) {
    throw mismatch(
      `${describe(other[1])} is called like port ${port.name} of ${app}`,
      `the port is of protocol ${excerpt(port.protocol)}`,
    );
  }
  const numbers = new Set(found.map(([, socket]) => socket.port));
  const missing = Array.from({ length: port.count }, (_, index) => port.port + index).find(
    (number) => !numbers.has(number),
  );
  if (found.length === 0 || (named.length === 0 && missing !== undefined)) {
    throw mismatch(
      `no socket was handed over for port ${port.name} of ${app}`,
      `it is ${excerpt(port.protocol)} ${missing ?? port.port}; handed over: ${[...free.values()].map(describe).join("; ") || "nothing more"}`,
    );
  }
  for (const [index] of found) free.delete(index);
  return found.map(([index]) => ({ name: port.name, index }));
}

function isAt({ protocol, port, count }: Port, socket: HandedSocket): boolean {
  return socket.kind === protocol && socket.port !== undefined && socket.port >= port && socket.port < port + count;
}

function describe({ descriptor, name, kind, port }: HandedSocket): string {
  const called = name === "" || name === "unknown" ? "" : `, called ${excerpt(name)}`;
  return `descriptor ${descriptor} (${kind}${port === undefined ? "" : ` ${port}`}${called})`;
}

function mismatch(message: string, cause: string): Failure {
  return new Failure("USAGE", message, {
    cause,
    hint: "FileDescriptorName= of the socket unit is the port's name, or ListenStream= its number",
  });
}
