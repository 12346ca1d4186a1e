/** Runs the command of a `run` step, or a shell, in a pod of its own to its end. Knows nothing of layers or keys. */
import { closeSync, constants, openSync, writeSync } from "node:fs";
import { Failure } from "../base/failure.ts";
import { ioFailure } from "../base/files.ts";
import { failureOf } from "../shim/events.ts";
import { type RunHandle, spawnRun } from "../shim/run.ts";
import { type CommandRequest, makeStepPod, type StepPod } from "./pod-of-step.ts";

/** A command that floods its output costs at most this much disk. */
const logLimit = 32 * 1024 * 1024;
/** Of what it said last. */
const tailBytes = 16 * 1024;
const tailLines = 20;
/** What a command that was asked to end is given, in milliseconds. */
const patience = 5000;

export interface CommandResult {
  readonly status: number;
  readonly lastLines: readonly string[];
  /** Whole seconds, not after the command's first write. */
  readonly startedAt: number;
}

/**
 * Starts the command in a pod of its own and waits; `use` then gets the result while the pod's directory is still there and locked.
 * Afterwards nothing of the pod is left. @throws Failure EXEC_NOT_FOUND, NOT_EXECUTABLE, SHIM_FAILED, INTERRUPTED; as makeStepPod
 */
export async function runCommand<T>(
  request: CommandRequest,
  logFile: string,
  use: (result: CommandResult, pod: StepPod) => Promise<T>,
): Promise<T> {
  return await withPod(request, async (pod) => await use(await execute(request, pod, logFile), pod));
}

/**
 * As runCommand, with this process's standard descriptors, of which nothing is kept.
 * @returns the status @throws Failure as runCommand
 */
export async function runInteractive(request: CommandRequest): Promise<number> {
  return await withPod(request, async ({ start }) => {
    const handle = spawnRun({ ...start, stdio: ["inherit", "inherit", "inherit"], withCaller: true });
    return await untilEnded(handle, request.signal);
  });
}

async function withPod<T>(request: CommandRequest, use: (pod: StepPod) => Promise<T>): Promise<T> {
  const pod = await makeStepPod(request);
  try {
    return await use(pod);
  } finally {
    await pod.discard().catch((error: unknown) => request.log.warn(`left for perigee gc: ${String(error)}`));
  }
}

async function execute({ signal, log }: CommandRequest, { start }: StepPod, logFile: string): Promise<CommandResult> {
  // The clock of file systems may be a tick behind ours.
  const startedAt = Math.floor(Date.now() / 1000) - 1;
  const output = openLog(logFile);
  try {
    const handle = spawnRun({ ...start, stdio: ["ignore", "pipe", "pipe"], withCaller: true });
    const reading = Promise.all([handle.stdout, handle.stderr].map((stream) => drain(stream, output.add)));
    reading.catch(() => {}); // thrown below, once the command has ended
    const status = await untilEnded(handle, signal);
    await reading;
    for (const line of output.lastLines()) log.debug(line);
    return { status, lastLines: output.lastLines(), startedAt };
  } finally {
    output.close();
  }
}

/** Its status; it is asked to end when we are. @throws Failure INTERRUPTED, and why it did not start */
async function untilEnded(handle: RunHandle, signal: AbortSignal | undefined): Promise<number> {
  const stop = (): void => endSoon(handle);
  signal?.addEventListener("abort", stop, { once: true });
  if (signal?.aborted === true) stop();
  try {
    await untilReady(handle);
    const status = await handle.exited;
    if (signal?.aborted === true) throw new Failure("INTERRUPTED", "interrupted", { cause: signal.reason });
    return status;
  } finally {
    signal?.removeEventListener("abort", stop);
  }
}

function endSoon(handle: RunHandle): void {
  handle.signal(15);
  const timer = setTimeout(() => handle.signal(9), patience);
  void handle.exited.then(
    () => clearTimeout(timer),
    () => clearTimeout(timer),
  );
}

async function untilReady(handle: RunHandle): Promise<void> {
  for await (const event of handle.events) {
    if (event.event === "ready") return;
    if (event.event === "failed") throw failureOf(event, await handle.exited);
  }
  throw new Failure("SHIM_FAILED", `perigee-shim ended with ${await handle.exited} before the command ran`);
}

async function drain(stream: NodeJS.ReadableStream | null, add: (chunk: Buffer) => void): Promise<void> {
  if (stream === null) return;
  for await (const chunk of stream) add(Buffer.from(chunk as Uint8Array));
}

function openLog(path: string) {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW;
  const descriptor = open(path, flags);
  let written = 0;
  let tail = Buffer.alloc(0);
  const add = (chunk: Buffer): void => {
    tail = Buffer.from(Buffer.concat([tail, chunk]).subarray(-tailBytes));
    const kept = chunk.subarray(0, Math.max(0, logLimit - written));
    for (let at = 0; at < kept.length; ) at += writeSync(descriptor, kept, at);
    written += kept.length;
  };
  const lastLines = (): readonly string[] => {
    const lines = tail.toString("utf8").trimEnd().split("\n");
    return lines.length === 1 && lines[0] === "" ? [] : lines.slice(-tailLines);
  };
  return { add, lastLines, close: () => closeSync(descriptor) };
}

function open(path: string, flags: number): number {
  try {
    return openSync(path, flags, 0o600);
  } catch (error) {
    throw ioFailure(error, `cannot write ${path}`, path);
  }
}
