import assert from "node:assert/strict";
import { renameSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { fetchImages } from "../../src/api/fetch.ts";
import type { Settings } from "../../src/api/settings.ts";
import { storeTrustedKey } from "../../src/trust/keystore.ts";
import { fails } from "../helpers/failures.ts";
import { FetchWorld } from "../helpers/fetch-world.ts";
import { settingsIn } from "../helpers/trust.ts";

let world: FetchWorld;
beforeEach(async () => {
  world = await FetchWorld.open();
});
afterEach(() => world.close());

const settings = (changes: Partial<Settings> = {}) =>
  settingsIn(world.directory, { http: async () => world.http, ...changes });
const trustIn = (directory: string) =>
  storeTrustedKey(join(world.directory, directory), { prefix: "example.com" }, world.key.armored);

describe("fetchImages", () => {
  it("takes the keys of system, machine and user, and updates unless told otherwise", async () => {
    await world.publish({ name: "example.com/web" });
    const images = [{ reference: "example.com/web" }];
    await assert.rejects(fetchImages(settings(), { images }), fails("KEY_UNTRUSTED"));
    await trustIn("local");
    const [record] = await fetchImages(settings(), { images });
    assert.equal(record?.name, "example.com/web");
    const count = world.server.requests.length;
    await fetchImages(settings(), { images, pullPolicy: "new" });
    assert.equal(world.server.requests.length, count);
    await fetchImages(settings(), { images });
    assert.ok(world.server.requests.length > count);
  });

  it("hands --insecure-options=image on", async () => {
    const { path } = await world.writeImage("web.aci", { name: "example.com/web" }, "none");
    const [record] = await fetchImages(settings({ insecure: new Set(["image"]) }), { images: [{ reference: path }] });
    assert.deepEqual(record?.signers, []);
  });

  it("a signature file is for one URL or path", async () => {
    await trustIn("user");
    const { path } = await world.writeImage("web.aci", { name: "example.com/web" });
    renameSync(`${path}.asc`, join(world.directory, "elsewhere"));
    const signature = join(world.directory, "elsewhere");
    const [record] = await fetchImages(settings(), { images: [{ reference: path, signature }] });
    assert.equal(record?.signers.length, 1);
    for (const reference of ["example.com/web", record?.id ?? ""]) {
      await assert.rejects(
        fetchImages(settings(), { images: [{ reference, signature }] }),
        fails("USAGE", /signature/),
      );
    }
  });

  it("parses every reference before it fetches any", async () => {
    const images = ["example.com/web", "Nonsense"].map((reference) => ({ reference }));
    await assert.rejects(fetchImages(settings(), { images }), fails("USAGE", /Nonsense/));
    assert.deepEqual(world.server.paths(), []);
  });
});
