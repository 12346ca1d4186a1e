/** Which app of a pod is meant, by commands that are about one. */
import { excerpt, Failure } from "../base/failure.ts";
import { closest } from "../base/suggest.ts";
import type { FoundPod } from "../pod/pod.ts";
import { type PodAppRecord, readPodRecord } from "../pod/record.ts";

/**
 * `verb` is for the hint.
 * @throws Failure USAGE for an app that must be named or is not in the pod, WRONG_STATE for a pod whose record is damaged
 */
export function chooseApp(pod: FoundPod, wanted: string | undefined, verb: "enter" | "attach"): string {
  const apps = readPodRecord(pod.directory)?.apps;
  if (apps === undefined) {
    throw new Failure("WRONG_STATE", `the record of pod ${pod.uuid} is damaged: its apps are not known`, {
      subject: pod.uuid,
      hint: `perigee stop ${pod.uuid}`,
    });
  }
  const names = apps.map(({ name }: PodAppRecord) => name);
  const [only] = names;
  if (wanted === undefined && only !== undefined && names.length === 1) return only;
  if (wanted !== undefined && names.includes(wanted)) return wanted;
  const isNamed = wanted !== undefined;
  throw new Failure("USAGE", isNamed ? `pod ${pod.uuid} has no app ${excerpt(wanted)}` : "which app is meant?", {
    subject: wanted ?? pod.uuid,
    cause: `its apps are ${names.join(", ")}`,
    hint: `perigee ${verb} --app ${(isNamed ? closest(wanted, names) : undefined) ?? only} ${pod.uuid}`,
  });
}
