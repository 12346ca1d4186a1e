/** What builders that were killed, and shells of --shell-at, left in the list of pods. */
import { join } from "node:path";
import type { Log } from "../base/log.ts";
import { discardPod } from "../pod/gc.ts";
import type { Phase } from "../pod/phases.ts";
import { openPods, Pod, uuidsIn } from "../pod/pod.ts";
import { readPodRecord } from "../pod/record.ts";

const phases: readonly Phase[] = ["prepare", "run", "exited-garbage", "garbage"];

/** Removes the pods of steps that nobody holds any more, with what they wrote (RECIPE-53). One that resists is told, and left for gc. */
export async function removeDeadStepPods(data: string, log: Log): Promise<void> {
  const root = openPods(data);
  for (const phase of phases) {
    for (const uuid of uuidsIn(root, phase)) {
      // A pod that runs or is being made is locked by its supervisor or its builder.
      if (readPodRecord(join(root, phase, uuid))?.isStep !== true) continue;
      const pod = Pod.take(root, uuid, phase);
      if (pod === undefined) continue;
      await discardPod(data, root, pod).catch((error: unknown) => log.warn(`left for perigee gc: ${String(error)}`));
    }
  }
}
