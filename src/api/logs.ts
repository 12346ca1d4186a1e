/** logs: what the apps of a pod printed, from its beginning or its end, and as it is printed. */
import { closeSync, constants, openSync, watch } from "node:fs";
import { join } from "node:path";
import { steadyNow } from "../base/clock.ts";
import { errnoOf, excerpt, Failure } from "../base/failure.ts";
import { closest } from "../base/suggest.ts";
import { AppLog } from "../pod/app-log.ts";
import type { LogStream } from "../pod/log-records.ts";
import { type FoundPod, findPod, noSuchPod, podsOf, resolvePod } from "../pod/pod.ts";
import { readAppExit, readPodRecord } from "../pod/record.ts";
import { type LogSource, mergeLines, type PodLogLine } from "./merge-lines.ts";
import type { Settings } from "./settings.ts";

export interface LogsOptions {
  /** A uuid, a unique prefix of it, or a name. */
  readonly pod: string;
  /** None: all. */
  readonly apps?: readonly string[] | undefined;
  /** Go on until the apps have ended, or `signal`. */
  readonly follow?: boolean | undefined;
  readonly since?: Date | undefined;
  readonly until?: Date | undefined;
  /** The last so many lines of each app. */
  readonly tail?: number | undefined;
  readonly stream?: LogStream | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface PodLogs {
  readonly uuid: string;
  /** Whose lines these are. */
  readonly apps: readonly string[];
  /**
   * Some lines at a time, by their times as far as they are known; their bytes are valid until the next are taken. Ends with the log, and with `follow` with the apps, or quietly
   * when `signal` says so. @throws Failure IO_FAILED
   */
  readonly lines: AsyncGenerator<readonly PodLogLine[], void, undefined>;
}

/** Milliseconds between two looks at whether an app has ended; an unfinished line is shown after one of them. */
const lookPeriod = 200;
/** How many looks at a silent log after the end of its app, whose children may have written on, make it the log's end. */
const silentLooks = 3;

/**
 * Finds the logs. Lines that could not be kept are told to the settings' log, as warnings.
 * @throws Failure NOT_FOUND, AMBIGUOUS, NOT_ROOT; USAGE for an app that is not in the pod; WRONG_STATE for a pod that has not run, or an app without a log
 */
export async function podLogs(settings: Settings, options: LogsOptions): Promise<PodLogs> {
  const root = podsOf(settings.directories.data);
  const pod = resolvePod(root, options.pod);
  requireHasRun(pod);
  const apps = chooseApps(pod, options.apps ?? []);
  // By descriptor: the pod may be moved while it is read.
  const descriptor = openDirectory(pod);
  const sources: OpenLog[] = [];
  try {
    for (const app of apps) sources.push({ app, log: openLog(settings, pod, descriptor, app, options) });
  } catch (error) {
    closeAll(sources, descriptor);
    throw error;
  }
  const { uuid } = pod;
  return { uuid, apps, lines: readAll({ root, uuid, descriptor, sources, options }) };
}

function requireHasRun(pod: FoundPod): void {
  if (pod.phase === "run" || pod.phase === "exited-garbage") return;
  throw new Failure("WRONG_STATE", `pod ${pod.uuid} has printed nothing: it is ${pod.state}`, {
    subject: pod.uuid,
    hint:
      pod.state === "prepared"
        ? `perigee run-prepared ${pod.uuid}`
        : "perigee list shows the pods that run or have run",
  });
}

function chooseApps(pod: FoundPod, wanted: readonly string[]): readonly string[] {
  const names = readPodRecord(pod.directory)?.apps.map(({ name }) => name);
  if (names === undefined) {
    throw new Failure("WRONG_STATE", `the record of pod ${pod.uuid} is damaged: its apps are not known`, {
      subject: pod.uuid,
      hint: `ls ${join(pod.directory, "logs")}`,
    });
  }
  for (const app of wanted) {
    if (names.includes(app)) continue;
    throw new Failure("USAGE", `pod ${pod.uuid} has no app ${excerpt(app)}`, {
      subject: app,
      cause: `its apps are ${names.join(", ")}`,
      hint: `perigee logs --app ${closest(app, names) ?? names[0]} ${pod.uuid}`,
    });
  }
  return wanted.length === 0 ? names : names.filter((name) => wanted.includes(name));
}

function openDirectory(pod: FoundPod): number {
  try {
    return openSync(pod.directory, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") throw noSuchPod(pod.uuid);
    throw new Failure("NOT_ROOT", `the logs of pod ${pod.uuid} are not yours to read`, {
      subject: pod.uuid,
      cause: error,
      hint: "sudo perigee …",
    });
  }
}

const logsOf = (descriptor: number): string => `/proc/self/fd/${descriptor}/logs`;

function openLog(settings: Settings, pod: FoundPod, descriptor: number, app: string, options: LogsOptions): AppLog {
  const { since, until, tail, stream } = options;
  const log = AppLog.open({
    directory: logsOf(descriptor),
    app,
    since: since && logTime(since),
    until: until && logTime(until),
    tail,
    stream,
    onLoss: ({ bytes }) =>
      settings.log.warn(
        bytes > 0
          ? `${app}: ${bytes} bytes are missing here: there was no room for them on the disk`
          : `${app}: lines are missing here: they were rotated away before they were read`,
      ),
  });
  if (log !== undefined) return log;
  throw new Failure("WRONG_STATE", `app ${app} of pod ${pod.uuid} has no log`, {
    subject: app,
    cause: "the output of an app with a terminal (--interactive) is not kept",
    hint: `perigee status ${pod.uuid}`,
  });
}

/** As the log writes it. */
function logTime(date: Date): string {
  return `${date.toISOString().slice(0, 23)}000000Z`;
}

function closeAll(sources: readonly LogSource[], descriptor: number): void {
  for (const { log } of sources) log.close();
  closeSync(descriptor);
}

interface OpenLog extends LogSource {
  readonly log: AppLog;
}

interface Reading {
  readonly root: string;
  readonly uuid: string;
  readonly descriptor: number;
  readonly sources: readonly OpenLog[];
  readonly options: LogsOptions;
}

async function* readAll(reading: Reading): PodLogs["lines"] {
  const { sources, descriptor, options } = reading;
  const signal = options.signal ?? new AbortController().signal;
  try {
    if (options.follow === true) {
      yield* follow(reading, signal);
    } else {
      endAll(sources);
      yield* allThere(sources, signal);
      if (!signal.aborted) yield flush(sources);
    }
  } finally {
    closeAll(sources, descriptor);
  }
}

function endAll(sources: readonly OpenLog[]): void {
  for (const { log } of sources) log.end();
}

/** Reading waits for nothing, so that signals would not be heard in between. */
async function* allThere(sources: readonly LogSource[], signal: AbortSignal): PodLogs["lines"] {
  for (const lines of mergeLines(sources)) {
    if (signal.aborted) return;
    yield lines;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function flush(sources: readonly LogSource[]): readonly PodLogLine[] {
  return sources.flatMap(({ app, log }) => log.flush().map((line) => ({ ...line, app })));
}

/**
 * Each round looks first whether an app has ended, and reads then: what it printed before its end is shown. A round ends only when all has been
 * read, which an app that writes on can put off for ever: when the time is over, that is noticed between two blocks, too.
 */
async function* follow(reading: Reading, signal: AbortSignal): PodLogs["lines"] {
  const { sources, descriptor, options } = reading;
  const changes = watchLogs(logsOf(descriptor));
  const silent = new Map(sources.map(({ app }) => [app, 0]));
  let isLast = false;
  const noteTime = (): void => {
    if (isLast || !isPast(options.until)) return;
    isLast = true;
    endAll(sources);
  };
  try {
    for (let lastLook = Number.NEGATIVE_INFINITY; !signal.aborted; ) {
      const isLooking = steadyNow() - lastLook >= lookPeriod;
      if (isLooking) lastLook = steadyNow();
      const isOver = isLooking && hasEnded(reading);
      noteTime();
      const heard = new Set<string>();
      for await (const lines of allThere(sources, signal)) {
        for (const { app } of lines) heard.add(app);
        yield lines;
        noteTime();
      }
      if (isOver || isLast || signal.aborted) break;
      if (isLooking) {
        yield flush(sources.filter(({ app }) => !heard.has(app)));
        noteSilence(reading, silent, heard);
        if ([...silent.values()].every((looks) => looks >= silentLooks)) break;
      }
      await changes.next(lookPeriod, signal);
    }
    if (!signal.aborted) yield flush(sources);
  } finally {
    changes.close();
  }
}

/** Of the pod: the supervisor gives up its lock when everything is in the logs. */
function hasEnded({ root, uuid }: Reading): boolean {
  return findPod(root, uuid)?.state !== "running";
}

function isPast(until: Date | undefined): boolean {
  return until !== undefined && until.getTime() < Date.now();
}

function noteSilence({ descriptor, sources }: Reading, silent: Map<string, number>, heard: ReadonlySet<string>): void {
  for (const { app } of sources) {
    const isOver = !heard.has(app) && readAppExit(`/proc/self/fd/${descriptor}`, app) !== undefined;
    silent.set(app, isOver ? (silent.get(app) ?? 0) + 1 : 0);
  }
}

interface Changes {
  /** Resolves when something was written, or after so many milliseconds, or when `signal` says so. */
  next(milliseconds: number, signal: AbortSignal): Promise<void>;
  close(): void;
}

/** By inotify; without it (there are only so many) by the clock alone. */
function watchLogs(directory: string): Changes {
  let wake = (): void => {};
  let hasChanged = false;
  const changed = (): void => {
    hasChanged = true;
    wake();
  };
  let watcher: ReturnType<typeof watch> | undefined;
  try {
    watcher = watch(directory, changed);
    watcher.on("error", () => watcher?.close());
  } catch {
    watcher = undefined;
  }
  return {
    next: (milliseconds, signal) =>
      new Promise((resolve) => {
        const end = (): void => {
          clearTimeout(timer);
          signal.removeEventListener("abort", end);
          wake = () => {};
          hasChanged = false;
          resolve();
        };
        const timer = setTimeout(end, milliseconds);
        signal.addEventListener("abort", end);
        wake = end;
        if (hasChanged || signal.aborted) end();
      }),
    close: () => watcher?.close(),
  };
}
