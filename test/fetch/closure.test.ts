import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { fetchClosure } from "../../src/fetch/closure.ts";
import { parseReference } from "../../src/fetch/reference.ts";
import { listRecords } from "../../src/store/images.ts";
import { storeTrustedKey } from "../../src/trust/keystore.ts";
import { fails } from "../helpers/failures.ts";
import { arch, FetchWorld, makeImage } from "../helpers/fetch-world.ts";
import { craft, makeKey } from "../helpers/trust.ts";

let world: FetchWorld;
beforeEach(async () => {
  world = await FetchWorld.open();
});
afterEach(() => world.close());

const offline = { http: () => Promise.reject(new Error("the network was asked")) };
const insecure = { insecure: { image: true, http: false } };
const stored = async () => (await listRecords(world.store)).map(({ name }) => name).sort();
const needs = (name: string, rest: object = {}) => ({ imageName: `example.com/${name}`, ...rest });
const images = () => world.server.paths().filter((path) => path.endsWith(".aci"));

async function refused(text: string, expected: (error: unknown) => boolean): Promise<void> {
  const before = world.snapshot();
  await assert.rejects(world.fetch(text), expected);
  assert.deepEqual(world.snapshot(), before);
}

describe("fetchClosure: the pull policy", () => {
  it("new: takes what is stored without the network, else fetches", async () => {
    await world.publish({ name: "example.com/web", version: "1" });
    const { id } = await world.fetch("example.com/web:1", "new");
    assert.equal((await world.fetch("example.com/web:1", "new", offline)).id, id);
    assert.equal((await world.fetch("example.com/web", "new", offline)).id, id);
    await assert.rejects(world.fetch("example.com/web:2", "new"), fails("NOT_FOUND"));
  });

  it("update: fetches although it is stored", async () => {
    await world.publish({ name: "example.com/web", content: "old" });
    const old = await world.fetch("example.com/web");
    await world.publish({ name: "example.com/web", content: "new" });
    const fresh = await world.fetch("example.com/web");
    assert.notEqual(fresh.id, old.id);
    assert.equal((await world.fetch("example.com/web", "new", offline)).id, fresh.id);
  });

  it("never: only what is stored, by any kind of reference", async () => {
    await assert.rejects(world.fetch("example.com/web", "never", offline), fails("NOT_FOUND", /not in the store/));
    const { path, id } = await world.writeImage("web.aci", { name: "example.com/web", version: "1" });
    await assert.rejects(world.fetch(path, "never", offline), fails("NOT_FOUND", /web\.aci/));
    await world.fetch(path);
    for (const text of ["example.com/web", "example.com/web:1", path, id, id.slice(0, 20)]) {
      assert.equal((await world.fetch(text, "never", offline)).id, id, text);
    }
  });

  it("new: a file is read anew, a URL is not", async () => {
    const spec = { name: "example.com/web", version: "1" };
    const { path, id } = await world.writeImage("web.aci", spec);
    await world.fetch(path, "new");
    const changed = await world.writeImage("web.aci", { ...spec, content: "changed" });
    assert.notEqual(changed.id, id);
    assert.equal((await world.fetch(path, "new")).id, changed.id);
    await world.publish(spec);
    const url = `https://example.com${world.pathOf(spec.name, spec.version)}`;
    await world.fetch(url, "new");
    assert.equal((await world.fetch(url, "new", offline)).id, id);
  });

  it("an image ID is never fetched", async () => {
    const id = makeImage({ name: "example.com/web" }).id;
    for (const policy of ["new", "update"] as const) {
      await assert.rejects(world.fetch(id, policy, offline), fails("NOT_FOUND"));
    }
    await assert.rejects(world.fetch("sha512-0123", "new", offline), fails("USAGE"));
  });

  it("a stored image for another architecture is not the one for this host", async () => {
    const labels = [
      { name: "os", value: "linux" },
      { name: "arch", value: "ppc64" },
    ];
    const { path } = await world.writeImage("web.aci", { name: "example.com/web", labels });
    await world.fetch(path);
    await assert.rejects(world.fetch("example.com/web", "never"), fails("NOT_FOUND"));
    const foreign = await world.fetch("example.com/web,arch=ppc64", "never");
    const any = await world.writeImage("any.aci", { name: "example.com/web", labels: [] });
    await world.fetch(any.path);
    await world.fetch(path);
    assert.equal((await world.fetch("example.com/web", "never")).id, any.id);
    assert.notEqual(foreign.id, any.id);
  });

  it("every form of reference brings the image: name, version, labels, URL, file, file URL, ID", async () => {
    const spec = { name: "example.com/web", version: "1" };
    const { id } = await world.publish(spec);
    await world.publish(spec, { at: world.pathOf(spec.name) });
    const { path } = await world.writeImage("web.aci", spec);
    const url = `https://example.com${world.pathOf(spec.name, spec.version)}`;
    const names = [
      "example.com/web",
      "example.com/web:1",
      "example.com/web,version=1",
      `example.com/web:1,arch=${arch}`,
    ];
    for (const text of [...names, url, path, `file://${path}`]) {
      assert.equal((await world.fetch(text)).id, id, text);
    }
    for (const text of [id, id.toUpperCase().replace("SHA512", "sha512"), id.slice(0, 15)]) {
      assert.equal((await world.fetch(text, "update", offline)).id, id, text);
    }
  });

  it("several requests: their records in order", async () => {
    await world.publish({ name: "example.com/a" });
    await world.publish({ name: "example.com/b" });
    const requests = ["example.com/b", "example.com/a"].map((text) => ({ reference: parseReference(text) }));
    const records = await fetchClosure(world.context(), requests, "update");
    assert.deepEqual(
      records.map(({ name }) => name),
      ["example.com/b", "example.com/a"],
    );
  });
});

