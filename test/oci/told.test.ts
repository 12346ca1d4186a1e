/** OCI-94, with the client that is used: places that a registry names are not told who we are, though the client knows us there. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { silentLog } from "../../src/base/log.ts";
import type { Credentials } from "../../src/http/authorisation.ts";
import { parseDigest } from "../../src/oci/digest.ts";
import { once } from "../../src/oci/outgoing.ts";
import { pushImage } from "../../src/oci/push.ts";
import { parseOciReference } from "../../src/oci/reference.ts";
import { openRegistry } from "../../src/oci/registry.ts";
import { resolveImage } from "../../src/oci/resolve.ts";
import { fails } from "../helpers/failures.ts";
import { host, openHttpScene } from "../helpers/http-scene.ts";
import { makeParts, ociTypes } from "../helpers/oci-images.ts";

const { client, server } = await openHttpScene();
/** Of the user, and of nobody whom the registry knows. */
const other = "cdn.example.net";
const mine: Credentials = { kind: "basic", user: "ann", password: "geheim" };
const http = client({ credentials: new Map([[other, mine]]) });
const options = { http, insecureHttp: false, credentials: async () => undefined, log: silentLog };
const reference = parseOciReference(`docker://${host}/team/web:1`);
assert.ok(reference?.from === "registry");

const heard = (path: string) =>
  server.requests
    .filter((request) => request.host === other && request.path.split("?")[0] === path)
    .map(({ headers }) => headers.authorization);

describe("OCI-94: a place that a registry names", () => {
  it("is one where the client would say who we are", async () => {
    server.on(`${other}/own`, {});
    (await http.get(`https://${other}/own`)).discard();
    assert.deepEqual(heard("/own"), [`Basic ${Buffer.from("ann:geheim").toString("base64")}`]);
  });

  it("gives no token by the user's password", async () => {
    const authenticate = `Bearer realm="https://${other}/token"`;
    server.on(`${host}/v2/team/web/manifests/1`, { status: 401, headers: { "www-authenticate": authenticate } });
    server.on(`${other}/token`, { body: '{"token":"t"}' });
    await assert.rejects(resolveImage(reference, await openRegistry(reference, options)), fails("NOT_AUTHORISED"));
    assert.deepEqual(heard("/token"), [undefined]);
  });

  it("gets a blob without the user's password", async () => {
    const made = makeParts({ layers: [] });
    const outgoing = (mediaType: string, { digest, size, bytes }: typeof made.config) => ({
      ...{ mediaType, digest: parseDigest(digest, "test"), size, bytes },
      open: () => once(bytes),
    });
    server.on(`${host}/v2/team/web/blobs/uploads/`, { status: 202, headers: { location: `https://${other}/up` } });
    server.on(`${other}/up`, { status: 201 });
    server.on(`${host}/v2/team/web/manifests/1`, { status: 201 });
    const image = {
      manifest: outgoing(ociTypes.manifest, made.manifest),
      config: outgoing(ociTypes.config, made.config),
      ...{ layers: [], diffIds: [], platform: { os: "linux", architecture: "amd64" }, lost: [] },
      name: { repository: "example.com/web", tag: "1" },
    };
    assert.equal((await pushImage(image, reference, options)).sent, 1);
    assert.deepEqual(heard("/up"), [undefined]);
  });
});
