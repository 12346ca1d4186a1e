/** What a pod that asks for the metadata service needs before its plan is made: shared by run and run-prepared. */
import { join } from "node:path";
import { metadataDirectory } from "../metadata/places.ts";
import { registerPod } from "../metadata/register.ts";
import { defaultPort, newToken, urlOf, writeRegistration } from "../metadata/registration.ts";
import type { PlanInput } from "../pod/plan.ts";
import type { Pod } from "../pod/pod.ts";
import { startInBackground } from "../shim/background.ts";
import { commandPath } from "../shim/binary.ts";
import type { Settings } from "./settings.ts";

/** Seconds without a pod to answer, after which a service that a pod started ends. */
const idleSeconds = 10;

/** Starts the service when nobody answers. @throws Failure of registerPod; SHIM_MISSING */
export async function registerForMetadata(
  settings: Settings,
  pod: Pod,
  isHost: boolean,
  signal: AbortSignal | undefined,
): Promise<PlanInput["metadata"]> {
  const { data } = settings.directories;
  const port = await registerPod({
    data,
    uuid: pod.uuid,
    isHost,
    signal,
    start: () =>
      startInBackground(
        commandPath(),
        ["--dir", data, "metadata-service", "--idle", String(idleSeconds)],
        join(metadataDirectory(data), "report"),
      ),
  });
  // In a network of its own the pod's init has the port, whatever the service listens on elsewhere.
  const registration = { token: newToken(), port: isHost ? port : defaultPort, isHost };
  writeRegistration(pod.directory, registration);
  return { url: urlOf(registration), port: isHost ? undefined : registration.port };
}