describe("fetchClosure: several requests at once", () => {
  const fetchAll = (names: readonly string[], changes = {}) =>
    fetchClosure(
      world.context(changes),
      names.map((text) => ({ reference: parseReference(text) })),
      "update",
    );

  it("one that stands twice is fetched once", async () => {
    const { id } = await world.publish({ name: "example.com/a" });
    const records = await fetchAll(["example.com/a", "example.com/a"]);
    assert.deepEqual(
      records.map((record) => record.id),
      [id, id],
    );
    assert.equal(images().length, 1);
  });

  it("those before one that fails are stored, it and those behind it are not; nothing is left in staging", async () => {
    for (const name of ["a", "b", "d", "e", "f", "g"]) await world.publish({ name: `example.com/${name}` });
    const names = ["a", "b", "none", "d", "e", "f", "g"].map((name) => `example.com/${name}`);
    await assert.rejects(fetchAll(names), fails("NOT_FOUND", /example\.com\/none/));
    assert.deepEqual(await stored(), ["example.com/a", "example.com/b"]);
    assert.deepEqual(
      [...world.snapshot().keys()].filter((path) => /^staging\/./.test(path)),
      [],
    );
  });

  it("a slow one does not hold the others up", async () => {
    for (const name of ["a", "b", "c"]) await world.publish({ name: `example.com/${name}` });
    const slow = world.pathOf("example.com/a");
    const { bytes } = makeImage({ name: "example.com/a" });
    let isAsked = () => {};
    const others = new Promise<void>((resolve) => {
      isAsked = resolve;
    });
    world.server.on(slow, { body: bytes, stallAt: 10 });
    const caller = new AbortController();
    const watched = world.pathOf("example.com/c");
    const image = makeImage({ name: "example.com/c" });
    world.server.on(watched, () => {
      isAsked();
      return { body: image.bytes };
    });
    const fetching = fetchAll(["example.com/a", "example.com/b", "example.com/c"], { signal: caller.signal });
    await others;
    caller.abort();
    await assert.rejects(fetching, fails("INTERRUPTED"));
    assert.deepEqual(await stored(), []);
  });
});

