/** Which security modules with per-process profiles this kernel runs. */
import { existsSync, readFileSync } from "node:fs";
import { errnoOf } from "../base/failure.ts";

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

/** AppArmor's loaded profiles → their modes, such as `enforce`; undefined when the list is not shown to us. */
export function readProfileModes(
  list = "/sys/kernel/security/apparmor/profiles",
): ReadonlyMap<string, string> | undefined {
  const text = readIfShown(list);
  if (text === undefined) return undefined;
  const lines = [...text.matchAll(/^(.+) \(([a-z]+)\)$/gm)];
  return new Map(lines.map(([, name = "", mode = ""]) => [name, mode]));
}

export function isSelinuxPermissive(file = "/sys/fs/selinux/enforce"): boolean {
  return readIfShown(file)?.trim() === "0";
}

function readIfShown(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (["ENOENT", "EACCES", "EPERM"].includes(errnoOf(error) ?? "")) return undefined;
    throw error;
  }
}
