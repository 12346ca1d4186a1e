import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { fails } from "../helpers/failures.ts";
import { FetchWorld, keepingLog } from "../helpers/fetch-world.ts";
import type { Script } from "../helpers/https-server.ts";
import { makeKey } from "../helpers/trust.ts";

let world: FetchWorld;
beforeEach(async () => {
  world = await FetchWorld.open();
  const tag = (directory: string) =>
    `<meta name="ac-discovery" content="example.com https://example.com/${directory}/{name}.{ext}">`;
  world.server.on("/?ac-discovery=1", { body: ["one", "two", "three"].map(tag).join("") });
});
afterEach(() => world.close());

const name = "example.com/web";
const at = (mirror: string) => `/${mirror}/${name}.aci`;
const publish = (mirror: string, content = "hello", key?: Awaited<ReturnType<typeof makeKey>>) =>
  world.publish({ name, content }, { at: at(mirror), key });

describe("mirrors (DISC-6)", () => {
  it("the first that has it is taken, and no other is asked", async () => {
    const { id } = await publish("one");
    await publish("two", "other");
    assert.equal((await world.fetch(name)).id, id);
    assert.ok(world.server.paths().every((path) => !path.includes("/two/")));
  });

  const bad: readonly (readonly [string, Script])[] = [
    ["has nothing", { status: 404 }],
    ["fails", { status: 503 }],
    ["wants to know who we are", { status: 401 }],
    ["breaks off", { body: Buffer.alloc(1000), resetAt: 10 }],
    ["answers HTML", { body: "<!doctype html><title>Welcome</title>", headers: { "Content-Type": "text/html" } }],
    ["redirects in a circle", { status: 302, headers: { Location: at("one") } }],
  ];
  for (const [why, script] of bad) {
    it(`the next is asked when one ${why}`, async () => {
      await publish("one");
      world.server.on(at("one"), script);
      const { id } = await publish("two");
      const log = keepingLog();
      assert.equal((await world.fetch(name, "update", { log })).id, id);
      assert.match(log.messages.join("\n"), /trying the next place/);
    });
  }

  it("a mirror with another's signature is passed over; when all are bad, the gravest is told, and all are listed", async () => {
    const stranger = await makeKey();
    await publish("one", "evil", stranger);
    world.server.on(at("two"), { status: 503 });
    world.server.on(`${at("two")}.asc`, { status: 503 });
    await assert.rejects(world.fetch(name), (error: unknown) => {
      assert.ok(fails("KEY_UNTRUSTED")(error));
      assert.ok(error instanceof Error);
      assert.match(String(error.cause), /503.*three/s);
      return true;
    });
    const { id } = await publish("three");
    assert.equal((await world.fetch(name)).id, id);
  });
});
