/** Tables of the facts of files, as those of an image that was read. */
import type { FileFacts } from "../../src/image/facts.ts";
import { type FileTable, fileTable } from "../../src/image/file-table.ts";

/** Path, facts, and for a further name of a file the earlier path. */
export function tableOf(files: readonly (readonly [path: string, facts: FileFacts, link?: string])[]): FileTable {
  const table = fileTable();
  for (const [path, facts, link] of files) {
    table.add(Buffer.from(path, "latin1"), facts, link === undefined ? undefined : Buffer.from(link, "latin1"));
  }
  return table.finish();
}
