/** System call filters: which policy an app gets, and its compilation to a BPF program. */
import { Failure, printable } from "../base/failure.ts";
import { assemble, type Section, type Span } from "./bpf.ts";
import { errnoNumber } from "./errno.ts";
import {
  absentCalls,
  allowedCalls,
  conditionalCalls,
  deniedCalls,
  gatedCalls,
  obsoleteCalls,
  systemdSets,
} from "./syscall-sets.ts";
import { isSyscall, type SyscallAbi, syscallNumbers } from "./syscalls.ts";

export type SeccompArchitecture = "x64" | "arm64";

/** What happens to one system call. `kill` ends the process with SIGSYS. */
export type SeccompAction = "allow" | "kill" | { readonly errno: number };

/** Compares the low 32 bits of an argument, after `mask`. */
export interface SeccompCondition {
  readonly argument: 0 | 1 | 2 | 3 | 4 | 5;
  readonly mask: number;
  readonly equals: number;
}

/** The first rule all of whose conditions hold decides; `otherwise` when none does. */
export interface SeccompChoice {
  readonly rules: readonly { readonly when: readonly SeccompCondition[]; readonly action: SeccompAction }[];
  readonly otherwise: SeccompAction;
}

export interface SeccompPolicy {
  /** By name of the system call. A name that an architecture lacks is passed over. */
  readonly calls: ReadonlyMap<string, SeccompAction | SeccompChoice>;
  /** Known calls that `calls` does not name. */
  readonly others: SeccompAction;
  /** Numbers that our tables do not know. */
  readonly unknown: SeccompAction;
}

/** The value of a seccomp isolator, or of --seccomp. */
export interface SeccompSetRequest {
  readonly mode: "retain" | "remove";
  readonly set: readonly string[];
  /** undefined or empty: the process is killed (ACE-32). */
  readonly errno?: string | undefined;
}

const errno = { EPERM: 1, ENOSYS: 38, EPROTONOSUPPORT: 93, EAFNOSUPPORT: 97 } as const;
const wholeWord = 0xffffffff;

/**
 * What a retain-set leaves open besides its own calls (ACE-31): what the shim does between the filter and the app's first instruction,
 * the report that the program cannot be executed, and the end. With no_new_privs the filter is the last thing before execve.
 */
const lifeCycle: readonly string[] = [
  ...["execve", "exit", "exit_group", "newfstatat", "prctl", "restart_syscall", "rt_sigaction", "rt_sigprocmask"],
  ...["rt_sigreturn", "sendmsg", "sigreturn", "write"],
];
/** Without it the filter comes before the privileges are dropped and checked. */
const lifeCycleWithPrivileges: readonly string[] = [
  ...lifeCycle,
  ...["brk", "capget", "capset", "close", "fchdir", "getcwd", "getgroups", "getresgid", "getresuid", "mmap", "munmap"],
  ...["openat", "openat2", "read", "setgroups", "setresgid", "setresuid"],
];

/** Our default for an app with these capabilities (spec/security: blocks more than docker, podman and runc do). */
export function defaultPolicy(capabilities: readonly string[]): SeccompPolicy {
  const has = new Set(capabilities);
  const calls = new Map<string, SeccompAction | SeccompChoice>();
  for (const name of allowedCalls) calls.set(name, "allow");
  for (const name of absentCalls) calls.set(name, has.has("CAP_SYS_ADMIN") ? "allow" : { errno: errno.ENOSYS });
  for (const [capability, names] of gatedCalls) {
    if (has.has(capability)) for (const name of names) calls.set(name, "allow");
  }
  for (const name of conditionalCalls) calls.set(name, conditional(name, has));
  // socketcall passes its arguments by pointer, so no filter can see the address family; C libraries fall back to socket.
  calls.set("socketcall", { errno: errno.ENOSYS });
  return { calls, others: { errno: errno.EPERM }, unknown: { errno: errno.ENOSYS } };
}

function conditional(name: string, has: ReadonlySet<string>): SeccompAction | SeccompChoice {
  switch (name) {
    case "clone":
      return has.has("CAP_SYS_ADMIN") ? "allow" : withoutNamespaces;
    case "ioctl":
      return withoutTerminalInjection;
    case "personality":
      return harmlessPersonalities;
    default:
      return sockets(has);
  }
}

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET: a namespace of its own would open most of the kernel again. */
const namespaceFlags = 0x7e020000;
const withoutNamespaces: SeccompChoice = {
  rules: [{ when: [{ argument: 0, mask: namespaceFlags, equals: 0 }], action: "allow" }],
  otherwise: { errno: errno.EPERM },
};

/** TIOCSTI and TIOCLINUX type into the caller's terminal (T-R06, CVE-2017-5226, CVE-2023-28100). */
const withoutTerminalInjection: SeccompChoice = {
  rules: [0x5412, 0x541c].map((request) => ({
    when: [{ argument: 1, mask: wholeWord, equals: request }],
    action: { errno: errno.EPERM },
  })),
  otherwise: "allow",
};

/** Linux, Linux without randomised sizes of `uname`, both for 32 bits, and the question what it is now. */
const harmlessPersonalities: SeccompChoice = {
  rules: [0, 8, 0x20000, 0x20008, 0xffffffff].map((persona) => ({
    when: [{ argument: 0, mask: wholeWord, equals: persona }],
    action: "allow",
  })),
  otherwise: { errno: errno.EPERM },
};

/**
 * Unix, IPv4, IPv6 and netlink. AF_VSOCK is not namespaced and reaches the hypervisor, AF_ALG and the rest are kernel code that apps do
 * not need. Netlink audit is answered as if the kernel had none, else login programs fail without CAP_AUDIT_WRITE.
 */
