/** Gives a directory of the data directory to a user of the pods, as only their root may. */
import { spawnSync } from "node:child_process";
import { ioFailure } from "../base/files.ts";
import { shimPath } from "./binary.ts";
import { mapping, shimFailure } from "./child.ts";

export interface Owner {
  /** Ids inside of the pods. */
  readonly uid: number;
  readonly gid: number;
  /** Permission bits. */
  readonly mode: number;
}

/** `path` is relative to `directory` and has no link on its way. @throws Failure UNSUPPORTED for an id that is not mapped, SHIM_FAILED */
export function giveDirectory(directory: string, path: string, { uid, gid, mode }: Owner): void {
  const words = [...mapping("own"), "own", path, String(uid), String(gid), mode.toString(8).padStart(4, "0")];
  const { error, status, stderr } = spawnSync(shimPath(), words, { cwd: directory, env: {} });
  if (error !== undefined) throw ioFailure(error, `cannot work in ${directory}`, directory);
  if (status !== 0) throw shimFailure("own", stderr.toString("latin1"), `exit status ${status}`);
}
