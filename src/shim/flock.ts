/**
 * Locks on files and directories that end with the process (flock). A lock belongs to the open file: a program that inherits `fd`
 * holds it too. Knows nothing of what the files mean.
 */
import { closeSync, constants, openSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Failure } from "../base/failure.ts";
import { ioFailure } from "../base/files.ts";
import { flock } from "./libc.ts";

export type LockMode = "shared" | "exclusive";

export interface OpenLockOptions {
  /** Stand still until it is free; the event loop too. Default: do not wait. */
  readonly wait?: boolean | undefined;
  /** Make an empty file (0600) where nothing is. */
  readonly create?: boolean | undefined;
}

export interface AcquireLockOptions {
  readonly create?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called once, when the lock is not free at once. */
  readonly onWait?: (() => void) | undefined;
}

/** Milliseconds between two tries of acquire: the first soon, then fewer. */
const firstPause = 5;
const longestPause = 100;

export class FileLock {
  readonly path: string;
  readonly fd: number;
  #released = false;

  private constructor(path: string, fd: number) {
    this.path = path;
    this.fd = fd;
  }

  /**
   * Opens and locks `path`, a directory or a file, never through a link. Undefined: it is not free and `wait` is not set.
   * @throws Failure NOT_FOUND, IO_FAILED
   */
  static open(path: string, mode: LockMode, options: OpenLockOptions = {}): FileLock | undefined {
    const lock = new FileLock(path, openForLock(path, options.create === true));
    try {
      if (flock(lock.fd, mode, options.wait === true)) return lock;
    } catch (error) {
      lock.release();
      throw error;
    }
    lock.release();
    return undefined;
  }

  /**
   * As open, but waits without holding up the event loop.
   * @throws Failure INTERRUPTED when `signal` ends the wait
   */
  static async acquire(path: string, mode: LockMode, options: AcquireLockOptions = {}): Promise<FileLock> {
    const lock = new FileLock(path, openForLock(path, options.create === true));
    try {
      for (let pause = 0; !flock(lock.fd, mode, false); pause = Math.min(pause * 2, longestPause)) {
        if (pause === 0) {
          options.onWait?.();
          pause = firstPause;
        }
        await interruptible(pause, path, options.signal);
      }
      return lock;
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  /** From shared to exclusive. False: others hold it. The kernel gives up the old lock first, so then this one holds nothing. */
  upgrade(): boolean {
    return flock(this.fd, "exclusive", false);
  }

  /** From exclusive to shared. Others may get in between: what was read before must be read again. */
  downgrade(): void {
    flock(this.fd, "shared", true);
  }

  /** Closes the descriptor. The lock is free once no process has it open any more. Twice is once. */
  release(): void {
    if (this.#released) return;
    this.#released = true;
    closeSync(this.fd);
  }
}

function openForLock(path: string, create: boolean): number {
  // O_NONBLOCK: a fifo planted in place of the file must not hang us.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | (create ? constants.O_CREAT : 0);
  try {
    return openSync(path, flags, 0o600);
  } catch (error) {
    throw ioFailure(error, `cannot open ${path} to lock it`, path);
  }
}

async function interruptible(pause: number, path: string, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(pause, undefined, { signal });
  } catch {
    throw new Failure("INTERRUPTED", `interrupted while waiting for ${path}`, { subject: path });
  }
}
