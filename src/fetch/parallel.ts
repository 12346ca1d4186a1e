/** Several jobs at once, few at a time, so that servers, memory and open files are not overrun. Knows nothing of what they do. */

/** Downloads at once. */
export const atOnce = 4;

export interface Started<R> {
  /** In the order of the items; each may be waited for, or not. */
  readonly results: readonly Promise<R>[];
  /** Stops by their signal what is under way; gives, once nothing is any more, what had succeeded. */
  stop(): Promise<readonly R[]>;
}

/** Starts `job` for the first few items, and for the next whenever one has ended. */
export function startAll<T, R>(
  items: readonly T[],
  job: (item: T, signal: AbortSignal) => Promise<R>,
  signal?: AbortSignal,
): Started<R> {
  const stopper = new AbortController();
  const either = signal === undefined ? stopper.signal : AbortSignal.any([signal, stopper.signal]);
  const results: Promise<R>[] = [];
  for (const [index, item] of items.entries()) {
    const before = results[index - atOnce];
    // One of those before it must have ended: not always the first to end, but never more than that many are under way.
    const turn = before === undefined ? Promise.resolve() : before.then(nothing, nothing);
    const result = turn.then(() => job(item, either));
    result.catch(nothing); // whoever waits for it meets it
    results.push(result);
  }
  const stop = async (): Promise<readonly R[]> => {
    stopper.abort();
    const settled = await Promise.allSettled(results);
    return settled.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
  };
  return { results, stop };
}

function nothing(): void {}
