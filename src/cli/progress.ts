/** Progress as text: one line that is overwritten, or one line per change of state. Decides what is shown and when; writes nothing. */
import { printable } from "../base/failure.ts";
import type { Progress } from "../base/log.ts";
import { humanSize } from "./tables.ts";

/** `overwrite` for a terminal, `lines` for everything else, `none` when lines would be in the way (JSON). */
export type ProgressMode = "overwrite" | "lines" | "none";

/** Jobs that end sooner are not worth a line. Milliseconds. */
export const quietPeriod = 1000;
/** Ten times a second at most. */
const interval = 100;
/** A line that wraps cannot be overwritten; the width is not asked for because that would mean touching the terminal. */
const width = 78;

export interface ProgressView {
  /** What to write for this news; empty when nothing is due. */
  update(progress: Progress, now: number): string;
  /** What to write when time has passed without news, so that a stalled job is seen. */
  tick(now: number): string;
  /** What to write before anything else is written: takes an overwritten line away. */
  clear(): string;
  /** Whether a job is under way. */
  isActive(): boolean;
}

interface Job {
  readonly startedAt: number;
  readonly progress: Progress;
  readonly isAnnounced: boolean;
}

const eraseLine = "\r\u001b[K";

export function createProgress(mode: ProgressMode): ProgressView {
  const jobs = new Map<string, Job>();
  let shownAt = Number.NEGATIVE_INFINITY;
  let isLineShown = false;

  const overwrite = (now: number): string => {
    if (now - shownAt < interval) return "";
    const due = [...jobs.values()].filter(({ startedAt }) => now - startedAt >= quietPeriod);
    const job = due.at(-1);
    if (job === undefined) return "";
    shownAt = now;
    isLineShown = true;
    const others = due.length > 1 ? ` (and ${due.length - 1} more)` : "";
    return `${eraseLine}${cut(`${describe(job, now)}${others}`)}`;
  };
  const announce = (now: number): string => {
    let text = "";
    for (const [task, job] of jobs) {
      if (job.isAnnounced || now - job.startedAt < quietPeriod) continue;
      jobs.set(task, { ...job, isAnnounced: true });
      text += `${printable(task)} …\n`;
    }
    return text;
  };
  const show = (now: number): string => (mode === "overwrite" ? overwrite(now) : announce(now));
  const clear = (): string => {
    if (!isLineShown) return "";
    isLineShown = false;
    shownAt = Number.NEGATIVE_INFINITY;
    return eraseLine;
  };

  return {
    update: (progress, now) => {
      if (mode === "none") return "";
      const known = jobs.get(progress.task);
      const job = { startedAt: known?.startedAt ?? now, progress, isAnnounced: known?.isAnnounced ?? false };
      // Deleted first, so that the job with the latest news is the last of the map.
      jobs.delete(progress.task);
      if (progress.finished !== true) {
        jobs.set(progress.task, job);
        return show(now);
      }
      if (mode === "overwrite") return jobs.size === 0 ? clear() : overwrite(now);
      return job.isAnnounced ? `${printable(progress.task)}: done, ${amount(progress)}, ${seconds(job, now)} s\n` : "";
    },
    tick: (now) => (mode === "none" ? "" : show(now)),
    clear,
    isActive: () => jobs.size > 0,
  };
}

function describe(job: Job, now: number): string {
  const { progress } = job;
  const elapsed = Math.max(now - job.startedAt, 1);
  const rate = `${humanSize((progress.done / elapsed) * 1000)}/s`;
  return `${printable(progress.task)}  ${amount(progress)}  ${rate}`;
}

function amount({ done, total }: Progress): string {
  if (total === undefined || total <= 0) return humanSize(done);
  return `${humanSize(done)} of ${humanSize(total)} (${Math.floor((done / total) * 100)}%)`;
}

function seconds(job: Job, now: number): string {
  return ((now - job.startedAt) / 1000).toFixed(1);
}

function cut(line: string): string {
  const points = [...line];
  return points.length <= width ? line : `${points.slice(0, width - 1).join("")}…`;
}
