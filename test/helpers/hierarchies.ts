/** The machine's cgroups, as far as tests make some of their own there. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Where each kind of hierarchy is mounted that can tell processes apart: v2, and v1 with the controller `pids`. */
export function hierarchies(): readonly string[] {
  const mounts = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  const kinds = [/ - cgroup2 /, / - cgroup .*[ ,]pids(?:,|$)/].map((kind) => mounts.find((line) => kind.test(line)));
  return kinds.flatMap((line) => line?.split(" ")[4] ?? []);
}

/** Those of them in which a new cgroup can bound its processes (`pids.max`). */
export function limitingHierarchies(): readonly string[] {
  return hierarchies().filter((place) => {
    const file = join(place, "cgroup.subtree_control");
    return !existsSync(file) || readFileSync(file, "utf8").trim().split(" ").includes("pids");
  });
}
