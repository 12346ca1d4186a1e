/** What this kernel can do for pods of one data directory, found once and remembered: trying costs more than starting a pod. */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import { join } from "node:path";
import { errnoOf } from "../base/failure.ts";
import { ioFailure } from "../base/files.ts";
import { probeKernelSync } from "../shim/probe.ts";

/**
 * Whether the trees below `data` can be idmapped lower directories of an overlay. Remembered in `<data>/kernel` for this release of
 * the kernel; a file that is torn or of another release is made again.
 */
export function canIdmapOverlay(data: string): boolean {
  const path = join(data, "kernel");
  const known = readKnown(path);
  if (known !== undefined) return known;
  const { idmapOverlay } = probeKernelSync(data);
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    writeFileSync(temporary, `${release()} ${idmapOverlay ? "idmap" : "copy"}\n`, { mode: 0o600 });
    renameSync(temporary, path);
  } catch (error) {
    throw ioFailure(error, `cannot write ${path}`, path);
  }
  return idmapOverlay;
}

function readKnown(path: string): boolean | undefined {
  try {
    const text = readFileSync(path, "utf8");
    if (text === `${release()} idmap\n`) return true;
    return text === `${release()} copy\n` ? false : undefined;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw ioFailure(error, `cannot read ${path}`, path);
  }
}