describe("fetchClosure: dependencies", () => {
  it("fetches all of them, a shared one once, and stores the one asked for last", async () => {
    await world.publish({ name: "example.com/web", dependencies: [needs("left"), needs("right")] });
    await world.publish({ name: "example.com/left", dependencies: [needs("base")] });
    await world.publish({ name: "example.com/right", dependencies: [needs("base")] });
    await world.publish({ name: "example.com/base" });
    const record = await world.fetch("example.com/web");
    assert.equal(record.name, "example.com/web");
    assert.equal(record.hasDependencies, true);
    assert.deepEqual(await stored(), ["example.com/base", "example.com/left", "example.com/right", "example.com/web"]);
    const fetched = images().map((path) => /com\/(\w+)-/.exec(path.slice("/images/example.".length))?.[1]);
    assert.deepEqual([fetched[0], ...fetched.slice(1, 3).sort(), fetched[3]], ["web", "left", "right", "base"]);
    assert.equal(fetched.length, 4);
  });

  it("takes a stored dependency also when the image itself is updated", async () => {
    await world.publish({ name: "example.com/base" });
    await world.fetch("example.com/base");
    await world.publish({ name: "example.com/web", dependencies: [needs("base")] });
    await world.fetch("example.com/web");
    assert.equal(images().filter((path) => /base/.test(path)).length, 1);
  });

  it("a pinned one that is stored needs no network; another version of it does not count", async () => {
    const base = await world.publish({ name: "example.com/base", version: "1" });
    await world.fetch("example.com/base:1");
    const { path } = await world.writeImage("web.aci", {
      name: "example.com/web",
      dependencies: [needs("base", { imageID: base.id, size: base.tar.length })],
    });
    assert.ok(await world.fetch(path, "update", offline));
    const other = await world.writeImage("other.aci", {
      name: "example.com/other",
      dependencies: [needs("base", { imageID: makeImage({ name: "example.com/base", version: "2" }).id })],
    });
    await assert.rejects(world.fetch(other.path, "never"), fails("NOT_FOUND", /other\.aci/));
    await refused(other.path, fails("NOT_FOUND", /no such image: example\.com\/base/));
  });

  it("never: a dependency that is not stored is named", async () => {
    const { path, id } = await world.writeImage("web.aci", { name: "example.com/web", dependencies: [needs("base")] });
    await world.publish({ name: "example.com/base" });
    await world.fetch(path);
    const { removeImage } = await import("../../src/store/removal.ts");
    const base = (await listRecords(world.store)).find(({ name }) => name === "example.com/base");
    assert.ok(base);
    await removeImage(world.store, base.id, new Map());
    const refusal = fails("NOT_FOUND", /example\.com\/base, which example\.com\/web depends on/);
    await assert.rejects(world.fetch(id, "never"), refusal);
    assert.equal((await world.fetch(id, "new")).id, id);
    assert.deepEqual(await stored(), ["example.com/base", "example.com/web"]);
  });

  it("one that fails leaves nothing of the image either", async () => {
    await world.publish({ name: "example.com/web", dependencies: [needs("base"), needs("none")] });
    await world.publish({ name: "example.com/base" });
    await refused("example.com/web", fails("NOT_FOUND", /example\.com\/none/));
  });

  it("T-D16: is trusted by its own name", async () => {
    const other = await makeKey();
    await storeTrustedKey(`${world.directory}/config`, { prefix: "example.com/web" }, other.armored);
    await world.publish({ name: "example.com/web", dependencies: [needs("base")] }, { key: other });
    await world.publish({ name: "example.com/base" }, { key: other });
    await refused("example.com/web", fails("KEY_UNTRUSTED", /example\.com\/base/));
    await world.publish({ name: "example.com/base" });
    assert.ok(await world.fetch("example.com/web"));
  });

  it("a stored one that nobody vouched for does not count, unless that is allowed", async () => {
    await world.publish({ name: "example.com/base" });
    await world.fetch("example.com/base", "update", insecure);
    const { path } = await world.writeImage("web.aci", { name: "example.com/web", dependencies: [needs("base")] });
    await assert.rejects(world.fetch(path, "update", offline), /the network was asked/);
    assert.ok(await world.fetch(path, "update", { ...offline, ...insecure }));
    await world.fetch(path);
    const base = (await listRecords(world.store)).find(({ name }) => name === "example.com/base");
    assert.equal(base?.signers.length, 1);
  });

  it("A10, ACI-47: another image ID or size than the one pinned", async () => {
    const base = await world.publish({ name: "example.com/base" });
    for (const [pin, expected] of [
      [{ imageID: base.id, size: base.bytes.length }, undefined],
      [{ imageID: base.id.slice(0, 71) }, undefined],
      [{ size: base.bytes.length + 1 }, fails("DIGEST_MISMATCH", /base/, { cause: /bytes/ })],
      [
        { imageID: makeImage({ name: "example.com/x" }).id },
        fails("DIGEST_MISMATCH", /base/, { cause: /expected sha512/ }),
      ],
    ] as const) {
      await world.publish({ name: "example.com/web", dependencies: [needs("base", pin)] });
      if (expected !== undefined) await refused("example.com/web", expected);
    }
    await world.publish({ name: "example.com/web", dependencies: [needs("base", { imageID: base.id })] });
    assert.ok(await world.fetch("example.com/web"));
  });

  it("DISC-10: other labels than the dependency asks for", async () => {
    const image = makeImage({ name: "example.com/base", version: "2" });
    const path = world.pathOf("example.com/base", "1");
    world.server.on(path, { body: image.bytes });
    world.server.on(`${path}.asc`, { body: await craft(world.key, image.bytes) });
    const labels = [{ name: "version", value: "1" }];
    await world.publish({ name: "example.com/web", dependencies: [needs("base", { labels })] });
    await refused("example.com/web", fails("NAME_MISMATCH", /version=1 was asked for/));
  });

  it("A10: a loop, and an image that depends on itself", async () => {
    await world.publish({ name: "example.com/a", dependencies: [needs("b")] });
    await world.publish({ name: "example.com/b", dependencies: [needs("c")] });
    await world.publish({ name: "example.com/c", dependencies: [needs("a")] });
    await refused("example.com/a", fails("DEPENDENCY_CYCLE", /→/));
    assert.equal(images().length, 3);
    await world.publish({ name: "example.com/self", dependencies: [needs("self")] });
    await refused("example.com/self", fails("DEPENDENCY_CYCLE"));
  });

  it("A10: more levels than 64", async () => {
    for (let level = 0; level <= 66; level++) {
      await world.publish({ name: `example.com/n${level}`, dependencies: [needs(`n${level + 1}`)] });
    }
    await refused("example.com/n0", fails("DEPENDENCY_DEPTH"));
  });

  it("stops when the caller does", async () => {
    const { path } = await world.writeImage("web.aci", { name: "example.com/web", dependencies: [needs("base")] });
    const caller = new AbortController();
    const before = world.snapshot();
    const http = async () => {
      caller.abort();
      return world.http;
    };
    await assert.rejects(world.fetch(path, "update", { http, signal: caller.signal }), fails("INTERRUPTED"));
    assert.deepEqual(world.snapshot(), before);
  });
});
