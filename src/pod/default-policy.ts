/** The system calls that an app may make when nobody says otherwise, by its capabilities and by what of the host it can write to. Data. */
import type { SeccompAction, SeccompChoice, SeccompCondition, SeccompPolicy } from "./seccomp.ts";
import { absentCalls, allowedCalls, conditionalCalls, gatedCalls } from "./syscall-sets.ts";

const errno = { EPERM: 1, ENOSYS: 38, EPROTONOSUPPORT: 93, EAFNOSUPPORT: 97 } as const;
const wholeWord = 0xffffffff;

/** What a filter depends on besides the isolator. */
export interface FilteredApp {
  readonly capabilities: readonly string[];
  /** Some app of the pod may come to write to files of the host (volumes.ts, mayWriteHost). */
  readonly writesHost: boolean;
}

/** Our default for such an app (spec/security: blocks more than docker, podman and runc do). */
export function defaultPolicy({ capabilities, writesHost }: FilteredApp): SeccompPolicy {
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
  if (writesHost) for (const [name, action] of withoutMarks) calls.set(name, action);
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

/** S_ISUID and S_ISGID. */
const marks = 0o6000;
/** O_CREAT and __O_TMPFILE, the same on both architectures: without them `mode` is whatever the register holds. */
const creating = 0x400040;

function unmarked(argument: SeccompCondition["argument"]): SeccompChoice["rules"][number] {
  return { when: [{ argument, mask: marks, equals: 0 }], action: "allow" };
}

function withoutMark(mode: SeccompCondition["argument"]): SeccompChoice {
  return { rules: [unmarked(mode)], otherwise: { errno: errno.EPERM } };
}

function openingWithoutMark(flags: SeccompCondition["argument"], mode: SeccompCondition["argument"]): SeccompChoice {
  const plain = { when: [{ argument: flags, mask: creating, equals: 0 }], action: "allow" } as const;
  return { rules: [unmarked(mode), plain], otherwise: { errno: errno.EPERM } };
}

const [second, third] = [withoutMark(1), withoutMark(2)];

/**
 * No file becomes set-user-ID or set-group-ID: on a volume it would be one of the host, where nosuid of the pod does not hold, and give its
 * owner's power, root's most often, to everybody who may execute it there (T-R51). A filter cannot see which file is meant, nor, with
 * chmod, whether it is a directory. The calls whose mode is behind a pointer or newer than C libraries need do not exist: those fall back.
 */
const withoutMarks: readonly (readonly [name: string, action: SeccompAction | SeccompChoice])[] = [
  ...(["chmod", "fchmod", "creat", "mknod"] as const).map((name) => [name, second] as const),
  ...(["fchmodat", "mknodat"] as const).map((name) => [name, third] as const),
  ["open", openingWithoutMark(1, 2)],
  ["openat", openingWithoutMark(2, 3)],
  ["openat2", { errno: errno.ENOSYS }],
  ["fchmodat2", { errno: errno.ENOSYS }],
];
