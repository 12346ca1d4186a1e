/** What a pod has to do with the service manager of whoever starts it. */
import { Failure } from "../base/failure.ts";
import { callerSocket, parseNotifyMode, saysWhenReady } from "../pod/notify.ts";
import { type AppSocket, announcedSockets, matchSockets } from "../pod/sockets.ts";
import type { PodApp, PodManifest } from "../schema/pod-manifest.ts";
import { lookAtSocket } from "../shim/libc.ts";
import type { Settings } from "./settings.ts";

export interface Readiness {
  /** Names of the apps that say when they are ready (LIFE-80). */
  readonly notifying: ReadonlySet<string>;
  /** Who of the caller's hears that the pod is (LIFE-84). */
  readonly caller: string | undefined;
  readonly warnings: readonly string[];
}

/** `sdnotify` as typed. @throws Failure USAGE */
export function decideReadiness(
  environment: Settings["environment"],
  sdnotify: string | undefined,
  apps: readonly PodApp[],
): Readiness {
  const mode = parseNotifyMode(sdnotify);
  const { address, warning } = callerSocket(environment, mode);
  return {
    notifying: new Set(apps.filter((app) => saysWhenReady(app, mode)).map(({ name }) => name)),
    caller: address,
    warnings: warning === undefined ? [] : [warning],
  };
}

export interface HandedSockets {
  /** By app name; undefined when this process was handed none. */
  readonly sockets: ReadonlyMap<string, readonly AppSocket[]> | undefined;
  readonly descriptors: readonly number[];
}

/** LIFE-88. @throws Failure USAGE, also for a descriptor that is announced and is no socket */
export function decideSockets(environment: Settings["environment"], manifest: PodManifest): HandedSockets {
  const handed = announcedSockets(environment, process.pid).map(({ descriptor, name }) => {
    const found = lookAtSocket(descriptor);
    if (found !== undefined) return { descriptor, name, ...found };
    throw new Failure("USAGE", `LISTEN_FDS speaks of descriptor ${descriptor}, which is no socket`);
  });
  return {
    sockets: handed.length === 0 ? undefined : matchSockets(manifest, handed),
    descriptors: handed.map(({ descriptor }) => descriptor),
  };
}
