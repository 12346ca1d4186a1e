/** enter: a command in an app of a running pod, confined as the app is. Returns a handle; never ends the caller's process by itself. */
import { join } from "node:path";
import { isatty } from "node:tty";
import { Failure } from "../base/failure.ts";
import { type FoundPod, podsOf, resolvePod } from "../pod/pod.ts";
import { isAlive, readAppProcess } from "../pod/record.ts";
import { type EnterRequest, replaceWithEnter, spawnEnter } from "../shim/enter.ts";
import { failureOf } from "../shim/events.ts";
import type { RunHandle, StandardStream } from "../shim/run.ts";
import { chooseApp } from "./choose-app.ts";
import type { Settings } from "./settings.ts";

export interface EnterOptions {
  /** A uuid or a unique prefix of it. */
  readonly pod: string;
  /** Only a pod of one app needs no name. */
  readonly app?: string | undefined;
  /** Program and arguments; empty: /bin/bash if the app has it, else /bin/sh. */
  readonly command: readonly string[];
}

type Standard = readonly [stdin: StandardStream, stdout: StandardStream, stderr: StandardStream];

/** An app that can be entered; exactly one of `replace` and `spawn` is called. */
export interface EnterableApp {
  readonly uuid: string;
  readonly app: string;
  /** This process becomes the command's; with a terminal at standard input and output the command gets one of its own. */
  replace(options: { readonly report: "text" | "json" }): never;
  /** Resolves when the command was executed. @throws Failure SHIM_FAILED, NOT_EXECUTABLE, EXEC_NOT_FOUND */
  spawn(options?: { readonly stdio?: Standard }): Promise<EnteredCommand>;
}

/** `exited`: the command's status, or 128+N when signal N ended it, as it does when the pod ends. `signal` sends one to the command. */
export type EnteredCommand = Pick<RunHandle, "exited" | "stdin" | "stdout" | "stderr" | "signal">;

/**
 * Finds the app's process. Whether the pod still runs when the command is started, the shim finds out (LIFE-40).
 * @throws Failure NOT_FOUND, AMBIGUOUS, USAGE for an app that must be named or is not in the pod, WRONG_STATE for a pod or an app
 * that does not run or whose record is damaged
 */
export async function enterPod(settings: Settings, options: EnterOptions): Promise<EnterableApp> {
  const pod = resolvePod(podsOf(settings.directories.data), options.pod);
  if (pod.state !== "running") {
    throw new Failure("WRONG_STATE", `pod ${pod.uuid} does not run: it is ${pod.state}`, {
      subject: pod.uuid,
      hint: "perigee list shows the pods that run",
    });
  }
  const app = chooseApp(pod, options.app, "enter");
  const request = { ...findApp(pod, app), command: options.command };
  return {
    uuid: pod.uuid,
    app,
    replace: (how) => replaceWithEnter({ ...request, terminal: terminalOf(settings) }, how),
    spawn: async ({ stdio } = {}) => await spawned(request, stdio ?? ["ignore", "ignore", "ignore"]),
  };
}

/** Output that goes elsewhere than to a terminal shall arrive as the command writes it. */
function terminalOf({ environment }: Settings): string | undefined {
  return isatty(0) && isatty(1) ? (environment.get("TERM") ?? "xterm") : undefined;
}

function findApp({ uuid, directory }: FoundPod, app: string): Omit<EnterRequest, "command"> {
  const process = readAppProcess(directory, app);
  if (process === undefined || !isAlive(process)) {
    throw new Failure("WRONG_STATE", `app ${app} of pod ${uuid} does not run`, {
      subject: app,
      cause: process === undefined ? "it has not been started yet" : "it has ended",
      hint: `perigee status ${uuid}`,
    });
  }
  return { plan: join(directory, "plan"), uuid, app, process };
}

async function spawned(request: EnterRequest, stdio: Standard): Promise<EnteredCommand> {
  const handle = spawnEnter(request, stdio);
  for await (const event of handle.events) {
    if (event.event === "failed") throw failureOf(event, await handle.exited, "enter");
    if (event.event === "app-started") {
      const { exited, stdin, stdout, stderr } = handle;
      return { exited, stdin, stdout, stderr, signal: (number) => handle.signal(number) };
    }
  }
  throw new Failure("SHIM_FAILED", `perigee-shim ended with ${await handle.exited} before the command ran`);
}
