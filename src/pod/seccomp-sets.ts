/** Seccomp isolators and --seccomp (ACE-30…34): their sets, wildcards and errors → a policy. */
import { excerpt, Failure } from "../base/failure.ts";
import { defaultPolicy, type FilteredApp } from "./default-policy.ts";
import { errnoNumber } from "./errno.ts";
import type { SeccompAction, SeccompChoice, SeccompPolicy } from "./seccomp.ts";
import {
  absentCalls,
  allowedCalls,
  conditionalCalls,
  deniedCalls,
  gatedCalls,
  grantableCalls,
  obsoleteCalls,
  systemdSets,
} from "./syscall-sets.ts";
import { isSyscall } from "./syscalls.ts";

/** The value of a seccomp isolator, or of --seccomp. */
export interface SeccompSetRequest {
  readonly mode: "retain" | "remove";
  readonly set: readonly string[];
  /** undefined or empty: the process is killed (ACE-32). */
  readonly errno?: string | undefined;
}

/**
 * What a retain-set leaves open besides its own calls (ACE-31): what the shim does between the filter and the app's first instruction,
 * the report that the program cannot be executed, and the end. With no_new_privs the filter is the last thing before execve.
 */
const lifeCycle: readonly string[] = [
  ...["execve", "exit", "exit_group", "newfstatat", "prctl", "restart_syscall", "rt_sigaction", "rt_sigprocmask"],
  ...["rt_sigreturn", "sendmsg", "sigreturn", "write"],
];
/** Without it the filter comes before the last privilege is dropped and all are checked. */
const lifeCycleWithPrivileges: readonly string[] = [
  ...lifeCycle,
  ...["brk", "capget", "capset", "getgroups", "getresgid", "getresuid", "mmap", "munmap"],
];

/** An app whose filter is installed: what starting it takes stays open. */
export interface StartedApp extends FilteredApp {
  readonly noNewPrivileges: boolean;
}

/**
 * The policy of an isolator (ACE-30…34); "off" when it opts out with @appc.io/all. A remove-set takes its calls from our default,
 * a retain-set allows its calls and what starting the app takes.
 * @throws Failure MANIFEST_INVALID naming unknown system calls, wildcards and errors, and calls without which no app starts
 */
export function policyOfSet(request: SeccompSetRequest, app: StartedApp): SeccompPolicy | "off" {
  const blocked = blockedAction(request);
  const start = app.noNewPrivileges ? lifeCycle : lifeCycleWithPrivileges;
  const base = defaultPolicy(app);
  requireKnown(request.set);
  if (request.mode === "retain") {
    if (request.set.includes("@appc.io/all")) return "off";
    const calls = new Map<string, SeccompAction | SeccompChoice>(start.map((name) => [name, "allow"]));
    for (const word of request.set) for (const [name, action] of retained(word, base)) calls.set(name, action);
    return { calls, others: blocked, unknown: blocked };
  }
  if (request.set.includes("@appc.io/empty")) return base;
  const removed = request.set.flatMap((word) => (word[0] === "@" ? wildcardCalls(word) : [word]));
  const needed = removed.filter((name) => start.includes(name));
  if (needed.length > 0) {
    throw new Failure("MANIFEST_INVALID", `seccomp-remove-set: without ${needed.join(", ")} no app can be started`);
  }
  return { ...base, calls: new Map([...base.calls, ...removed.map((name) => [name, blocked] as const)]) };
}

/** What becomes of an image's isolator. */
export interface ImagePolicy {
  /** `default`: our default for the app. */
  readonly policy: SeccompPolicy | "default";
  /** What it asked for and does not get, in the order of its set; empty unless the set retains. */
  readonly cut: readonly string[];
}

/**
 * The policy of an isolator that the image says, not whoever runs it: as policyOfSet, but a retain-set reaches no further than our default
 * and `grantable`. It never opts out, arguments that the default refuses stay refused, and calls it does not get answer as in the default.
 * @throws as policyOfSet
 */
export function policyOfImage(request: SeccompSetRequest, app: StartedApp): ImagePolicy {
  const policy = policyOfSet(request, app);
  if (policy === "off") return { policy: "default", cut: ["@appc.io/all"] };
  if (request.mode === "remove") return { policy, cut: [] };
  const base = defaultPolicy(app);
  const cut: string[] = [];
  const bounded = [...policy.calls].map(([name, action]) => {
    if (grantableCalls.includes(name)) return [name, action] as const;
    const own = base.calls.get(name) ?? base.others;
    if (!isOpen(own) && !allowedCalls.includes(name)) cut.push(name);
    return [name, own] as const;
  });
  return { policy: { ...policy, calls: new Map(bounded) }, cut };
}

