import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { maxAgeOf } from "../../src/fetch/answers.ts";
import type { FetchContext } from "../../src/fetch/member.ts";
import { answersOf, keepAnswer, readAnswer } from "../../src/store/answers.ts";
import { blobPath } from "../../src/store/layout.ts";
import { openKeystore } from "../../src/trust/keystore.ts";
import { fails } from "../helpers/failures.ts";
import { FetchWorld, keepingLog } from "../helpers/fetch-world.ts";
import { type Versioned, versioned } from "../helpers/https-server.ts";
import { day, now } from "../helpers/trust.ts";

let world: FetchWorld;
beforeEach(async () => {
  world = await FetchWorld.open();
});
afterEach(() => world.close());

const name = "example.com/web";
let serial = 0;
async function publish(content: string, how: Versioned = {}, ago = 1) {
  serial += 1;
  const served = { etag: `"${serial}"`, ...how };
  world.server.on("/web?ac-discovery=1", versioned(Buffer.from(FetchWorld.page), served));
  return await world.publish({ name, content }, { served, signedAt: new Date(now.getTime() - ago * day) });
}
async function requests(act: () => Promise<unknown>) {
  const before = world.server.requests.length;
  await act();
  return world.server.requests.slice(before);
}
const later = (seconds: number): Partial<FetchContext> => ({ now: () => new Date(now.getTime() + seconds * 1000) });

describe("fetching what is up to date", () => {
  it("takes three conditional requests: page, signature, image", async () => {
    const { id } = await publish("same");
    await world.fetch(name);
    const asked = await requests(async () => assert.equal((await world.fetch(name)).id, id));
    assert.equal(asked.length, 3);
    for (const { path, headers } of asked) assert.equal(headers["if-none-match"], `"${serial}"`, path);
  });

  it("makes no working directory for what does not come", async () => {
    await publish("same");
    await world.fetch(name);
    const staging = join(world.store.root, "staging");
    const before = statSync(staging).mtimeMs;
    await world.fetch(name);
    assert.equal(statSync(staging).mtimeMs, before);
  });

  it("does not parse a page again that did not change, unless another version of the rules did", async () => {
    const { id } = await publish("same");
    await world.fetch(name);
    const url = `https://${name}?ac-discovery=1`;
    const kept = readAnswer(world.store, url);
    assert.ok(kept !== undefined);
    const elsewhere = { images: [{ prefix: "example.com", url: "https://example.com/else.{ext}" }], keys: [] };
    await keepAnswer(world.store, { ...kept, said: { ...elsewhere, rules: 1 } });
    await assert.rejects(world.fetch(name), fails("NOT_FOUND"));
    await keepAnswer(world.store, { ...kept, said: { ...elsewhere, rules: 0 } });
    assert.equal((await world.fetch(name)).id, id);
  });

  it("takes none within max-age, and three conditional ones behind it", async () => {
    const { id } = await publish("same", { cacheControl: "max-age=600" });
    await world.fetch(name);
    const fetch = (seconds: number) => async () =>
      assert.equal((await world.fetch(name, "update", later(seconds))).id, id);
    assert.equal((await requests(fetch(599))).length, 0);
    assert.equal((await requests(fetch(601))).length, 3);
    assert.equal((await requests(fetch(1100))).length, 0, "the age begins anew with a 304");
    assert.equal((await requests(fetch(-10))).length, 3, "a clock that went back is no proof of freshness");
  });

  it("Last-Modified does where there is no ETag; without both everything comes again", async () => {
    const served = { lastModified: "Tue, 01 Jul 2025 10:00:00 GMT" };
    world.server.on("/web?ac-discovery=1", versioned(Buffer.from(FetchWorld.page), served));
    await world.publish({ name }, { served });
    await world.fetch(name);
    const asked = await requests(() => world.fetch(name));
    assert.deepEqual(
      asked.map(({ headers }) => headers["if-modified-since"]),
      Array(3).fill(served.lastModified),
    );
  });

  it("verifies as if it had just come: a key that is not trusted any more, a damaged signature", async () => {
    await publish("same");
    await world.fetch(name);
    const none = { keystore: openKeystore({ directories: [join(world.directory, "nothing")] }) };
    await assert.rejects(world.fetch(name, "update", none), fails("KEY_UNTRUSTED"));
  });

  it("T-D14: a stored archive with one flipped bit is not believed, whatever the ETag says, and is replaced", async () => {
    for (const how of [{}, { cacheControl: "max-age=600" }]) {
      const { id, bytes } = await publish(`bits ${serial}`, how);
      const { archive } = await world.fetch(name);
      const path = blobPath(world.store, archive.sha512);
      const rotten = Buffer.from(bytes);
      rotten.writeUInt8(rotten.readUInt8(40) ^ 1, 40);
      writeFileSync(path, rotten);
      const log = keepingLog();
      assert.equal((await world.fetch(name, "update", { log })).id, id);
      assert.match(log.messages.join("\n"), /damaged/);
      assert.ok(readFileSync(path).equals(bytes));
    }
  });

  it("an image stored unverified is verified when it is fetched again, and then has signers", async () => {
    const { id } = await publish("same");
    assert.deepEqual((await world.fetch(name, "update", { insecure: { image: true, http: false } })).signers, []);
    const record = await world.fetch(name);
    assert.equal(record.id, id);
    assert.equal(record.signers.length, 1);
  });

  it("what was published within max-age of the old page, signature or image is found out, not mixed up", async () => {
    await publish("old", { cacheControl: "max-age=600" }, 3);
    await world.fetch(name);
    const fresh = await publish("new", {}, 1);
    assert.ok(await world.fetch(name), "still the old one: nobody was asked");
    for (const file of readdirSync(answersOf(world.store))) {
      const path = join(answersOf(world.store), file);
      if (!readFileSync(path, "utf8").includes('.aci"')) continue;
      writeFileSync(path, "torn");
    }
    assert.equal((await world.fetch(name)).id, fresh.id, "the old signature with the new image leads to asking anew");
  });

  it("no-store keeps nothing", async () => {
    await publish("same", { cacheControl: "no-store" });
    await world.fetch(name);
    assert.equal((await requests(() => world.fetch(name))).filter((r) => r.headers["if-none-match"]).length, 0);
  });
});

describe("maxAgeOf", () => {
  for (const [control, age, expected] of [
    ["max-age=60", undefined, 60],
    ["public, max-age=60", "20", 40],
    ["max-age=60", "100", 0],
    ["max-age=31536000, immutable", undefined, 86_400],
    ["max-age=60, no-cache", undefined, 0],
    ["", undefined, 0],
    ["max-age=x", "y", 0],
  ] as const) {
    it(`${control || "nothing"}, Age ${age}: ${expected} s`, () => assert.equal(maxAgeOf(control, age), expected));
  }
});
