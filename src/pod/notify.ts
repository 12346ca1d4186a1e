/** Which apps say by sd_notify when they are ready, and who of the caller's is told. Pure; native/notify.c hears them. */
import { excerpt, Failure } from "../base/failure.ts";
import type { Annotations } from "../schema/annotations.ts";
import { isACIdentifier } from "../schema/grammar.ts";
import type { PodApp } from "../schema/pod-manifest.ts";

/**
 * As podman's --sdnotify: `container`: every app says it; `conmon`: none, and the pod is ready when its apps are executed; `ignore`: as
 * conmon, and nobody is told. Not said: the apps whose images say that they can (ACI-51).
 */
export type NotifyMode = "container" | "conmon" | "ignore";

/** In every app's own /dev, which is ours: in `/run` it would be the image's, and its upper directory's. */
export const notifySocket = "/dev/notify";

/** Variables by which a service manager talks to the program that it started, which are never an app's. */
export const managerVariables: ReadonlySet<string> = new Set([
  "NOTIFY_SOCKET",
  "WATCHDOG_PID",
  "WATCHDOG_USEC",
  "LISTEN_PID",
  "LISTEN_FDS",
  "LISTEN_FDNAMES",
]);

const annotationName = "appc.io/executor/supports-systemd-notify";

/** @throws Failure USAGE */
export function parseNotifyMode(text: string | undefined): NotifyMode | undefined {
  if (text === undefined || text === "container" || text === "conmon" || text === "ignore") return text;
  throw new Failure("USAGE", `--sdnotify is container, conmon or ignore, not ${excerpt(text)}`, { subject: text });
}

/** LIFE-80. */
export function saysWhenReady({ annotations }: Pick<PodApp, "annotations">, mode: NotifyMode | undefined): boolean {
  if (mode !== undefined) return mode === "container";
  return annotations.some(({ name, value }) => name === annotationName && value === "true");
}

/** The app's annotations, with what its image says of sd_notify unless the app says it itself. As stored, lists may be missing. */
export function withImageNotify(
  own: Annotations,
  ofImage: readonly { readonly name: string; readonly value: string }[] | null | undefined,
): Annotations {
  const said = ofImage?.find(({ name }) => name === annotationName);
  if (said === undefined || own.some(({ name }) => name === annotationName)) return own;
  if (!isACIdentifier(said.name)) throw new Failure("INTERNAL", `${said.name} is no annotation`);
  return [...own, { name: said.name, value: said.value }];
}

/** The longest name that a socket can have. */
const longestAddress = 107;

/** Where this process's service manager hears that the pod is ready; undefined: nobody asks, or it is not to be told. */
export function callerSocket(
  environment: ReadonlyMap<string, string>,
  mode: NotifyMode | undefined,
): { readonly address?: string | undefined; readonly warning?: string | undefined } {
  const address = environment.get("NOTIFY_SOCKET") ?? "";
  if (address === "" || mode === "ignore") return {};
  if (/^[/@][^\0]*$/.test(address) && Buffer.byteLength(address) <= longestAddress) return { address };
  return {
    warning: `NOTIFY_SOCKET ${excerpt(address)} is neither a path nor an abstract name: nobody is told that the pod is ready`,
  };
}
