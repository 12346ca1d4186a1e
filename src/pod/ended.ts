/** A pod that has ended, kept as it is while somebody reads its files. */
import { existsSync } from "node:fs";
import { Failure } from "../base/failure.ts";
import { FileLock } from "../shim/flock.ts";
import { type FoundPod, findPod, noSuchPod } from "./pod.ts";
import { isAlive, readInit } from "./record.ts";

export interface EndedPod {
  readonly directory: string;
  /** Until then neither gc nor rm moves or removes it. */
  release(): void;
}

/** Looks at a pod that moves on: it has two phases left at most. */
const looks = 3;

/**
 * Holds the lock shared, so that to everybody else the pod still has ended. A free lock does not mean that it is dead (LIFE-15), so its init
 * must be, too. @throws Failure WRONG_STATE with the state of one that has not ended, LOCKED, NOT_FOUND
 */
export function holdEnded(root: string, { uuid }: Pick<FoundPod, "uuid">): EndedPod {
  for (let look = 0; look < looks; look++) {
    const found = findPod(root, uuid);
    if (found === undefined) throw noSuchPod(uuid);
    const { directory, state } = found;
    if (state !== "exited" && state !== "exited garbage") throw notEnded(uuid, `is ${state}`);
    const init = readInit(directory);
    if (init !== undefined && isAlive(init)) throw notEnded(uuid, "has lost its supervisor and still runs");
    const lock = FileLock.open(directory, "shared", { wait: false });
    if (lock !== undefined && existsSync(directory)) return { directory, release: () => lock.release() };
    lock?.release();
  }
  throw new Failure("LOCKED", `pod ${uuid} is being used by another process`, {
    subject: uuid,
    hint: "try again later",
  });
}

function notEnded(uuid: string, what: string): Failure {
  return new Failure("WRONG_STATE", `pod ${uuid} ${what}`, {
    subject: uuid,
    cause: "only of a pod that has ended the files stay as they are",
    hint: `perigee stop ${uuid}`,
  });
}
