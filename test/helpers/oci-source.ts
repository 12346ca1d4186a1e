/** Images of this machine resolved as an import does it, without a store. */
import assert from "node:assert/strict";
import { silentLog } from "../../src/base/log.ts";
import { openSource } from "../../src/oci/open.ts";
import { parseOciReference } from "../../src/oci/reference.ts";
import { noRegistries } from "../../src/oci/registries.ts";
import { resolveImage } from "../../src/oci/resolve.ts";

const offline = {
  http: () => Promise.reject(new Error("no network")),
  insecureHttp: false,
  registries: noRegistries,
  log: silentLog,
};

export async function resolveLocal(text: string) {
  const reference = parseOciReference(text);
  assert.ok(reference !== undefined);
  const source = await openSource(reference, offline);
  try {
    return { ...(await resolveImage(reference, source)), imageName: source.imageName, tag: source.tag };
  } finally {
    await source.close();
  }
}
