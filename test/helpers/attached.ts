/** Pods in the background and those who are attached to their apps, for tests of the shim. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, constants, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import type { AppPlan } from "../../src/shim/plan.ts";
import { Running } from "./program.ts";
import { guest, makePod, type PodDirectory, type RunningShim, type Scratch, shim, startPod } from "./shim-pod.ts";

export interface Attachable {
  readonly pod: PodDirectory;
  readonly running: RunningShim;
}

const log = { path: "main/log", bytes: 65536, files: 1 };

/**
 * A pod in the background that one can be attached to; stopped when `use` is done, if it did not end. It is ready, and if its app waits,
 * that has seen to its signals and the supervisor has heard so: nobody who is attached later sees it.
 */
export async function inPod(
  scratch: Scratch,
  command: readonly string[],
  app: Partial<AppPlan>,
  use: (attachable: Attachable) => Promise<void>,
): Promise<void> {
  const waits = command.includes("wait");
  const pod = await makePod(scratch, {
    command: ["/guest", ...command],
    app: waits && app.terminal !== true ? { log, ...app } : app,
    plan: { foreground: false, attachable: true },
  });
  const running = await startPod(pod);
  await running.event("ready");
  try {
    if (waits && app.terminal === true) await untilAsleep(Number((await running.event("app-started"))["pid"]));
    else if (waits) await untilLogged(pod, "main/log", "waiting");
    await use({ pod, running });
  } finally {
    running.child.kill("SIGTERM");
    await running.ended;
  }
}

/** A client in the words of the protocol, from the host. */
export function raw({ pod }: Attachable, ...words: readonly string[]): Running {
  return new Running(spawn(guest, ["client", join(pod.path, "attach"), ...words], { stdio: "pipe" }));
}

export async function rawText(attachable: Attachable, ...words: readonly string[]): Promise<string> {
  const client = raw(attachable, ...words);
  await client.ended;
  return client.stdout;
}

export interface Client extends Running {
  /** When the app's output is seen. */
  readonly attached: Promise<void>;
}

/** The shim's own client. */
export function attach({ pod }: Attachable, ...words: readonly string[]): Client {
  const directory = openSync(pod.path, constants.O_RDONLY | constants.O_DIRECTORY);
  const child: ChildProcess = spawn(shim, ["attach", "3", "main", "--events", "4", ...words], {
    env: {},
    stdio: ["pipe", "pipe", "pipe", directory, "pipe"],
  });
  closeSync(directory);
  let events = "";
  const attached = new Promise<void>((resolve, reject) => {
    (child.stdio[4] as Readable).on("data", (bytes: Buffer) => {
      events += bytes.toString("latin1");
      if (events.includes('"attached"')) resolve();
    });
    child.once("close", () => reject(new Error(`ended before it was attached: ${events}`)));
  });
  attached.catch(() => {});
  return Object.assign(new Running(child), { attached });
}

/** The shim's own client on a terminal of 91 columns and 33 rows, which SIGUSR1 makes 20 and 10 larger. */
export function onTerminal({ pod }: Attachable, ...words: readonly string[]): Running {
  const line = `exec 3<'${pod.path}'; exec '${shim}' attach 3 main --report text ${words.join(" ")}`;
  return new Running(spawn(guest, ["pty", "91", "33", "/bin/sh", "-c", line], { stdio: "pipe" }));
}

/** Once the app has answered, keys that the terminal would take for itself before get through. */
export async function isRaw(client: Running): Promise<void> {
  client.child.stdin?.write("typed\r");
  await client.until(/typed\r\n(.|\n)*typed\r\n/);
}

/** When this is in a log of a pod, given by its path there. */
export const untilLogged = ({ path }: PodDirectory, file: string, text: string): Promise<void> =>
  until(() => readFileSync(join(path, file), { encoding: "latin1", flag: "a+" }).includes(text));

/** What a terminal shows is not logged: a guest that waits sleeps once it has seen to its signals, and nowhere before. */
const untilAsleep = (pid: number): Promise<void> =>
  until(() => /^State:\tS/m.test(readFileSync(`/proc/${pid}/status`, "latin1")));

export async function until(look: () => boolean): Promise<void> {
  for (let attempt = 0; attempt < 3000; attempt++) {
    if (look()) return;
    await sleep(20);
  }
  assert.fail("it did not happen");
}

/** Everybody who is attached to a guest that waits sees this. */
export const showSignal = ({ running }: Attachable): boolean => running.child.kill("SIGUSR1");
