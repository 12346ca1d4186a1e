/** Exposed ports and volumes of a config as ports and mount points of an app (OCI-36, OCI-37). Pure. */
import { excerpt } from "../base/failure.ts";
import { sanitiseName } from "../schema/grammar.ts";

export interface MappedPort {
  readonly name: string;
  readonly protocol: string;
  readonly port: number;
  readonly count: number;
}

export interface MappedVolume {
  readonly name: string;
  readonly path: string;
  readonly readOnly: false;
}

/** `80`, `80/tcp`, `8000-8010/udp`. What is none is left out with a warning. */
export function mapPorts(exposed: readonly string[], warnings: string[]): readonly MappedPort[] {
  const ports = new Map<string, MappedPort>();
  for (const text of exposed) {
    const match = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/([A-Za-z]{1,16}))?$/.exec(text);
    const first = Number(match?.[1] ?? 0);
    const last = Number(match?.[2] ?? first);
    if (first < 1 || last < first || last > 65535) {
      warnings.push(`the exposed port ${excerpt(text)} is left out: it is no port`);
      continue;
    }
    const protocol = (match?.[3] ?? "tcp").toLowerCase();
    const name = `${first === last ? first : `${first}-${last}`}-${protocol}`;
    if (!ports.has(name)) ports.set(name, { name, protocol, port: first, count: last - first + 1 });
  }
  return [...ports.values()];
}

/** Named after their path; of two whose names would be the same the second gets a number. */
export function mapVolumes(volumes: readonly string[], warnings: string[]): readonly MappedVolume[] {
  const mounts = new Map<string, MappedVolume>();
  const names = new Map<string, number>();
  for (const text of volumes) {
    const parts = text.split("/").filter((part) => part !== "" && part !== ".");
    if (parts.length === 0 || parts.includes("..") || text.includes("\0") || text.length > 4095) {
      warnings.push(`the volume ${excerpt(text)} is left out: nothing can be mounted there`);
      continue;
    }
    const path = `/${parts.join("/")}`;
    if (mounts.has(path)) continue;
    const name = freeName(names, sanitiseName(`volume ${path.slice(0, 200)}`) ?? "volume");
    mounts.set(path, { name, path, readOnly: false });
  }
  return [...mounts.values()];
}

/** @param used name → the number that was tried last: many volumes of one name must not cost the square of their count */
function freeName(used: Map<string, number>, name: string): string {
  let number = used.get(name) ?? 1;
  let free = name;
  if (used.has(name)) {
    do free = `${name}-${++number}`;
    while (used.has(free));
  }
  used.set(name, number);
  used.set(free, used.get(free) ?? 1);
  return free;
}
