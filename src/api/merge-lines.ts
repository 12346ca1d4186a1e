/** Lines of several logs in the order of their times, of as much as is there now; holds some lines of each, whatever their sizes. */
import type { AppLog } from "../pod/app-log.ts";
import type { LogLine } from "../pod/log-lines.ts";

export interface PodLogLine extends LogLine {
  readonly app: string;
}

export interface LogSource {
  readonly app: string;
  readonly log: Pick<AppLog, "next" | "flush" | "close">;
}

/** Lines given out together. */
const mostLines = 1024;

/** Until every source has none for the moment. What is given out is valid until the next. @throws what a source throws */
export function* mergeLines(sources: readonly LogSource[]): Generator<readonly PodLogLine[], void, undefined> {
  const [only, ...others] = sources;
  if (only !== undefined && others.length === 0) {
    for (let lines = only.log.next(); lines !== undefined; lines = only.log.next()) yield of(only.app, lines);
    return;
  }
  const queues = sources.map((source) => new Queue(source));
  for (;;) {
    const lines: PodLogLine[] = [];
    for (let queue = earliest(queues); queue !== undefined; queue = earliest(queues)) {
      lines.push(queue.take());
      // The bytes of this queue's lines go with its next: they are given out before.
      if (queue.isEmpty || lines.length === mostLines) break;
    }
    if (lines.length === 0) return;
    yield lines;
  }
}

function of(app: string, lines: readonly LogLine[]): readonly PodLogLine[] {
  return lines.map((line) => ({ ...line, app }));
}

function earliest(queues: readonly Queue[]): Queue | undefined {
  let found: Queue | undefined;
  for (const queue of queues) {
    if (queue.time !== undefined && (found?.time === undefined || queue.time < found.time)) found = queue;
  }
  return found;
}

class Queue {
  readonly #source: LogSource;
  #lines: readonly LogLine[] = [];
  #index = 0;
  #isDry = false;

  constructor(source: LogSource) {
    this.#source = source;
  }

  /** Of the next line; undefined when there is none. */
  get time(): string | undefined {
    while (this.isEmpty && !this.#isDry) {
      const lines = this.#source.log.next();
      this.#isDry = lines === undefined;
      this.#lines = lines ?? [];
      this.#index = 0;
    }
    return this.#lines[this.#index]?.time;
  }

  get isEmpty(): boolean {
    return this.#index >= this.#lines.length;
  }

  take(): PodLogLine {
    const line = this.#lines[this.#index++];
    if (line === undefined) throw new RangeError("the queue is empty");
    return { ...line, app: this.#source.app };
  }
}