function isOpen(action: SeccompAction | SeccompChoice): boolean {
  return action === "allow" || (typeof action === "object" && "rules" in action);
}

/** What one word of a retain-set allows. A call that is named itself is allowed whole (ACE-31), one of our whitelist as there. */
function retained(word: string, base: SeccompPolicy): readonly (readonly [string, SeccompAction | SeccompChoice])[] {
  // A call that we allow in general and that does not exist for this app must go on not to exist: C libraries then take an older one.
  if (isOurWhitelist(word))
    return [...base.calls].filter(([name, action]) => isOpen(action) || allowedCalls.includes(name));
  return (word[0] === "@" ? wildcardCalls(word) : [word]).map((name) => [name, "allow"]);
}

function isOurWhitelist(word: string): boolean {
  return word === "@rkt/default-whitelist" || word === "@docker/default-whitelist";
}

/** The calls of a wildcard; undefined when there is no such wildcard. */
function callsOfWildcard(word: string): readonly string[] | undefined {
  const match = /^@([^/]+)\/(.+)$/.exec(word);
  const [, scope = "", set = ""] = match ?? [];
  if (word === "@appc.io/empty") return [];
  if (word === "@appc.io/all" || isOurWhitelist(word)) return [...allowedCalls, ...conditionalCalls];
  if ((scope === "rkt" || scope === "docker") && set === "default-blacklist") {
    const gated = gatedCalls.flatMap(([capability, calls]) => (capability === "CAP_SYS_CHROOT" ? [] : calls));
    return [...gated, ...absentCalls, ...deniedCalls, ...obsoleteCalls];
  }
  return scope === "systemd" ? systemdSets.get(set) : undefined;
}

function wildcardCalls(word: string): readonly string[] {
  return callsOfWildcard(word) ?? [];
}

function requireKnown(set: readonly string[], code: "MANIFEST_INVALID" | "USAGE" = "MANIFEST_INVALID"): void {
  const unknown = set.filter((word) => (word[0] === "@" ? callsOfWildcard(word) === undefined : !isSyscall(word)));
  if (unknown.length === 0) return;
  throw new Failure(code, `seccomp: unknown system calls or wildcards: ${unknown.map(excerpt).join(", ")}`, {
    hint: "wildcards are @appc.io/all, @appc.io/empty, @rkt/default-whitelist, @rkt/default-blacklist, @docker/…, @systemd/…",
  });
}

function blockedAction({ errno: name }: SeccompSetRequest): SeccompAction {
  if (name === undefined || name === "") return "kill";
  const number = errnoNumber(name);
  if (number === undefined) {
    throw new Failure("MANIFEST_INVALID", `seccomp: Linux has no error ${excerpt(name)}`, { subject: name });
  }
  return { errno: number };
}

/** `mode=retain|remove[,errno=ENAME],NAME…` @throws Failure USAGE */
export function parseSeccompFlag(text: string): SeccompSetRequest {
  const words = text.split(",").map((word) => word.trim());
  const options = words.filter((word) => word.includes("="));
  const set = words.filter((word) => word !== "" && !word.includes("="));
  const values = new Map(options.map((word) => [word.slice(0, word.indexOf("=")), word.slice(word.indexOf("=") + 1)]));
  const mode = values.get("mode");
  const usable = (mode === "retain" || mode === "remove") && set.length > 0 && values.size === options.length;
  if (!usable || [...values.keys()].some((key) => key !== "mode" && key !== "errno")) {
    throw new Failure("USAGE", `--seccomp ${excerpt(text)}: not of the form mode=retain|remove[,errno=ENAME],NAME…`);
  }
  requireKnown(set, "USAGE");
  const errno = values.get("errno") ?? "";
  if (errno !== "" && errnoNumber(errno) === undefined) {
    throw new Failure("USAGE", `--seccomp ${excerpt(text)}: Linux has no error ${excerpt(errno)}`, { subject: errno });
  }
  return { mode, set, ...(values.has("errno") ? { errno: values.get("errno") } : {}) };
}
