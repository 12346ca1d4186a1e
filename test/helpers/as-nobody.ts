/** What an ordinary user may do to files, asked of this process, which is root's otherwise. */
import assert from "node:assert/strict";
import process from "node:process";

/** A user and group that nothing of ours belongs to. */
export const nobody = 65534;

/** Only for what does its work at once: the whole process is another user meanwhile. */
export function asNobody<T>(work: () => T): T {
  assert.ok(process.seteuid && process.setegid);
  process.setegid(nobody);
  process.seteuid(nobody);
  try {
    return work();
  } finally {
    process.seteuid(0);
    process.setegid(0);
  }
}
