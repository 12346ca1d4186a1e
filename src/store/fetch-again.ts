/** What the user does about what rotted in the store and cannot be made anew here, since whoever published the image has it. Pure. */
import { printable } from "../base/failure.ts";
import type { StoredRecord } from "./records.ts";

/** The source of a record that was made anew: where the image came from stood in the lost one only (LAYER-9). */
export const lostSource = "the manifest in the store";

type Known = Pick<StoredRecord, "id" | "source" | "oci">;

/** For a hint: the fetch that brings what was stored, and not what its tag means by now. */
export function fetchAgain({ id, source, oci }: Known): string {
  if (source === lostSource) return `perigee image rm ${id.slice(0, 19)}, then fetch it from where it was`;
  const registry = /^docker:\/\/[^@]+/.exec(source)?.[0];
  return `perigee fetch ${printable(oci === undefined || registry === undefined ? source : `${registry}@${oci.manifest}`)}`;
}

/** As fetchAgain, where what rotted is still in the way. */
export function verifyAndFetchAgain(record: Known): string {
  const fetch = fetchAgain(record);
  return record.source === lostSource ? fetch : `perigee image verify ${record.id.slice(0, 19)}, then ${fetch}`;
}
