/** Isolators (ACE-30…45, TYPE-7). Unknown ones are kept and reported, never an error (ACE-22). */
import * as z from "zod";
import { ACIdentifier } from "./names.ts";
import { parseQuantity, Quantity } from "./quantity.ts";

const nonEmptySet = z.array(z.string().min(1)).min(1, "the set is empty");

const Errno = z.string().regex(/^(E[A-Z0-9]+)?$/, "TYPE-13: an errno name such as EPERM");

/** ACE-30, ACE-31. */
export const SeccompSet = z.object({ set: nonEmptySet, errno: Errno.optional() });
/** ACE-38, ACE-39. */
export const CapabilitySet = z.object({
  set: z.array(z.string().regex(/^CAP_[A-Z_]+$/, "ACE-38: a name such as CAP_NET_ADMIN")).min(1, "the set is empty"),
});
/** ACE-41…43. */
export const Resource = z
  .object({ default: z.boolean().optional(), request: Quantity.optional(), limit: Quantity.optional() })
  .refine((value) => value.request !== undefined || value.limit !== undefined, "ACE-41: request or limit is needed")
  .refine(
    (value) => [value.request, value.limit].every((text) => text === undefined || (parseQuantity(text) ?? 0n) >= 0n),
    "ACE-41: not negative",
  );

const colonless = z.string().regex(/^[^:]+$/, "TYPE-15: not empty, without a colon");

/** name → schema of the value. The literal table of what this program knows. */
const valueSchemas = {
  "os/linux/seccomp-remove-set": SeccompSet,
  "os/linux/seccomp-retain-set": SeccompSet,
  "os/linux/capabilities-remove-set": CapabilitySet,
  "os/linux/capabilities-retain-set": CapabilitySet,
  "os/linux/no-new-privileges": z.boolean(),
  "os/linux/selinux-context": z.object({ user: colonless, role: colonless, type: colonless, level: z.string().min(1) }),
  "os/linux/apparmor-profile": z.object({ profile: z.string().min(1) }),
  "os/linux/oom-score-adj": z.number().int().min(-1000).max(1000),
  "os/linux/cpu-shares": z.number().int().min(2).max(262144),
  "os/unix/sysctl": z.record(
    z.string().regex(/^[a-z0-9_]+([./][a-z0-9_-]+)+$/i, "ACE-44: a key such as net.core.somaxconn"),
    z.string(),
  ),
  "resource/cpu": Resource,
  "resource/memory": Resource,
  "resource/block-bandwidth": Resource,
  "resource/block-iops": Resource,
  "resource/network-bandwidth": Resource,
} as const;

export type IsolatorName = keyof typeof valueSchemas;
export type IsolatorValue<N extends IsolatorName> = z.infer<(typeof valueSchemas)[N]>;

export const Isolator = z.object({ name: ACIdentifier, value: z.unknown() }).superRefine((isolator, context) => {
  if (isolator.value === undefined) {
    context.addIssue({ code: "custom", path: ["value"], message: "TYPE-7: an isolator has a value" });
    return;
  }
  if (!isKnownIsolator(isolator.name)) return;
  const parsed = valueSchemas[isolator.name as IsolatorName].safeParse(isolator.value);
  for (const issue of parsed.error?.issues ?? []) {
    context.addIssue({ code: "custom", path: ["value", ...issue.path], message: issue.message });
  }
});
export type Isolator = z.infer<typeof Isolator>;

const single: readonly IsolatorName[] = [
  "os/linux/cpu-shares",
  "os/linux/oom-score-adj",
  "os/linux/selinux-context",
  "os/linux/apparmor-profile",
  "os/unix/sysctl",
  "os/linux/seccomp-remove-set",
  "os/linux/seccomp-retain-set",
];
const exclusive: readonly (readonly [IsolatorName, IsolatorName, string])[] = [
  ["os/linux/seccomp-remove-set", "os/linux/seccomp-retain-set", "ACE-33"],
  ["os/linux/capabilities-remove-set", "os/linux/capabilities-retain-set", "ACE-39"],
];

export const Isolators = z.array(Isolator).superRefine((isolators, context) => {
  const count = (name: string) => isolators.filter((isolator) => isolator.name === name).length;
  for (const name of single) {
    if (count(name) > 1) context.addIssue({ code: "custom", message: `ACE-33: ${name} stands more than once` });
  }
  for (const [one, other, rule] of exclusive) {
    if (count(one) > 0 && count(other) > 0)
      context.addIssue({ code: "custom", message: `${rule}: ${one} and ${other} exclude each other` });
  }
});
export type Isolators = z.infer<typeof Isolators>;

export function isKnownIsolator(name: string): name is IsolatorName & ACIdentifier {
  return Object.hasOwn(valueSchemas, name);
}

/** The value of the last isolator called `name` (it was validated with the document); undefined when there is none. */
export function isolatorValue<N extends IsolatorName>(
  isolators: readonly { readonly name: string; readonly value?: unknown }[],
  name: N,
): IsolatorValue<N> | undefined {
  return isolators.findLast((isolator) => isolator.name === name)?.value as IsolatorValue<N> | undefined;
}

/** An isolator made by us, for flags such as --memory. */
export function isolator<N extends IsolatorName>(name: N, value: IsolatorValue<N>): Isolator {
  return Isolator.parse({ name, value });
}
