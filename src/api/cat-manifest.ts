/** cat-manifest: the pod manifest as the pod keeps it. */
import { join } from "node:path";
import { Failure } from "../base/failure.ts";
import { readStateFile } from "../base/state-file.ts";
import { type FoundPod, findPod, noSuchPod, podsOf, resolvePod } from "../pod/pod.ts";
import type { Settings } from "./settings.ts";

/** The reified manifest (POD-3), byte for byte. @throws Failure NOT_FOUND, AMBIGUOUS; WRONG_STATE for a pod that has none, or a damaged one */
export async function showPodManifest(settings: Settings, options: { readonly pod: string }): Promise<Buffer> {
  const root = podsOf(settings.directories.data);
  const found = resolvePod(root, options.pod);
  // A pod that moves on while it is read is read again where it stands then; pods move forward only, so this ends.
  for (let pod: FoundPod | undefined = found; pod !== undefined; ) {
    const file = readStateFile(join(pod.directory, "manifest"));
    if (!("problem" in file)) return file.bytes;
    const now = findPod(root, pod.uuid);
    if (now?.phase === pod.phase) throw noManifest(pod, file.problem);
    pod = now;
  }
  throw noSuchPod(found.uuid);
}

function noManifest({ uuid, state }: FoundPod, problem: string): Failure {
  return new Failure("WRONG_STATE", `pod ${uuid}, which is ${state}, has no manifest that can be read`, {
    subject: uuid,
    cause: `the file is ${problem}`,
    hint: state === "preparing" ? "try again when it is prepared" : `perigee rm ${uuid}`,
  });
}
