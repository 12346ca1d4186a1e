/** Where lower folders say what they are doing. They never write to a stream themselves; cli/output.ts decides what is shown. */

export interface Progress {
  /** What is being done, stable for one job: `fetching example.com/web`. */
  readonly task: string;
  /** Bytes (or items) done so far. */
  readonly done: number;
  /** Total if known. */
  readonly total?: number | undefined;
  readonly finished?: boolean | undefined;
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
