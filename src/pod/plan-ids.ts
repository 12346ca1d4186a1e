/** What of a plan depends on whose ids the pod has: a range of its own, those of an ordinary user, or the host's. Pure. */
import { Failure } from "../base/failure.ts";
import type { CallerIds } from "../shim/caller-ids.ts";
import type { AppPlan, IdMap, Plan } from "../shim/plan.ts";
import type { PlanApp, PlanInput } from "./plan.ts";

export interface PodRange {
  /** The first id of the host. */
  readonly base: number;
  readonly count: number;
}

function isMapped(input: PlanInput, kind: "uids" | "gids", id: number): boolean {
  const maps = idMaps(input)[kind];
  return maps.length === 0 || maps.some(({ inside, count }) => id >= inside && id - inside < count);
}

/** Where one id is mapped the kernel lets nobody change groups (ISO-22). */
export function groupsOf(input: PlanInput, { user }: PlanApp): readonly number[] {
  const caller = callerOf(input);
  return caller !== undefined && caller.mappers === undefined ? [] : user.groups;
}

/** Without cgroups of its own a pod sees none: with the host's network the host's would come along with its /sys. */
export function hostCgroups(input: PlanInput): readonly string[] {
  const { visible } = input.cgroups;
  return callerOf(input) !== undefined && visible !== "v2" && visible.length === 0 ? ["/sys/fs/cgroup"] : [];
}

/** Without a cgroup that counts processes the kernel counts those of each user of the pod (ISO-24). */
export function processLimit(input: PlanInput, index: number): AppPlan["rlimits"] {
  const { cgroups, isolation } = input;
  const isCounted = cgroups.directories.some(({ writes }) => writes.some(({ file }) => file === "pids.max"));
  const most = isolation.apps[index]?.limits.pids ?? isolation.limits.pids;
  if (callerOf(input) === undefined || isCounted || most === undefined) return [];
  return [{ name: "nproc", soft: most, hard: most }];
}

export function idMaps({ userNamespace }: PlanInput): {
  readonly uids: readonly IdMap[];
  readonly gids: readonly IdMap[];
} {
  if (userNamespace === undefined) return { uids: [], gids: [] };
  if (!("base" in userNamespace)) return userNamespace;
  const { base, count } = userNamespace;
  if (base <= 0) throw new Failure("INTERNAL", "the host's root is never mapped into a pod (T-R54)");
  const range = [{ inside: 0, outside: base, count }];
  return { uids: range, gids: range };
}

/** The ids of the ordinary user whose pod it is; undefined for root's. */
export function callerOf({ userNamespace }: Pick<PlanInput, "userNamespace">): CallerIds | undefined {
  return userNamespace === undefined || "base" in userNamespace ? undefined : userNamespace;
}

/** For the record `unprivileged`. */
export function mappersOf(input: PlanInput): Plan["unprivileged"] {
  const caller = callerOf(input);
  return caller && [caller.mappers?.uids ?? "", caller.mappers?.gids ?? ""];
}

/** The option by which terminals of the pod are of the group that may write to them, where it is mapped. */
export function terminalGroupOf(input: PlanInput): string {
  return isMapped(input, "gids", 5) ? ",gid=5" : "";
}

export function requireMapped(input: PlanInput, { name, user, mounts }: PlanApp): void {
  const caller = callerOf(input);
  const used = input.manifest.volumes.filter((volume) => mounts.some(({ mount }) => mount.volume === volume.name));
  const owners = used.flatMap((volume) => (volume.kind === "host" ? [] : [volume]));
  const outside =
    [user, ...owners].map(({ uid }) => uid).find((id) => !isMapped(input, "uids", id)) ??
    [user, ...owners]
      .flatMap(({ gid }) => [gid])
      .concat(user.groups)
      .find((id) => !isMapped(input, "gids", id));
  if (outside === undefined) return;
  if (caller !== undefined) {
    throw new Failure("UNSUPPORTED", `${name}: id ${outside} is none of those that your pods have`, {
      subject: String(outside),
      cause:
        caller.lacks === undefined ? "your ranges end before it" : `there is one id, 0, for want of ${caller.lacks}`,
      hint: "ask root for ranges: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 YOU, then perigee help unprivileged",
    });
  }
  throw new Failure(
    "UNSUPPORTED",
    `${name}: id ${outside} is outside of the pod's ${idMaps(input).uids[0]?.count ?? 0} ids`,
    {
      subject: String(outside),
      hint: "pass --private-users=no, or another --user or --group",
    },
  );
}
