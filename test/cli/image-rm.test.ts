import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { openStore } from "../../src/store/layout.ts";
import { listRecordsSync } from "../../src/store/lookup.ts";
import { perigee } from "../helpers/command.ts";
import { importImage } from "../helpers/images.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

describe("perigee image rm", () => {
  it("removes by name and by ID and prints the IDs", async (t) => {
    const data = await temporaryDirectory(t);
    const store = await openStore(data);
    const one = await importImage(store, { name: "example.com/one" });
    const two = await importImage(store, { name: "example.com/two" });
    const { status, stdout, stderr } = perigee(data, "image", "rm", "example.com/one", two.id.slice(0, 15));
    assert.deepEqual([status, stdout, stderr], [0, `${one.id}\n${two.id}\n`, ""]);
    assert.deepEqual(listRecordsSync(store), []);
  });

  it("prints JSON", async (t) => {
    const data = await temporaryDirectory(t);
    const { id } = await importImage(await openStore(data), { name: "example.com/one" });
    const { stdout } = perigee(data, "image", "rm", "--format=json", id);
    assert.deepEqual(JSON.parse(stdout), [{ id, name: "example.com/one" }]);
  });

  it("ends with 3 for an unknown image, 2 for a name of several; and removes nothing", async (t) => {
    const data = await temporaryDirectory(t);
    const store = await openStore(data);
    await importImage(store, { name: "example.com/web", version: "1" });
    await importImage(store, { name: "example.com/web", version: "2" });
    const several = perigee(data, "image", "rm", "example.com/web");
    assert.equal(several.status, 2);
    assert.match(several.stderr, /error\[AMBIGUOUS\]: 2 stored images.*web:[12].*web:[12]/);
    assert.equal(perigee(data, "image", "rm", "example.com/web:1", "example.com/none").status, 3);
    assert.equal(perigee(data, "image", "rm", "sha512-0123").status, 2);
    assert.equal(listRecordsSync(store).length, 2);
  });
});
