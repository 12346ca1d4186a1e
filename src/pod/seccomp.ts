/** System call filters: what a policy is, and its compilation to a BPF program. Which policy an app gets is decided elsewhere. */
import { assemble, type Section, type Span } from "./bpf.ts";
import { type SyscallAbi, syscallNumbers } from "./syscalls.ts";

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
