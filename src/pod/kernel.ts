/** What this kernel can do for pods of one data directory, found once and remembered: trying costs more than starting a pod. */
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { errnoOf } from "../base/failure.ts";
import { ioFailure } from "../base/files.ts";
import { probeKernelSync } from "../shim/probe.ts";

/**
 * Whether the trees below `data` can be idmapped lower directories of an overlay. Remembered in `<data>/kernel` for this release of
 * the kernel and the file system that `data` is on; a file that is torn or says anything else is made again. Only root can find out.
 */
export function canIdmapOverlay(data: string): boolean {
  const path = join(data, "kernel");
  const release = readFileSync("/proc/sys/kernel/osrelease", "latin1").trim();
  const here = `${release} ${statSync(data).dev}`;
  const known = readKnown(path);
  if (known === `${here} idmap\n`) return true;
  if (known === `${here} copy\n`) return false;
  const { idmapOverlay } = probeKernelSync(data);
  try {
    writeFileSync(path, `${here} ${idmapOverlay ? "idmap" : "copy"}\n`, { mode: 0o600 });
  } catch (error) {
    throw ioFailure(error, `cannot write ${path}`, path);
  }
  return idmapOverlay;
}

function readKnown(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw ioFailure(error, `cannot read ${path}`, path);
  }
}
