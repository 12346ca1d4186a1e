/**
 * The isolators of an app that say what it may do: no_new_privs, capabilities, system calls. An image's may ask for less than our default, or
 * for a bounded set more; what leads further is for whoever runs it to say. Pure.
 */
import { printable } from "../base/failure.ts";
import { boundToAppc, decideCapabilities, fileMarkCapabilities } from "./capabilities.ts";
import { type Level, lastValue, say } from "./isolator-level.ts";
import type { SeccompPolicy } from "./seccomp.ts";
import { policyOfImage, policyOfSet, type StartedApp } from "./seccomp-sets.ts";

export interface ConfinementOptions {
  /** capabilities and seccomp count here. */
  readonly insecure: ReadonlySet<string>;
  readonly userNamespace: boolean;
  /** What the caller itself has; undefined: every capability. */
  readonly callerCapabilities?: readonly string[] | undefined;
  /** Some app of the pod may come to write to files of the host (volumes.ts, mayWriteHost). */
  readonly writesHost: boolean;
}

export interface Confinement extends StartedApp {
  /** `default`: our policy for such an app. */
  readonly seccomp: SeccompPolicy | "default" | "off";
}

/** @throws Failure MANIFEST_INVALID for unknown names */
export function decideConfinement(level: Level, options: ConfinementOptions): Confinement {
  const noNewPrivileges = lastValue(level, "os/linux/no-new-privileges") ?? true;
  const capabilities = decideBounding(level, noNewPrivileges, options);
  const app = { noNewPrivileges, capabilities, writesHost: options.writesHost };
  const decided = { ...app, seccomp: decideSeccomp(level, app, options) };
  if (lastValue(level, "os/linux/no-new-privileges") !== undefined) {
    const why = noNewPrivileges ? "on" : "off, as the isolator asks; the default is on";
    say(level, "os/linux/no-new-privileges", "enforced", why);
  }
  return decided;
}

const retainSet = "os/linux/capabilities-retain-set";
const removeSet = "os/linux/capabilities-remove-set";

function decideBounding(level: Level, noNewPrivileges: boolean, options: ConfinementOptions): readonly string[] {
  const { insecure, userNamespace, writesHost } = options;
  const retain = lastValue(level, retainSet)?.set;
  const bound = boundToAppc(retain ?? []);
  const isImages = level.fromImage.has(retainSet);
  const unrestricted = insecure.has("capabilities");
  const decided = decideCapabilities({
    retain: retain !== undefined && isImages ? bound.kept : retain,
    remove: lastValue(level, removeSet)?.set,
    noNewPrivileges,
    unrestricted,
    available: userNamespace ? undefined : options.callerCapabilities,
  });
  const isAsked = unrestricted || (retain !== undefined && !isImages);
  const withheld = writesHost && !isAsked ? decided.filter((name) => fileMarkCapabilities.includes(name)) : [];
  reportBounding(level, options, isImages ? bound.cut : [], retain?.filter((name) => withheld.includes(name)) ?? []);
  return decided.filter((name) => !withheld.includes(name));
}

function reportBounding(
  level: Level,
  { insecure, userNamespace }: ConfinementOptions,
  cut: readonly string[],
  withheld: readonly string[],
): void {
  const place = userNamespace ? "of the pod's user namespace" : "of the host: there is no user namespace";
  for (const name of [retainSet, removeSet] as const) {
    if (lastValue(level, name) === undefined) continue;
    if (insecure.has("capabilities")) say(level, name, "ignored", "--insecure-options=capabilities");
    else if (name === removeSet || cut.length + withheld.length === 0) {
      say(level, name, "enforced", `bounding set, capabilities ${place}`);
    } else {
      const why = [
        ...(cut.length > 0 ? [`an image cannot ask for ${cut.join(", ")}`] : []),
        ...(withheld.length > 0 ? [`with a writable volume of the host there is no ${withheld.join(", ")}`] : []),
      ];
      say(level, name, "modified", `${why.join("; ")}; --caps-retain gives what it names`);
    }
  }
}

function decideSeccomp(level: Level, app: StartedApp, { insecure }: ConfinementOptions): Confinement["seccomp"] {
  for (const mode of ["retain", "remove"] as const) {
    const name = `os/linux/seccomp-${mode}-set` as const;
    const value = lastValue(level, name);
    if (value === undefined) continue;
    if (insecure.has("seccomp")) {
      say(level, name, "ignored", "--insecure-options=seccomp");
      return "off";
    }
    if (level.fromImage.has(name)) return seccompOfImage(level, mode, value, app);
    const policy = policyOfSet({ mode, ...value }, app);
    say(level, name, "enforced", policy === "off" ? "no filter: @appc.io/all opts out" : words(mode));
    return policy;
  }
  return insecure.has("seccomp") ? "off" : "default";
}

function seccompOfImage(
  level: Level,
  mode: "retain" | "remove",
  value: { readonly set: readonly string[]; readonly errno?: string | undefined },
  app: StartedApp,
): Confinement["seccomp"] {
  const name = `os/linux/seccomp-${mode}-set` as const;
  const { policy, cut } = policyOfImage({ mode, ...value }, app);
  if (cut.length === 0) {
    say(level, name, "enforced", `${words(mode)}${mode === "retain" ? ", with the default's conditions" : ""}`);
  } else {
    const got = policy === "default" ? "the default filter holds" : "they fail as in the default filter";
    say(level, name, "modified", `an image cannot ask for ${cut.map(printable).join(", ")}: ${got}; --seccomp can`);
  }
  return policy;
}

function words(mode: "retain" | "remove"): string {
  return mode === "retain"
    ? "only these calls, and what starting the app takes"
    : "these calls, and those that the default filter blocks";
}
