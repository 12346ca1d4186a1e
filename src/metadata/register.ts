/** A pod's way to the metadata service, which is started when nobody answers. Knows nothing of how pods are answered. */
import { closeSync, constants, openSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { steadyNow } from "../base/clock.ts";
import { errnoOf, Failure } from "../base/failure.ts";
import { ioFailure } from "../base/files.ts";
import { FileLock } from "../shim/flock.ts";
import { makeMetadataDirectory, socketPath } from "./places.ts";

/** A service that was started, and that may already have ended. */
export interface StartedService {
  /** What it said when it ended; undefined while it runs. */
  failure(): string | undefined;
}

export interface RegisterOptions {
  readonly data: string;
  readonly uuid: string;
  /** The pod has the host's network. */
  readonly isHost: boolean;
  readonly start: () => StartedService;
  readonly signal?: AbortSignal | undefined;
}

/** Milliseconds: between two tries, and until nobody is waited for any more. */
const [pause, patience] = [10, 20_000] as const;

/** The port of 127.0.0.1 where the pod's apps will be answered. @throws Failure TIMED_OUT, IO_FAILED, INTERRUPTED */
export async function registerPod(options: RegisterOptions): Promise<number> {
  const { data, signal, start } = options;
  const directory = makeMetadataDirectory(data);
  const port = await ask(directory, options);
  if (port !== undefined) return port;
  // One starts it; whoever waited meanwhile finds it.
  const lock = await FileLock.acquire(join(directory, "start"), "exclusive", { create: true, signal });
  try {
    let started: StartedService | undefined;
    for (const end = steadyNow() + patience; steadyNow() < end; await sleep(pause)) {
      if (signal?.aborted === true) throw new Failure("INTERRUPTED", "interrupted");
      const answered = await ask(directory, options);
      if (answered !== undefined) return answered;
      started ??= start();
      const failure = started.failure();
      if (failure !== undefined) throw unavailable(directory, failure);
    }
    throw unavailable(directory, `nobody answered for ${patience / 1000} s`);
  } finally {
    lock.release();
  }
}

function unavailable(directory: string, cause: string): Failure {
  return new Failure("TIMED_OUT", "the metadata service cannot be started", {
    subject: directory,
    cause,
    hint: "perigee metadata-service, to see what it says",
  });
}

/** Undefined: nobody is there, or was about to end. @throws Failure IO_FAILED for what the service says */
async function ask(directory: string, { uuid, isHost }: RegisterOptions): Promise<number | undefined> {
  const line = `${isHost ? "host" : "own"} ${uuid}\n`;
  const descriptor = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  let text: string | undefined;
  try {
    text = await exchange(socketPath(descriptor), line);
  } finally {
    closeSync(descriptor);
  }
  if (text === undefined) return undefined;
  const answer: { readonly port?: unknown; readonly error?: unknown } = JSON.parse(text);
  if (typeof answer.port === "number") return answer.port;
  throw new Failure("IO_FAILED", `the metadata service does not take the pod`, { cause: String(answer.error) });
}

async function exchange(path: string, line: string): Promise<string | undefined> {
  return await new Promise((resolve, reject) => {
    let answer = "";
    const socket = connect(path, () => socket.write(line));
    socket.setTimeout(patience, () => socket.destroy());
    socket.setEncoding("latin1").on("data", (part: string) => {
      answer += part;
    });
    socket.on("error", (error) => {
      const isAbsent = ["ENOENT", "ECONNREFUSED", "ECONNRESET", "EPIPE"].includes(errnoOf(error) ?? "");
      if (isAbsent) resolve(undefined);
      else reject(ioFailure(error, "cannot reach the metadata service", path));
    });
    socket.on("close", () => resolve(answer.endsWith("\n") ? answer : undefined));
  });
}
