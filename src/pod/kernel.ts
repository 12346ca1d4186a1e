/** What this kernel can do for pods of one data directory, found once and remembered: trying costs more than starting a pod. */
import { readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { errnoOf } from "../base/failure.ts";
import { ioFailure } from "../base/files.ts";
import { readStateText } from "../base/state-file.ts";
import { probeKernelSync } from "../shim/probe.ts";

/**
 * Whether the trees below `data` can be idmapped lower directories of an overlay. Remembered in `<data>/kernel` for this release of
 * the kernel and the file system that `data` is on; a file that is torn or says anything else is made again. Only root can find out.
 */
export function canIdmapOverlay(data: string): boolean {
  const path = join(data, "kernel");
  const release = readFileSync("/proc/sys/kernel/osrelease", "latin1").trim();
  const here = `${release} ${statSync(data).dev}`;
  const known = readStateText(path);
  if (known === `${here} idmap\n`) return true;
  if (known === `${here} copy\n`) return false;
  const { idmapOverlay } = probeKernelSync(data);
  remember(path, `${here} ${idmapOverlay ? "idmap" : "copy"}\n`);
  return idmapOverlay;
}

/** Made anew: what stands there may be a link or a FIFO. Another process may be doing the same, and what cannot be kept is found out again. */
function remember(path: string, text: string): void {
  try {
    rmSync(path, { force: true });
    writeFileSync(path, text, { mode: 0o600, flag: "wx" });
  } catch (error) {
    if (!["EEXIST", "EISDIR", "ERR_FS_EISDIR"].includes(errnoOf(error) ?? "")) {
      throw ioFailure(error, `cannot write ${path}`, path);
    }
  }
}
