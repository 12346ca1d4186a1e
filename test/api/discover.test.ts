import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { discoverImages } from "../../src/api/discover.ts";
import { fails } from "../helpers/failures.ts";
import { arch, FetchWorld } from "../helpers/fetch-world.ts";
import { settingsIn } from "../helpers/trust.ts";

let world: FetchWorld;
before(async () => {
  world = await FetchWorld.open();
});
after(() => world.close());

const settings = () => settingsIn(world.directory, { http: async () => world.http });

describe("discoverImages", () => {
  it("says where image, signature and keys are, for the host's os and arch, and what was asked", async () => {
    const [found] = await discoverImages(settings(), { names: ["example.com/web:1.0"] });
    const image = `https://example.com/images/example.com/web-1.0-linux-${arch}.aci`;
    assert.deepEqual(found, {
      name: "example.com/web",
      labels: [
        { name: "version", value: "1.0" },
        { name: "os", value: "linux" },
        { name: "arch", value: arch },
      ],
      endpoints: [{ image, signature: `${image}.asc` }],
      keys: [],
      attempts: [
        { url: "https://example.com/web?ac-discovery=1", outcome: "answered with status 404", kind: "absent" },
        {
          url: "https://example.com?ac-discovery=1",
          outcome: "1 ac-discovery, no ac-discovery-pubkeys tag for example.com/web",
          kind: "found",
        },
      ],
    });
  });

  it("takes names only, all of them valid before anything is asked", async () => {
    const count = world.server.requests.length;
    await assert.rejects(discoverImages(settings(), { names: ["example.com/web", "./web.aci"] }), fails("USAGE"));
    assert.equal(world.server.requests.length, count);
  });

  it("nothing found is a failure with every attempt", async () => {
    world.server.on("/?ac-discovery=1", { body: "" });
    await assert.rejects(
      discoverImages(settings(), { names: ["example.com/web"] }),
      fails("DISCOVERY_FAILED", /example\.com\/web/, { cause: /status 404; .*no ac-discovery tag/ }),
    );
  });
});
