/** Where lower folders say what they are doing. They never write to a stream themselves; cli/output.ts decides what is shown. */

export interface Progress {
  /** What is being done, stable for one job: `fetching example.com/web`. */
  readonly task: string;
  /** Bytes done so far; absent for work that is not counted. */
  readonly done?: number | undefined;
  /** Total if known. */
  readonly total?: number | undefined;
  readonly finished?: boolean | undefined;
  /** With `finished`: it ended without success, which is told elsewhere. */
  readonly isBroken?: boolean | undefined;
}

export interface Log {
  debug(message: string): void;
  info(message: string): void;
  warn(message: string): void;
  progress(progress: Progress): void;
}

/** Says nothing: the default of every library call. */
export const silentLog: Log = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  progress: () => {},
};

/** Tells how far a job is, or only that it has begun; the total if it is known. */
export type Tell = (done?: number, total?: number) => void;

/** Runs `job`, whose progress is over however it ends: what failed must not be shown as under way for ever. */
export async function withProgress<T>(log: Log, task: string, job: (tell: Tell) => Promise<T>): Promise<T> {
  let last: Progress = { task };
  let isBroken = true;
  try {
    const result = await job((done, total) => {
      last = { task, done, total };
      log.progress(last);
    });
    isBroken = false;
    return result;
  } finally {
    log.progress({ ...last, finished: true, isBroken });
  }
}
