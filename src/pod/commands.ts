/** What an app runs, and where: its program, its handlers, its working directory. Pure. */
import { Failure, printable } from "../base/failure.ts";
import type { App } from "../schema/app.ts";
import type { PodApp } from "../schema/pod-manifest.ts";
import { cleanPath, isAtOrBelow } from "./paths.ts";

/** @throws Failure MANIFEST_INVALID for an app without a command */
export function commandOf({ name, app }: PodApp): readonly string[] {
  const command = app?.exec ?? [];
  if (command[0] !== undefined && command[0] !== "") return command;
  throw new Failure("MANIFEST_INVALID", `${name} has no command`, {
    subject: name,
    cause: "the image's app has an empty exec",
    hint: "pass --exec PROGRAM",
  });
}

/** ACI-36, ACI-37. A handler whose first word is empty names no program. */
export function handlerOf(app: App, event: App["eventHandlers"][number]["name"]): readonly string[] {
  const exec = app.eventHandlers.find(({ name }) => name === event)?.exec ?? [];
  if (exec.length === 0 || exec[0] !== "") return exec;
  throw new Failure("MANIFEST_INVALID", `the ${event} handler has no program`, { subject: event });
}

/** ACI-38, ACE-20. The links of /proc lead anywhere, also out of the root (T-R02); the shim checks where it really came to. */
export function workingDirectory({ name, app }: PodApp): string {
  const directory = cleanPath(app?.workingDirectory ?? "/");
  if (!isAtOrBelow(directory, "/proc")) return directory;
  throw new Failure("MANIFEST_INVALID", `${name}: working directory ${printable(directory)} is in /proc`, {
    subject: directory,
  });
}
