/** attach: the standard descriptors of an app in the background, from now on. Returns a handle; never ends the caller's process by itself. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { Failure } from "../base/failure.ts";
import { numbersOf } from "../pod/log-files.ts";
import { type FoundPod, podsOf, resolvePod } from "../pod/pod.ts";
import { findPodRecord, readAppExit } from "../pod/record.ts";
import { type AttachRequest, replaceWithAttach, spawnAttach } from "../shim/attach.ts";
import { failureOf } from "../shim/events.ts";
import type { RunHandle, StandardStream } from "../shim/run.ts";
import { chooseApp } from "./choose-app.ts";
import type { Settings } from "./settings.ts";

export interface AttachOptions extends Pick<AttachRequest, "input"> {
  /** A uuid, a unique prefix of it, or the pod's name. */
  readonly pod: string;
  /** Only a pod of one app needs no name. */
  readonly app?: string | undefined;
  /** The bytes of the keys that leave the app, typed on a terminal; none if not said. */
  readonly detachKeys?: Uint8Array | undefined;
}

type Standard = readonly [stdin: StandardStream, stdout: StandardStream, stderr: StandardStream];

/** An app that one can be attached to; exactly one of `replace` and `spawn` is called. */
export interface AttachableApp {
  readonly uuid: string;
  readonly app: string;
  /** This process becomes what connects the two; its exit status is the app's when that ends, 0 after the keys. */
  replace(options: { readonly report: "text" | "json" }): never;
  /** Resolves when the output that comes is seen. @throws Failure SHIM_FAILED */
  spawn(options?: { readonly stdio?: Standard }): Promise<Attachment>;
}

/** `exited`: the app's status when it ended. `signal` ends the attachment, and not the app. */
export type Attachment = Pick<RunHandle, "exited" | "stdin" | "stdout" | "stderr" | "signal">;

/**
 * Whether the app still runs when the connection is made, the supervisor says (LIFE-103).
 * @throws Failure NOT_FOUND, AMBIGUOUS, USAGE for an app that must be named or is not in the pod, WRONG_STATE for a pod or an app that has
 * ended or that takes nobody
 */
export async function attachPod(settings: Settings, options: AttachOptions): Promise<AttachableApp> {
  const pod = resolvePod(podsOf(settings.directories.data), options.pod);
  const app = requireRunning(pod, options.app);
  if (!existsSync(join(pod.directory, "attach"))) {
    throw new Failure("WRONG_STATE", `pod ${pod.uuid} takes nobody`, {
      subject: pod.uuid,
      cause: "it was started by a version without attach, or it was started in the foreground",
      hint: `perigee logs --follow ${pod.uuid}`,
    });
  }
  const { input, detachKeys = new Uint8Array() } = options;
  const request: AttachRequest = { directory: pod.directory, app, input, detachKeys };
  return {
    uuid: pod.uuid,
    app,
    replace: (how) => replaceWithAttach(request, how),
    spawn: async ({ stdio } = {}) => await spawned(request, stdio ?? ["ignore", "ignore", "ignore"]),
  };
}

/** Of a pod that has ended there is its log, and of one that has not run there is nothing. */
function requireRunning(pod: FoundPod, wanted: string | undefined): string {
  const { uuid, directory, state } = pod;
  if (state !== "running") {
    const hasRun = state === "exited" || state === "exited garbage";
    throw new Failure("WRONG_STATE", `pod ${uuid} does not run: it is ${state}`, {
      subject: uuid,
      hint: hasRun
        ? `perigee ${isLogged(directory) ? "logs" : "status"} ${uuid}`
        : "perigee list shows the pods that run",
    });
  }
  const app = chooseApp(pod, wanted, "attach");
  const exit = readAppExit(directory, app);
  if (exit === undefined) return app;
  throw new Failure("WRONG_STATE", `app ${app} of pod ${uuid} has ended`, {
    subject: app,
    cause: `its exit status is ${exit.status}`,
    hint: hasLog(directory, app) ? `perigee logs --app ${app} ${uuid}` : `perigee status ${uuid}`,
  });
}

/** What an app with a terminal printed is kept nowhere. */
function hasLog(directory: string, app: string): boolean {
  return numbersOf(join(directory, "logs"), app).length > 0;
}

/** Whether all of a pod's apps have a log. */
function isLogged(directory: string): boolean {
  return findPodRecord(directory).record?.apps.every(({ name }) => hasLog(directory, name)) ?? true;
}

async function spawned(request: AttachRequest, stdio: Standard): Promise<Attachment> {
  const handle = spawnAttach(request, stdio);
  for await (const event of handle.events) {
    if (event.event === "failed") throw failureOf(event, await handle.exited, "attach");
    if (event.event === "attached") {
      const { exited, stdin, stdout, stderr } = handle;
      return { exited, stdin, stdout, stderr, signal: (number) => handle.signal(number) };
    }
  }
  throw new Failure("SHIM_FAILED", `perigee-shim ended with ${await handle.exited} before it was attached`);
}
