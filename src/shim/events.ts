/** Events of a running pod: lines of the shim, parsed strictly, since they are all that stage0 learns. Knows nothing of files or processes. */
import { Failure, printable } from "../base/failure.ts";
import { bytesToText } from "./child.ts";

export type ShimEvent =
  /** All apps are executed, and those with a socket for it have said that they are ready; `pid` is init's on the host. */
  | { readonly event: "ready"; readonly pid: number }
  | { readonly event: "app-started"; readonly app: string; readonly pid: number }
  | { readonly event: "app-ready"; readonly app: string }
  | { readonly event: "app-exited"; readonly app: string; readonly status: number }
  /** An event handler of an app. A pre-start handler that did not end with 0 is followed by `failed`. */
  | {
      readonly event: "handler-exited";
      readonly app: string;
      readonly handler: "pre-start" | "post-stop";
      readonly status: number;
    }
  /** Of `attach`: what the app writes is seen from here on. */
  | { readonly event: "attached"; readonly app: string }
  | FailedEvent
  /** The pod has ended and is cleared up; `status` is the shim's exit status. */
  | { readonly event: "exited"; readonly status: number };

export interface FailedEvent {
  readonly event: "failed";
  /** What was being done: a word of the shim. */
  readonly step: string;
  /** What it was done to: foreign text. */
  readonly subject: string;
  /** `ENOENT`, or empty. */
  readonly errno: string;
  readonly message: string;
}

/**
 * One line of the shim, without its end.
 * @throws Failure SHIM_FAILED for anything that is not exactly an event of spec/shim.md
 */
export function parseEvent(line: string): ShimEvent {
  const fields = fieldsOf(line);
  const event = typed(fields);
  if (event === undefined || Object.keys(event).length !== fields.size) {
    throw new Failure("SHIM_FAILED", `perigee-shim said what is no event: ${printable(line.slice(0, 200))}`);
  }
  return event;
}

/** Splits bytes into lines and those into events; a last line without an end is no event, since the shim writes lines whole. */
export async function* parseEvents(source: AsyncIterable<Uint8Array>): AsyncGenerator<ShimEvent> {
  let rest = "";
  for await (const bytes of source) {
    const lines = (rest + Buffer.from(bytes).toString("latin1")).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) yield parseEvent(line);
  }
}

interface Words {
  readonly notExecutable: string;
  readonly notFound: string;
  readonly failed: string;
  readonly tryExecutable: string;
  readonly tryFound: string;
  readonly tryFailed: string;
}

const ofRun: Words = {
  notExecutable: "the app's program cannot be executed",
  notFound: "the app's program is not in the image",
  failed: "the pod could not be run",
  tryExecutable: "make it executable in the image, or name another program with --exec",
  tryFound: "name a program that is in the image with --exec",
  tryFailed: "perigee plan shows every step that is attempted",
};

const ofEnter: Words = {
  notExecutable: "the command cannot be executed",
  notFound: "the command is not in the app",
  failed: "the app could not be entered",
  tryExecutable: "name a program that the app has",
  tryFound: "name a program that the app has",
  tryFailed: "perigee status shows what of the pod runs",
};

/**
 * What a `failed` event is for the user; `status` is the shim's exit status: 126 and 127 tell of the program, all others of the pod.
 * The shim prints the same words when nobody else is left to do it (native/events.c).
 */
export function failureOf(event: FailedEvent, status: number, verb: "run" | "enter" | "attach" = "run"): Failure {
  const words = verb === "run" ? ofRun : ofEnter;
  const subject = printable(event.subject);
  const details = {
    subject: event.subject,
    cause: event.errno === "" ? event.message : `${event.errno}: ${event.message}`,
  };
  if (verb === "attach") {
    return new Failure("SHIM_FAILED", "one cannot be attached to the app, or not any more", {
      ...details,
      hint: ofEnter.tryFailed,
    });
  }
  if (status === 126) {
    return new Failure("NOT_EXECUTABLE", `${words.notExecutable}: ${subject}`, {
      ...details,
      hint: words.tryExecutable,
    });
  }
  if (status === 127) {
    return new Failure("EXEC_NOT_FOUND", `${words.notFound}: ${subject}`, { ...details, hint: words.tryFound });
  }
  if (event.step === "pre-start") {
    return new Failure("SHIM_FAILED", `the pre-start handler failed, so the app was not started: ${subject}`, {
      ...details,
      hint: "the handler's own output says why; the app starts when it ends with 0",
    });
  }
  if (event.step === "cwd") {
    return new Failure("SHIM_FAILED", `the app's working directory cannot be entered: ${subject}`, {
      ...details,
      hint:
        verb === "run"
          ? "name a directory of the image that the app's user may enter with --working-dir"
          : words.tryFailed,
    });
  }
  return new Failure("SHIM_FAILED", `${words.failed}: ${[event.step, subject].join(" ").trim()}`, {
    ...details,
    hint: event.errno === "EMFILE" ? moreFiles : words.tryFailed,
  });
}

const moreFiles = "ulimit -n 1024, and run it again";

function fieldsOf(line: string): ReadonlyMap<string, unknown> {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return new Map(Object.entries(value));
  } catch {
    // said by the caller, with the line
  }
  return new Map();
}

function typed(fields: ReadonlyMap<string, unknown>): ShimEvent | undefined {
  const event = fields.get("event");
  const [app, pid, status] = [fields.get("app"), fields.get("pid"), fields.get("status")];
  if (event === "ready" && isNumber(pid)) return { event, pid };
  if (event === "app-started" && typeof app === "string" && isNumber(pid)) return { event, app: bytesToText(app), pid };
  if (event === "attached" && typeof app === "string") return { event, app: bytesToText(app) };
  if (event === "app-ready" && typeof app === "string") return { event, app: bytesToText(app) };
  if (event === "app-exited" && typeof app === "string" && isNumber(status)) {
    return { event, app: bytesToText(app), status };
  }
  const handler = fields.get("handler");
  if (event === "handler-exited" && typeof app === "string" && isNumber(status)) {
    const isKnown = handler === "pre-start" || handler === "post-stop";
    return isKnown ? { event, app: bytesToText(app), handler, status } : undefined;
  }
  if (event === "exited" && isNumber(status)) return { event, status };
  return event === "failed" ? failed(fields) : undefined;
}

function failed(fields: ReadonlyMap<string, unknown>): FailedEvent | undefined {
  const [step, subject, errno, message] = ["step", "subject", "errno", "message"].map((name) => fields.get(name));
  if (typeof step !== "string" || typeof subject !== "string") return undefined;
  if (typeof errno !== "string" || typeof message !== "string") return undefined;
  return { event: "failed", step, subject: bytesToText(subject), errno, message: bytesToText(message) };
}

function isNumber(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}
