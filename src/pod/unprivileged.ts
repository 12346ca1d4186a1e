/** Whether an ordinary user can have pods here at all. What differs in them is decided where it differs; docs/unprivileged.md lists it. */
import { readFileSync, statfsSync } from "node:fs";
import { Failure } from "../base/failure.ts";

/** A file of /proc as text, undefined when this kernel does not have it. */
export type ReadKernel = (path: string) => string | undefined;

/**
 * What distributions set to keep user namespaces from ordinary users, before something fails in the middle of a start (ISO-20).
 * @throws Failure KERNEL_LACKS with the setting and the ways out
 */
export function requireUserNamespaces(read: ReadKernel = readKernel): void {
  const value = (path: string) => read(path)?.trim();
  if (value("/proc/sys/kernel/unprivileged_userns_clone") === "0") {
    throw refused("kernel.unprivileged_userns_clone is 0", "sysctl -w kernel.unprivileged_userns_clone=1");
  }
  if (value("/proc/sys/user/max_user_namespaces") === "0") {
    throw refused("user.max_user_namespaces is 0", "sysctl -w user.max_user_namespaces=10000");
  }
  const isConfined = value("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") === "1";
  // A profile of ours would have its name here; what runs without one may make such a namespace and has no right in it.
  if (isConfined && value("/proc/self/attr/current") === "unconfined") {
    throw refused(
      "AppArmor gives ordinary users no rights in them (kernel.apparmor_restrict_unprivileged_userns)",
      "a profile for perigee-shim with `userns,` (perigee help unprivileged), or sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
    );
  }
}

function refused(cause: string, hint: string): Failure {
  return new Failure("KERNEL_LACKS", "this machine lets no ordinary user make user namespaces, which pods need", {
    cause,
    hint: `ask root for ${hint}; or sudo perigee`,
  });
}

function readKernel(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

/** By their magic numbers: overlays cannot be written to there, and ids of others do not exist. */
const networkFileSystems: ReadonlyMap<number, string> = new Map([
  [0x6969, "NFS"],
  [0xff53_4d42, "CIFS"],
  [0xfe53_4d42, "SMB"],
  [0x0102_1997, "9p"],
]);

/** @throws Failure UNSUPPORTED for a data directory on a network (ISO-20) */
export function requireLocal(data: string, typeOf: (path: string) => number = (path) => statfsSync(path).type): void {
  const name = networkFileSystems.get(typeOf(data));
  if (name === undefined) return;
  throw new Failure(
    "UNSUPPORTED",
    `the data directory ${data} is on ${name}, where no overlay of an ordinary user can be`,
    {
      subject: data,
      hint: "a directory of yours on a local disk: --dir /var/tmp/YOU-perigee, or --no-overlay, which copies",
    },
  );
}
