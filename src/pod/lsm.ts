/** Which security modules with per-process profiles this kernel runs. */
import { existsSync } from "node:fs";

export type SecurityModule = "apparmor" | "selinux";

/** The ones that are active, not only compiled in. */
export function activeSecurityModules(): readonly SecurityModule[] {
  // The directories of both exist as soon as they are compiled in; these files only once they are on.
  const proofs: readonly (readonly [SecurityModule, string])[] = [
    ["apparmor", "/proc/self/attr/apparmor/current"],
    ["selinux", "/sys/fs/selinux/enforce"],
  ];
  return proofs.filter(([, path]) => existsSync(path)).map(([name]) => name);
}
