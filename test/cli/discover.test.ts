import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import command from "../../src/cli/commands/discover.ts";
import { arch, FetchWorld } from "../helpers/fetch-world.ts";
import { contextOf, settingsIn } from "../helpers/trust.ts";

let world: FetchWorld;
before(async () => {
  world = await FetchWorld.open();
});
after(() => world.close());

describe("perigee discover", () => {
  it("shows image, signature, keys and every attempt of each name", async () => {
    const key = '<meta name="ac-discovery-pubkeys" content="example.com https://example.com/keys.gpg">';
    const tag = '<meta name="ac-discovery" content="example.com https://example.com/{name}-{version}.{ext}">';
    world.server.on("/?ac-discovery=1", { body: tag + key });
    const settings = settingsIn(world.directory, { http: async () => world.http });
    const context = contextOf(command, settings, { args: ["example.com/web:1.0"] });
    assert.deepEqual(command.text(await command.run(context), context), [
      `example.com/web,version=1.0,os=linux,arch=${arch}`,
      "  image: https://example.com/example.com/web-1.0.aci",
      "  signature: https://example.com/example.com/web-1.0.aci.asc",
      "  key: https://example.com/keys.gpg",
      "  asked: https://example.com/web?ac-discovery=1: answered with status 404",
      "  asked: https://example.com?ac-discovery=1: 1 ac-discovery, 1 ac-discovery-pubkeys",
    ]);
  });

  it("makes what a site wrote harmless", async () => {
    const tag = '<meta name="ac-discovery" content="example.com https://example.com/\u001b[2J{ext}">';
    const key = '<meta name="ac-discovery-pubkeys" content="example.com https://example.com/keys.gpg">';
    world.server.on("/?ac-discovery=1", { body: tag + key });
    const settings = settingsIn(world.directory, { http: async () => world.http });
    const context = contextOf(command, settings, { args: ["example.com"] });
    const text = command.text(await command.run(context), context).join("\n");
    assert.match(text, /no usable ac-discovery tag/);
    assert.ok(!text.includes("\u001b"));
  });
});
