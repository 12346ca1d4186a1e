/** events: what happened to the pods that are there, and what happens to them from now on. */
import { steadyNow } from "../base/clock.ts";
import { Failure } from "../base/failure.ts";
import { PodFollower } from "../pod/follow.ts";
import type { PodEvent } from "../pod/history.ts";
import { podsOf } from "../pod/pod.ts";
import type { Settings } from "./settings.ts";
import { Bell, pause } from "./waiting.ts";

export type { PodEvent } from "../pod/history.ts";

export interface EventsOptions {
  /** Goes on until `signal` says to stop. */
  readonly follow?: boolean | undefined;
  /** Only what happened since; an event without a time counts as now. */
  readonly since?: Date | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Milliseconds: between two looks at everything, the same without a watch, when the end of a pod is expected, and how long changes are gathered. */
const pauses = { look: 2000, blind: 500, soon: 50, gather: 20 } as const;

/**
 * Calls `tell` for each event, in order. @throws Failure INTERRUPTED at the end of `follow`; IO_FAILED; NOT_ROOT for a data directory that
 * is somebody else's
 */
export async function podEvents(
  settings: Settings,
  options: EventsOptions,
  tell: (event: PodEvent) => void,
): Promise<void> {
  const { follow = false, signal } = options;
  const since = options.since?.toISOString() ?? "";
  const bell = new Bell();
  const follower = new PodFollower(podsOf(settings.directories.data), () => bell.ring());
  try {
    for (let next = 0; ; ) {
      const isDue = steadyNow() >= next;
      for (const event of follower.look(isDue)) if ((event.time ?? "~") >= since) tell(event);
      if (isDue) next = steadyNow() + pauses.look;
      if (!follow) return;
      if (signal?.aborted === true) throw new Failure("INTERRUPTED", "interrupted");
      const { isExpecting, isBlind } = follower;
      await bell.wait(isExpecting ? pauses.soon : isBlind ? pauses.blind : pauses.look, signal);
      await pause(pauses.gather, signal);
    }
  } finally {
    follower.close();
  }
}
