/** When an app is started again after its end: `--restart` and the isolator `perigee/restart` (LIFE-60). Pure. */
import { excerpt, Failure } from "../base/failure.ts";
import type { IsolatorValue } from "../schema/isolators.ts";
import type { RestartPlan } from "../shim/stages.ts";
import { type Level, lastValue, say } from "./isolator-level.ts";

export interface RestartFlags {
  /** `no`, `always`, `on-failure` or `on-failure:N`. */
  readonly restart?: string | undefined;
  readonly restartKeepRoot?: boolean | undefined;
}

const name = "perigee/restart";

/** Undefined without the flag. @throws Failure USAGE */
export function parseRestart({ restart, restartKeepRoot }: RestartFlags): IsolatorValue<typeof name> | undefined {
  if (restart === undefined && restartKeepRoot === true) {
    throw new Failure("USAGE", "--restart-keep-root is for an app with --restart", {
      hint: "--restart=on-failure --restart-keep-root",
    });
  }
  if (restart === undefined) return undefined;
  const [, policy, retries] = /^(no|always|on-failure)(?::([1-9][0-9]{0,8}))?$/.exec(restart) ?? [];
  const isKnown = policy === "no" || policy === "always" || policy === "on-failure";
  if (!isKnown || (retries !== undefined && policy !== "on-failure")) {
    throw new Failure("USAGE", `--restart ${excerpt(restart)}: no, always, on-failure or on-failure:N`, {
      subject: restart,
    });
  }
  return {
    policy,
    ...(retries === undefined ? {} : { retries: Number(retries) }),
    ...(restartKeepRoot === true ? { keepRoot: true } : {}),
  };
}

/** It is for whoever runs an image to say that a program which ends is to go on: an image's word is ignored. */
export function decideRestart(level: Level): RestartPlan | undefined {
  const value = lastValue(level, name);
  if (value === undefined) return undefined;
  if (level.fromImage.has(name)) {
    say(level, name, "ignored", "an image does not say whether it is started again: pass --restart");
    return undefined;
  }
  const { policy, retries = 0, keepRoot = false } = value;
  const plan = policy === "no" ? undefined : { policy, most: retries, keepRoot };
  say(level, name, "enforced", plan === undefined ? "not started again" : restartWords(plan));
  return plan;
}

export interface Surroundings {
  readonly app: string;
  readonly hasOverlay: boolean;
  readonly hasTerminal: boolean;
  /** No other app in the pod, or a cgroup of its own. */
  readonly isApart: boolean;
}

/** What the shim would refuse. @throws Failure UNSUPPORTED, KERNEL_LACKS */
export function requireRestartable({ keepRoot }: RestartPlan, surroundings: Surroundings): void {
  const { app, hasOverlay, hasTerminal, isApart } = surroundings;
  if (hasTerminal) {
    throw new Failure("UNSUPPORTED", `${app}: an app with a terminal is not started again`, {
      subject: app,
      hint: "leave out --interactive, or --restart",
    });
  }
  if (!hasOverlay && !keepRoot) {
    throw new Failure("UNSUPPORTED", `${app}: a root that is a copy of the image is not made anew for each start`, {
      subject: app,
      hint: "pass --restart-keep-root, or leave out --no-overlay",
    });
  }
  if (!isApart) {
    throw new Failure("KERNEL_LACKS", `${app}: one of several apps is started again only in a cgroup of its own`, {
      subject: app,
      cause:
        "no hierarchy with the controller pids can be written, so what it leaves running cannot be told from the others",
      hint: "run it as the only app of its pod",
    });
  }
}

/** For people. */
export function restartWords({ policy, most, keepRoot }: RestartPlan): string {
  const ends = { always: "after every end", "on-failure": "when it fails", unhealthy: "when it is unhealthy" };
  const when = `started again ${ends[policy]}`;
  const often = most === 0 ? "" : `, ${most} ${most === 1 ? "time" : "times"} at most`;
  return `${when}${often}, in ${keepRoot ? "the root that it had" : "a new root"}`;
}
