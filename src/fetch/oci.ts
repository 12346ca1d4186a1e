/** Images of Docker and OCI as members of a closure: they depend on nothing. What they are made of is the business of oci/. */
import type { OciReference } from "../oci/reference.ts";
import { showOciReference, storedNameOf } from "../oci/reference.ts";
import { noRegistries } from "../oci/registries.ts";
import type { Store } from "../store/layout.ts";
import { listRecordsSync, recordsNamedSync } from "../store/lookup.ts";
import type { StoredRecord } from "../store/records.ts";
import type { FetchContext, Member } from "./member.ts";

/** The newest image that came by this very reference. Reads the index only. */
export function findOciSync(store: Store, reference: OciReference): StoredRecord | undefined {
  const source = showOciReference(reference);
  const name = storedNameOf(reference);
  const records = name === undefined ? listRecordsSync(store) : recordsNamedSync(store, name);
  return records
    .filter((record) => record.oci !== undefined && record.source === source)
    .toSorted((a, b) => Date.parse(b.importedAt) - Date.parse(a.importedAt))[0];
}

/** @throws Failure as openSource and importOci */
export async function importOciMember(context: FetchContext, reference: OciReference): Promise<Member> {
  const [{ openSource }, { importOci }] = await Promise.all([import("../oci/open.ts"), import("../oci/import.ts")]);
  const { store, limits, keepOwners, log, signal, insecure, http, registries = noRegistries } = context;
  const from = { http, insecureHttp: insecure.http, registries, log, signal };
  const pending = await importOci(reference, await openSource(reference, from), {
    ...{ store, limits, keepOwners, log, signal },
    insecureImage: insecure.image,
  });
  return { record: pending.record, pending: { ...pending, dependencies: [] }, dependencies: [], depth: 0 };
}
