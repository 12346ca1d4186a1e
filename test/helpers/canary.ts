/** A directory of the host with things that hostile images aim at. Whatever a pod does, its snapshot must stay the same. */

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const files = ["ptmx", "console", "null", "passwd", "group", "hostname", "hosts", "resolv.conf", "mtab", "target"];

export function makeCanary(directory: string): void {
  mkdirSync(join(directory, "pts"), { recursive: true });
  mkdirSync(join(directory, "mqueue"));
  for (const name of files) writeFileSync(join(directory, name), `the host's ${name}\n`);
  chmodSync(join(directory, "target"), 0o4755);
  spawnSync("mkfifo", [join(directory, "fifo")]);
}

/** Every path with all that lstat knows but the time of access, and its content. */
export function canarySnapshot(directory: string): readonly string[] {
  const paths = readdirSync(directory, { recursive: true }).map(String).sort();
  return ["", ...paths].map((path) => {
    const { atime: _, atimeMs: __, atimeNs: ___, ...stat } = lstatSync(join(directory, path), { bigint: true });
    return [path, ...Object.values(stat).map(String), contentOf(join(directory, path))].join(" ");
  });
}

function contentOf(path: string): string {
  const stat = lstatSync(path);
  if (stat.isSymbolicLink()) return readlinkSync(path);
  return stat.isFile() ? createHash("sha512").update(readFileSync(path)).digest("hex") : "";
}