function sockets(has: ReadonlySet<string>): SeccompChoice {
  const families = [1, 2, 10, 16, ...(has.has("CAP_NET_RAW") ? [17] : [])];
  const audit: SeccompChoice["rules"][number] = {
    when: [
      { argument: 0, mask: wholeWord, equals: 16 },
      { argument: 2, mask: wholeWord, equals: 9 },
    ],
    action: { errno: errno.EPROTONOSUPPORT },
  };
  return {
    rules: [
      ...(has.has("CAP_AUDIT_WRITE") ? [] : [audit]),
      ...families.map((family) => ({
        when: [{ argument: 0 as const, mask: wholeWord, equals: family }],
        action: "allow" as const,
      })),
    ],
    otherwise: { errno: errno.EAFNOSUPPORT },
  };
}

/**
 * The policy of an isolator (ACE-30…34); "off" when it opts out with @appc.io/all. A remove-set takes its calls from our default,
 * a retain-set allows its calls and what starting the app takes.
 * @throws Failure MANIFEST_INVALID naming unknown system calls, wildcards and errors, and calls without which no app starts
 */
export function policyOfSet(
  request: SeccompSetRequest,
  app: { readonly capabilities: readonly string[]; readonly noNewPrivileges: boolean },
): SeccompPolicy | "off" {
  const blocked = blockedAction(request);
  const start = app.noNewPrivileges ? lifeCycle : lifeCycleWithPrivileges;
  const base = defaultPolicy(app.capabilities);
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

/** What one word of a retain-set allows. A call that is named itself is allowed whole (ACE-31), one of our whitelist as there. */
function retained(word: string, base: SeccompPolicy): readonly (readonly [string, SeccompAction | SeccompChoice])[] {
  if (isOurWhitelist(word))
    return [...base.calls].filter(([, action]) => typeof action === "string" || "rules" in action);
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

function requireKnown(set: readonly string[]): void {
  const unknown = set.filter((word) => (word[0] === "@" ? callsOfWildcard(word) === undefined : !isSyscall(word)));
  if (unknown.length === 0) return;
  throw new Failure(
    "MANIFEST_INVALID",
    `seccomp: unknown system calls or wildcards: ${unknown.map(printable).join(", ")}`,
    {
      hint: "wildcards are @appc.io/all, @appc.io/empty, @rkt/default-whitelist, @rkt/default-blacklist, @docker/…, @systemd/…",
    },
  );
}

function blockedAction({ errno: name }: SeccompSetRequest): SeccompAction {
  if (name === undefined || name === "") return "kill";
  const number = errnoNumber(name);
  if (number === undefined) {
    throw new Failure("MANIFEST_INVALID", `seccomp: Linux has no error ${printable(name)}`, { subject: name });
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
    throw new Failure("USAGE", `--seccomp ${printable(text)}: not of the form mode=retain|remove[,errno=ENAME],NAME…`);
  }
  return { mode, set, ...(values.has("errno") ? { errno: values.get("errno") } : {}) };
}

/** AUDIT_ARCH_… of linux/audit.h. */
const auditArch: Readonly<Record<SyscallAbi, number>> = { x86_64: 0xc000003e, i386: 0x40000003, aarch64: 0xc00000b7 };

/** x32 calls come with the x86-64 architecture and this bit; −1 is what a tracer leaves of a skipped call. */
const x32Spans: readonly Span[] = [{ from: 0x40000000, action: "kill" }];

/**
 * The filter for processes of this machine: on x86-64 the same policy for 64-bit and 32-bit calls, x32 killed; on aarch64 the native ABI,
 * 32-bit killed (T-R58).
 * @throws Failure LIMIT_EXCEEDED past 4096 instructions
 */
export function compileSeccomp(policy: SeccompPolicy, architecture: SeccompArchitecture): Uint8Array {
  const abis: readonly SyscallAbi[] = architecture === "x64" ? ["x86_64", "i386"] : ["aarch64"];
  return assemble(abis.map((abi) => section(policy, abi)));
}

function section(policy: SeccompPolicy, abi: SyscallAbi): Section {
  const spans: Span[] = [];
  const add = (from: number, action: SeccompAction | SeccompChoice): void => {
    const last = spans.at(-1);
    if (last === undefined || !isSame(last.action, action)) spans.push({ from, action });
  };
  let next = 0;
  for (const [name, number] of syscallNumbers(abi)) {
    if (number > next) add(next, policy.unknown);
    add(number, policy.calls.get(name) ?? policy.others);
    next = number + 1;
  }
  add(next, policy.unknown);
  if (abi === "x86_64") for (const span of x32Spans) add(span.from, span.action);
  if (abi === "x86_64") add(0xffffffff, policy.unknown);
  return { auditArch: auditArch[abi], spans };
}

function isSame(one: SeccompAction | SeccompChoice, other: SeccompAction | SeccompChoice): boolean {
  if (one === other) return true;
  return (
    typeof one === "object" &&
    typeof other === "object" &&
    "errno" in one &&
    "errno" in other &&
    one.errno === other.errno
  );
}

/** In words: how many calls of x86-64 are allowed, and what the others get. */
export function seccompReach(policy: SeccompPolicy): string {
  const actions = [...syscallNumbers("x86_64").keys()].map((name) => policy.calls.get(name) ?? policy.others);
  const allowed = actions.filter((action) => action === "allow").length;
  const conditional = actions.filter((action) => typeof action === "object" && "rules" in action).length;
  const others = policy.others === "kill" ? "the others end the process" : "the others fail";
  return `${allowed} of ${actions.length} allowed, ${conditional} with conditions, ${others}`;
}
