/**
 * In the network of inner-network.ts each argument is the name of an image and the place that its discovery page names; printed is, as JSON, how
 * asking for the signature, for the presence of the image, for the image and for the keys ended, and what was reached. `{port}` is the server's.
 */
import { findKeys } from "../../src/api/trust.ts";
import { Failure } from "../../src/base/failure.ts";
import { silentLog } from "../../src/base/log.ts";
import { acquireArchive, acquireSignature, isThere } from "../../src/fetch/acquire.ts";
import { openAnswers } from "../../src/fetch/answers.ts";
import { locate } from "../../src/fetch/locate.ts";
import { parseImageName } from "../../src/fetch/reference.ts";
import { beginImport } from "../../src/store/blobs.ts";
import { openStore } from "../../src/store/layout.ts";
import { head, http, port, reached } from "./inner-network.ts";
import { testSettings } from "./settings.ts";
import { makeTemporary } from "./temporary.ts";

const ends: string[] = [];
async function end(act: () => Promise<unknown>): Promise<void> {
  try {
    await act();
    ends.push("reached");
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const code = Reflect.get(Object(error.cause), "code");
    ends.push(code === undefined ? error.code : `${error.code} ${code}`);
  }
}

const { path, remove } = await makeTemporary();
const store = await openStore(path);
const options = {
  http: async () => http,
  insecureHttp: true,
  log: silentLog,
  answers: openAnswers(store, () => new Date()),
};
const settings = { ...testSettings(), http: async () => http, insecure: new Set(["http", "pubkey"] as const) };
for (const argument of process.argv.slice(2)) {
  const [name = "", place = ""] = argument.replaceAll("{port}", String(port)).split(" ");
  head.html = `<meta name="ac-discovery" content="${name} ${place}.{ext}"><meta name="ac-discovery-pubkeys" content="${name} ${place}.asc">`;
  const [found] = await locate(parseImageName(name), options);
  if (found === undefined) throw new Error(`${name} has no place`);
  await end(() => acquireSignature(found.signature, options));
  await end(() => isThere(found.image, options));
  const staging = await beginImport(store, undefined, name);
  await end(() => acquireArchive(found.image, staging, options, undefined));
  await staging.abandon();
  await end(() => findKeys(settings, { prefix: name }, []));
}
await remove();
process.stdout.write(JSON.stringify({ ends, reached }));
process.exit(0);
