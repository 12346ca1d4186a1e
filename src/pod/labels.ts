/** Profiles of AppArmor and contexts of SELinux that pod and apps ask for → what the shim applies (ACE-36, ACE-37, ISO-14). Pure. */
import { excerpt, Failure } from "../base/failure.ts";
import type { IsolatorName } from "../schema/isolators.ts";
import { type Level, lastValue, say } from "./isolator-level.ts";
import type { SecurityModule } from "./lsm.ts";

export interface LabelOptions {
  readonly securityModules: readonly SecurityModule[];
  /** AppArmor's loaded profiles and their modes; undefined when that cannot be read: then the kernel says it at the start. */
  readonly profileModes?: (() => ReadonlyMap<string, string> | undefined) | undefined;
  /** SELinux only logs what it would refuse. */
  readonly isPermissive?: (() => boolean) | undefined;
}

/** What a program is to run with. */
export interface Labels {
  readonly apparmor?: string | undefined;
  readonly selinux?: string | undefined;
}

const isolators: Readonly<Record<SecurityModule, IsolatorName>> = {
  apparmor: "os/linux/apparmor-profile",
  selinux: "os/linux/selinux-context",
};

/**
 * `pod` is the pod's level when `level` is an app's. An app's own replaces the pod's, but for an image's: it is not the image that says what
 * whoever runs the pod has said. @throws Failure KERNEL_LACKS for a profile that is not loaded, UNSUPPORTED for one in a namespace or stacked
 */
export function decideLabels(level: Level, pod: Level | undefined, options: LabelOptions): Labels {
  const [apparmor, selinux] = (["apparmor", "selinux"] as const).map((module) => decide(module, level, pod, options));
  return { ...(apparmor === undefined ? {} : { apparmor }), ...(selinux === undefined ? {} : { selinux }) };
}

function decide(
  module: SecurityModule,
  level: Level,
  pod: Level | undefined,
  options: LabelOptions,
): string | undefined {
  const name = isolators[module];
  const own = labelAt(level, module);
  const ofPod = pod === undefined ? undefined : labelAt(pod, module);
  const isOverruled = own !== undefined && ofPod !== undefined && level.fromImage.has(name);
  const wanted = isOverruled ? ofPod : (own ?? ofPod);
  if (wanted === undefined) return undefined;
  const isActive = options.securityModules.includes(module);
  const lacks = [
    ...(isOverruled ? ["the pod's holds, which an image cannot replace"] : []),
    ...(isActive ? lacksOf(module, wanted, options) : []),
  ];
  if (own !== undefined) {
    if (isActive) say(level, name, lacks.length > 0 ? "modified" : "enforced", [wanted, ...lacks].join("; "));
    else say(level, name, "ignored", `this kernel does not run ${module}`);
  }
  return isActive ? wanted : undefined;
}

function lacksOf(module: SecurityModule, label: string, options: LabelOptions): readonly string[] {
  return module === "apparmor" ? appArmorLacks(label, options) : seLinuxLacks(options);
}

function labelAt(level: Level, module: SecurityModule): string | undefined {
  if (module === "apparmor") return lastValue(level, "os/linux/apparmor-profile")?.profile;
  const context = lastValue(level, "os/linux/selinux-context");
  return context && [context.user, context.role, context.type, context.level].join(":");
}

/** ACE-37: without the profile the app must not run. */
function appArmorLacks(profile: string, { profileModes }: LabelOptions): readonly string[] {
  if (profile.startsWith(":") || profile.includes("//&")) {
    throw new Failure("UNSUPPORTED", `AppArmor profile ${excerpt(profile)}: neither namespaces nor stacks are taken`, {
      subject: profile,
    });
  }
  if (profile === "unconfined") return ["which is no profile"];
  const modes = profileModes?.();
  if (modes === undefined) return [];
  const mode = modes.get(profile);
  if (mode === undefined) {
    throw new Failure("KERNEL_LACKS", `the AppArmor profile ${excerpt(profile)} is not loaded`, {
      subject: profile,
      hint: "load it with apparmor_parser -r FILE",
    });
  }
  return mode === "enforce" ? [] : [`the profile is in mode ${mode}: it refuses nothing`];
}

function seLinuxLacks({ isPermissive }: LabelOptions): readonly string[] {
  return isPermissive?.() === true ? ["SELinux is permissive: it refuses nothing"] : [];
}
