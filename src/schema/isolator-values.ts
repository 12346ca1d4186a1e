/** What each isolator of appc may say (ACE-30…45), and of our own (ISO-10, LIFE-60, LIFE-65), as data: name → schema of its value and the rule it stands for. */
import * as z from "zod";
import { Amount } from "./quantity.ts";

/** A call, or `@scope/name` for a set of calls; whether it exists is the executor's question. */
const callName = z
  .string()
  .max(256)
  .regex(
    /^(?:[a-z0-9_]+|@[a-z0-9]+(?:[-._][a-z0-9]+)*\/[a-z0-9]+(?:[-._][a-z0-9]+)*)$/,
    "TYPE-14: a system call, or a set such as @appc.io/all",
  );

const Errno = z.string().regex(/^(?:E[A-Z0-9]+)?$/, "TYPE-13: an errno name such as EPERM");

const SeccompSet = z.object({ set: z.array(callName).min(1, "TYPE-14: the set is empty"), errno: Errno.optional() });

const CapabilitySet = z.object({
  set: z
    .array(z.string().regex(/^CAP_[A-Z][A-Z_]*$/, "ACE-38: a name such as CAP_NET_ADMIN"))
    .min(1, "ACE-38: the set is empty"),
});

/** ACE-41, ACE-42. */
export const Resource = z
  .object({ default: z.boolean().optional(), request: Amount.optional(), limit: Amount.optional() })
  .refine((value) => value.request !== undefined || value.limit !== undefined, "ACE-41: request or limit is needed");

const BoundedResource = z.object({
  default: z.literal(true, { error: "ACE-43: default is true" }),
  request: z.never({ error: "ACE-43: a limit only, no request" }).optional(),
  limit: Amount,
});

const part = z.string().regex(/^[^:\u0000-\u001f]+$/, "TYPE-15: not empty, without a colon");
const level = z.string().regex(/^[^\u0000-\u001f]+$/, "TYPE-15: not empty");

const Sysctls = z.record(
  z.string().regex(/^[A-Za-z0-9_]+(?:[./][A-Za-z0-9_-]+)+$/, "ACE-44: a key such as net.core.somaxconn"),
  z.string().regex(/^[^\u0000\n]*$/, "ACE-44: one line"),
);

/** The kernel has no more process ids than that. */
const mostPids = 4194304;

/** How often an app may be started again: a number for the plan, not a bound that anybody meets. */
const mostRetries = 999_999_999;

const Restart = z
  .object({
    policy: z.enum(["no", "on-failure", "always"], { error: "LIFE-60: policy is no, on-failure or always" }),
    retries: z.int().min(1).max(mostRetries).optional(),
    keepRoot: z.boolean().optional(),
  })
  .refine(
    ({ policy, retries }) => policy === "on-failure" || retries === undefined,
    "LIFE-60: retries are for on-failure",
  );

const Seconds = z.number().max(86_400);

const HealthCheck = z.object({
  /** Empty: the app is not checked, whatever its image says. */
  command: z
    .array(z.string())
    .max(1024)
    .refine((words) => words[0] !== "", "LIFE-65: a command that begins with an empty word"),
  interval: Seconds.min(0.001).optional(),
  timeout: Seconds.min(0.001).optional(),
  startPeriod: Seconds.min(0).optional(),
  retries: z.int().min(1).max(9999).optional(),
  onFailure: z.enum(["none", "kill", "restart"], { error: "LIFE-65: onFailure is none, kill or restart" }).optional(),
});

/** The literal table of what this program knows. */
export const valueSchemas = {
  "os/linux/seccomp-remove-set": SeccompSet,
  "os/linux/seccomp-retain-set": SeccompSet,
  "os/linux/capabilities-remove-set": CapabilitySet,
  "os/linux/capabilities-retain-set": CapabilitySet,
  "os/linux/no-new-privileges": z.boolean(),
  "os/linux/selinux-context": z.object({ user: part, role: part, type: part, level }),
  "os/linux/apparmor-profile": z.object({ profile: level }),
  "os/linux/oom-score-adj": z.int().min(-1000).max(1000),
  "os/linux/cpu-shares": z.int().min(2).max(262144),
  "os/unix/sysctl": Sysctls,
  "resource/cpu": Resource,
  "resource/memory": Resource,
  "resource/block-bandwidth": BoundedResource,
  "resource/block-iops": BoundedResource,
  "resource/network-bandwidth": BoundedResource,
  "perigee/pids": z.int().min(1).max(mostPids),
  "perigee/restart": Restart,
  "perigee/health-check": HealthCheck,
} as const;

export type IsolatorName = keyof typeof valueSchemas;
export type IsolatorValue<N extends IsolatorName> = z.infer<(typeof valueSchemas)[N]>;

/** The rule that a value breaks when the message of its schema names none. */
export const valueRules: Readonly<Record<IsolatorName, string>> = {
  "os/linux/seccomp-remove-set": "ACE-30",
  "os/linux/seccomp-retain-set": "ACE-31",
  "os/linux/capabilities-remove-set": "ACE-38",
  "os/linux/capabilities-retain-set": "ACE-39",
  "os/linux/no-new-privileges": "ACE-40",
  "os/linux/selinux-context": "ACE-36",
  "os/linux/apparmor-profile": "ACE-37",
  "os/linux/oom-score-adj": "ACE-45",
  "os/linux/cpu-shares": "ACE-45",
  "os/unix/sysctl": "ACE-44",
  "resource/cpu": "ACE-42",
  "resource/memory": "ACE-42",
  "resource/block-bandwidth": "ACE-43",
  "resource/block-iops": "ACE-43",
  "resource/network-bandwidth": "ACE-43",
  "perigee/pids": "ISO-10",
  "perigee/restart": "LIFE-60",
  "perigee/health-check": "LIFE-65",
};

/** Isolators that stand at most once in a list, and the rule that says so. */
export const singleIsolators: ReadonlyMap<IsolatorName, string> = new Map([
  ["os/linux/seccomp-remove-set", "ACE-33"],
  ["os/linux/seccomp-retain-set", "ACE-33"],
  ["os/linux/selinux-context", "ACE-36"],
  ["os/linux/apparmor-profile", "ACE-37"],
  ["os/unix/sysctl", "ACE-44"],
  ["os/linux/oom-score-adj", "ACE-45"],
  ["os/linux/cpu-shares", "ACE-45"],
  ["perigee/pids", "ISO-10"],
  ["perigee/restart", "LIFE-60"],
  ["perigee/health-check", "LIFE-65"],
]);

/** Isolators that do not stand in one list. */
export const exclusiveIsolators: readonly (readonly [IsolatorName, IsolatorName, string])[] = [
  ["os/linux/seccomp-remove-set", "os/linux/seccomp-retain-set", "ACE-33"],
  ["os/linux/capabilities-remove-set", "os/linux/capabilities-retain-set", "ACE-39"],
];
