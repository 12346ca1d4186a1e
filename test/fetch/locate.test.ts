import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type Location, locate } from "../../src/fetch/locate.ts";
import { parseReference } from "../../src/fetch/reference.ts";
import { fails } from "../helpers/failures.ts";
import { arch, FetchWorld } from "../helpers/fetch-world.ts";

const unused = () => Promise.reject(new Error("nothing may be asked"));

async function place(text: string, signature?: string) {
  const reference = parseReference(text);
  if (reference.kind === "id" || reference.kind === "oci") throw new Error("not to be located");
  return first(await locate(reference, { http: unused, insecureHttp: false, signature }));
}

function first(locations: readonly Location[]): Location {
  const [location] = locations;
  assert.ok(location !== undefined);
  return location;
}

describe("locate", () => {
  it("a file's signature is beside it, unless another is named", async () => {
    assert.deepEqual(await place("/srv/web.aci"), {
      image: { kind: "file", path: "/srv/web.aci" },
      signature: { kind: "file", path: "/srv/web.aci.asc" },
    });
    assert.deepEqual((await place("/srv/web.aci", "/tmp/other.asc")).signature, {
      kind: "file",
      path: "/tmp/other.asc",
    });
  });

  it("a URL's signature is at the same path with .asc, unless a file is named", async () => {
    assert.deepEqual((await place("https://example.com/a.aci?x=1")).signature, {
      kind: "url",
      url: "https://example.com/a.aci.asc?x=1",
    });
    assert.deepEqual((await place("https://example.com/a.aci", "/tmp/o.asc")).signature, {
      kind: "file",
      path: "/tmp/o.asc",
    });
  });
});

describe("locate: names", () => {
  let world: FetchWorld;
  before(async () => {
    world = await FetchWorld.open();
  });
  after(() => world.close());

  const find = (name: string) => {
    const reference = parseReference(name);
    if (reference.kind !== "name") throw new Error("not a name");
    return locate(reference, { http: async () => world.http, insecureHttp: false });
  };

  it("DISC-6: takes the first endpoint, for this host's os and arch", async () => {
    const { image, signature } = first(await find("example.com/web:1.0"));
    const url = `https://example.com/images/example.com/web-1.0-linux-${arch}.aci`;
    assert.deepEqual(
      [image, signature],
      [
        { kind: "url", isGuarded: false, url },
        { kind: "url", isGuarded: false, url: `${url}.asc` },
      ],
    );
  });

  it("says that there is no endpoint", async () => {
    world.server.on("/?ac-discovery=1", { body: "" });
    await assert.rejects(
      find("example.com/web"),
      fails("DISCOVERY_FAILED", /no place was found for example\.com\/web/),
    );
  });
});
