/**
 * The life of a pod: which directory it stands in (phase) and whether somebody holds its lock say its state. There is no state
 * file, so nothing can lie after a crash. spec/pod-lifecycle.md
 */

/** phase → state with the lock held, state with the lock free. */
export const phases = {
  embryo: { locked: "embryo", free: "embryo" },
  prepare: { locked: "preparing", free: "aborted prepare" },
  prepared: { locked: "prepared", free: "prepared" },
  run: { locked: "running", free: "exited" },
  "exited-garbage": { locked: "deleting", free: "exited garbage" },
  garbage: { locked: "deleting", free: "garbage" },
} as const;

export type Phase = keyof typeof phases;
export type PodState = (typeof phases)[Phase]["locked" | "free"];

/** In the order a pod moves through them; a reader that lists them in this order meets a pod that moves meanwhile again. */
export const phaseOrder: readonly Phase[] = ["embryo", "prepare", "prepared", "run", "exited-garbage", "garbage"];

/** The moves there are, each a rename with the lock held. */
const moves: Readonly<Record<Phase, readonly Phase[]>> = {
  embryo: ["prepare", "garbage"],
  prepare: ["prepared", "run", "garbage"],
  prepared: ["run", "garbage"],
  run: ["exited-garbage"],
  "exited-garbage": [],
  garbage: [],
};

export function canMove(from: Phase, to: Phase): boolean {
  return moves[from].includes(to);
}

export function stateOf(phase: Phase, isLocked: boolean): PodState {
  return isLocked ? phases[phase].locked : phases[phase].free;
}
