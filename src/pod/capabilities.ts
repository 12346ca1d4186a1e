/** Capabilities: their names, our default set, and the appc sets (ACE-38, ACE-39). */
import { Failure, printable } from "../base/failure.ts";

/** Every name of Linux 6.x in the order of its number. */
export const capabilityNames: readonly string[] = [
  ...["CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP"],
  ...["LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER"],
  ...["SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE"],
  ...["SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP"],
  ...["MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF"],
  "CHECKPOINT_RESTORE",
].map((name) => `CAP_${name}`);

const ours: readonly string[] = [
  ...["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_NET_BIND_SERVICE"],
  ...["CAP_SETGID", "CAP_SETUID", "CAP_SYS_CHROOT"],
];

/** Of use only to programs that gain privileges, which no_new_privs forbids. */
const withNewPrivileges: readonly string[] = ["CAP_SETPCAP", "CAP_SETFCAP"];

/** ACE-38's 14: what a remove-set starts from. */
export const appcCapabilities: readonly string[] = [
  ...ours,
  ...withNewPrivileges,
  "CAP_AUDIT_WRITE",
  "CAP_MKNOD",
  "CAP_NET_RAW",
];

export interface CapabilityRequest {
  readonly retain?: readonly string[] | undefined;
  readonly remove?: readonly string[] | undefined;
  readonly noNewPrivileges: boolean;
  /** --insecure-options=capabilities */
  readonly unrestricted: boolean;
  /** All that can be had, when that is not every one: without a user namespace what the caller has. */
  readonly available?: readonly string[] | undefined;
}

/**
 * What an image's retain-set may ask for, ACE-38's 14, and what it asks for beyond that. More is for whoever runs it to give: with it an
 * app could set the host's kernel, or take away what hides the host from it.
 */
export function boundToAppc(retain: readonly string[]): {
  readonly kept: readonly string[];
  readonly cut: readonly string[];
} {
  const cut = retain.filter((name) => capabilityNames.includes(name) && !appcCapabilities.includes(name));
  return { kept: retain.filter((name) => !cut.includes(name)), cut };
}

/**
 * With the first an app marks files with capabilities, which on an idmapped volume count on the host; with the second it writes to a file
 * without its set-user-ID mark being taken away; with the third, where there is no user namespace, it makes devices, which are nodev only
 * inside. No app gets them unasked in a pod that writes to files of the host (T-R51).
 */
export const fileMarkCapabilities: readonly string[] = ["CAP_SETFCAP", "CAP_FSETID", "CAP_MKNOD"];

/** The names in a set as /proc/PID/status shows it: hexadecimal. */
export function capabilitiesOf(mask: string): readonly string[] {
  const bits = BigInt(`0x${mask}`);
  return capabilityNames.filter((_, number) => ((bits >> BigInt(number)) & 1n) === 1n);
}

/**
 * The bounding set of an app, in the order of the numbers: a retain-set exactly (ACE-39), ACE-38's 14 without a remove-set, else our
 * default of 9 (11 without no_new_privs). @throws Failure MANIFEST_INVALID for an unknown name
 */
export function decideCapabilities(request: CapabilityRequest): readonly string[] {
  const unknown = [...(request.retain ?? []), ...(request.remove ?? [])].filter(
    (name) => !capabilityNames.includes(name),
  );
  if (unknown.length > 0) {
    throw new Failure("MANIFEST_INVALID", `unknown capabilities: ${unknown.map(printable).join(", ")}`, {
      hint: "names are as in capabilities(7), such as CAP_NET_ADMIN",
    });
  }
  const wanted = new Set(chosen(request));
  return capabilityNames.filter((name) => wanted.has(name));
}

function chosen(request: CapabilityRequest): readonly string[] {
  const { retain, remove, noNewPrivileges, unrestricted, available = capabilityNames } = request;
  if (unrestricted) return available;
  if (retain !== undefined) return retain;
  if (remove !== undefined) return appcCapabilities.filter((name) => !remove.includes(name));
  return noNewPrivileges ? ours : [...ours, ...withNewPrivileges];
}
