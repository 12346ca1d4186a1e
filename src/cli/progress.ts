/**
 * Progress of all that is under way, as text: lines that are redrawn, one for each job and one for all, or now and then a line that
 * stays. Decides what is shown and when; writes nothing.
 */
import { printable } from "../base/failure.ts";
import type { Progress } from "../base/log.ts";
import { humanSize } from "./tables.ts";

/** `overwrite` for a terminal, `lines` for everything else, `none` when lines would be in the way (JSON, --quiet). */
export type ProgressMode = "overwrite" | "lines" | "none";

/** Jobs that end sooner are not worth a line. Milliseconds. */
export const quietPeriod = 1000;
/** Ten times a second at most. */
const interval = 100;
/** Between two lines that stay. */
const lineInterval = 5000;
/** A line that wraps cannot be overwritten; the width is not asked for because that would mean touching the terminal. */
const width = 78;
/** Jobs with a line of their own: more could be higher than the terminal, and what has scrolled away cannot be overwritten. */
const maxLines = 6;

export interface ProgressView {
  /** What to write for this news; empty when nothing is due. */
  update(progress: Progress, now: number): string;
  /** What to write when time has passed without news, so that a stalled job is seen. */
  tick(now: number): string;
  /** What to write before anything else is written: takes overwritten lines away. */
  clear(): string;
  /** Whether a job is under way. */
  isActive(): boolean;
}

interface Job {
  readonly startedAt: number;
  readonly progress: Progress;
  readonly isAnnounced: boolean;
}

/** Jobs that ended since anything was last idle: they are part of what all come to. */
interface Ended {
  readonly since: number;
  readonly count: number;
  readonly done: number;
}

export function createProgress(mode: ProgressMode): ProgressView {
  const jobs = new Map<string, Job>();
  let ended: Ended = { since: 0, count: 0, done: 0 };
  let shownAt = Number.NEGATIVE_INFINITY;
  let shownLines = 0;

  const dueAt = (now: number) => [...jobs.values()].filter(({ startedAt }) => now - startedAt >= quietPeriod);
  const overwrite = (now: number): string => {
    const due = dueAt(now);
    if (now - shownAt < interval || due.length === 0) return "";
    const lines = due.slice(0, maxLines).map((job) => describe(job, now));
    if (due.length > 1 || ended.count > 0) lines.push(fitted("all", figuresOfAll(jobs, ended, now)));
    const text = `${clear()}${lines.join("\n")}`;
    shownAt = now;
    shownLines = lines.length;
    return text;
  };
  const stay = (now: number): string => {
    const due = dueAt(now);
    let text = "";
    for (const job of due.filter(({ isAnnounced }) => !isAnnounced)) {
      jobs.set(job.progress.task, { ...job, isAnnounced: true });
      text += `${printable(job.progress.task)} …\n`;
    }
    if (text !== "") shownAt = now;
    const [first] = due;
    if (first === undefined || now - shownAt < lineInterval) return text;
    shownAt = now;
    return due.length === 1 ? `${describe(first, now)}\n` : `${fitted("all", figuresOfAll(jobs, ended, now))}\n`;
  };
  const show = (now: number): string => (mode === "overwrite" ? overwrite(now) : stay(now));
  const clear = (): string => {
    const text = shownLines === 0 ? "" : erase(shownLines);
    shownLines = 0;
    shownAt = mode === "overwrite" ? Number.NEGATIVE_INFINITY : shownAt;
    return text;
  };
  const end = (progress: Progress, job: Job | undefined, now: number): string => {
    jobs.delete(progress.task);
    if (job === undefined) return "";
    const done = ended.done + (progress.done ?? 0);
    ended = jobs.size === 0 ? { since: now, count: 0, done: 0 } : { ...ended, count: ended.count + 1, done };
    if (mode === "overwrite") return jobs.size === 0 ? clear() : overwrite(now);
    if (!job.isAnnounced) return "";
    const how = progress.isBroken === true ? "broken off" : "done";
    const figures = [how, ...(progress.done === undefined ? [] : [amount(progress)]), seconds(now - job.startedAt)];
    return `${printable(progress.task)}: ${figures.join(", ")}\n`;
  };

  return {
    update: (progress, now) => {
      if (mode === "none") return "";
      const known = jobs.get(progress.task);
      if (progress.finished === true) return end(progress, known, now);
      if (jobs.size === 0) ended = { since: now, count: 0, done: 0 };
      jobs.set(progress.task, { startedAt: now, isAnnounced: false, ...known, progress });
      return show(now);
    },
    tick: (now) => (mode === "none" ? "" : show(now)),
    clear,
    isActive: () => jobs.size > 0,
  };
}

/** The cursor is behind the last of `lines`; afterwards it stands where the first began. */
function erase(lines: number): string {
  return lines === 1 ? "\r\u001b[K" : `\r\u001b[${lines - 1}A\u001b[J`;
}

function describe({ progress, startedAt }: Job, now: number): string {
  const { done } = progress;
  const elapsed = now - startedAt;
  return fitted(progress.task, done === undefined ? seconds(elapsed) : `${amount(progress)}  ${rate(done, elapsed)}`);
}

/** Of milliseconds. */
function seconds(elapsed: number): string {
  return `${(elapsed / 1000).toFixed(1)} s`;
}

/** What all jobs come to: also those that ended meanwhile, so that it never goes back. */
function figuresOfAll(jobs: ReadonlyMap<string, Job>, ended: Ended, now: number): string {
  const progresses = [...jobs.values()].map(({ progress }) => progress);
  const done = progresses.reduce((sum, one) => sum + (one.done ?? 0), ended.done);
  const isKnown = progresses.every(({ total }) => total !== undefined);
  const total = progresses.reduce((sum, one) => sum + (one.total ?? 0), ended.done);
  const count = `${jobs.size} under way, ${ended.count} done`;
  return `${count}  ${amount({ task: "", done, total: isKnown ? total : undefined })}  ${rate(done, now - ended.since)}`;
}

function amount({ done = 0, total }: Progress): string {
  if (total === undefined || total <= 0) return humanSize(done);
  return `${humanSize(done)} of ${humanSize(total)} (${Math.floor((done / total) * 100)}%)`;
}

function rate(done: number, elapsed: number): string {
  return `${humanSize((done / Math.max(elapsed, 1)) * 1000)}/s`;
}

/** One line that does not wrap: where it would, the middle of the name is left out, since the figures are the news. */
function fitted(name: string, figures: string): string {
  const points = [...printable(name)];
  const room = Math.max(width - [...figures].length - 2, 1);
  if (points.length <= room) return `${points.join("")}  ${figures}`;
  const head = Math.floor((room - 1) / 3);
  const tail = room - 1 - head;
  return `${points.slice(0, head).join("")}…${tail === 0 ? "" : points.slice(-tail).join("")}  ${figures}`;
}
