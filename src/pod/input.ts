/** What an app of a pod in the background has as standard input: `--stdin`, and the annotation by which a pod manifest says it (LIFE-102). Pure. */
import { excerpt, Failure } from "../base/failure.ts";
import type { Annotations } from "../schema/annotations.ts";
import { isACIdentifier } from "../schema/grammar.ts";
import type { PodApp } from "../schema/pod-manifest.ts";

export interface InputFlags {
  /** `null`, or `stream`: a pipe that whoever is attached writes to. */
  readonly stdin?: string | undefined;
}

/** rkt's own, so that its pod manifests mean the same here. */
const annotationName = "coreos.com/rkt/stage2/stdin";

/** The app's annotations with what the flag says. @throws Failure USAGE */
export function withInputFlag(own: Annotations, { stdin }: InputFlags): Annotations {
  if (stdin === undefined) return own;
  if (stdin !== "null" && stdin !== "stream") {
    throw new Failure("USAGE", `--stdin is null or stream, not ${excerpt(stdin)}`, {
      subject: stdin,
      hint: stdin === "tty" || stdin === "interactive" ? "--interactive is a terminal for the app" : "--stdin=stream",
    });
  }
  if (!isACIdentifier(annotationName)) throw new Failure("INTERNAL", `${annotationName} is no annotation`);
  return [...own.filter(({ name }) => name !== annotationName), { name: annotationName, value: stdin }];
}

/** Whether standard input stays open for those who are attached. */
export function takesInput({ annotations }: Pick<PodApp, "annotations">): boolean {
  return annotations.some(({ name, value }) => name === annotationName && value === "stream");
}
