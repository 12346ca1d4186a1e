/** What a process has open. */

import { readdirSync, readlinkSync } from "node:fs";

/** Where the links of its descriptors lead. One that was closed between the look at the directory and the look at it is left out. */
export function openLinks(pid: number | undefined): readonly string[] {
  const directory = `/proc/${pid}/fd`;
  return readdirSync(directory).flatMap((fd) => {
    try {
      return [readlinkSync(`${directory}/${fd}`)];
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
      throw error;
    }
  });
}
