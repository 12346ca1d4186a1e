import assert from "node:assert/strict";
import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { manifestsOf } from "../../src/store/layout.ts";
import { newestOf } from "../../src/store/newest.ts";
import { removeImage } from "../../src/store/removal.ts";
import { fails } from "../helpers/failures.ts";
import { FetchWorld } from "../helpers/fetch-world.ts";
import { day, now } from "../helpers/trust.ts";

let world: FetchWorld;
beforeEach(async () => {
  world = await FetchWorld.open();
});
afterEach(() => world.close());

const daysAgo = (days: number) => new Date(now.getTime() - days * day);
const name = "example.com/web";
const publish = (content: string, signedAt: Date, version?: string) =>
  world.publish({ name, content, version }, { signedAt });

describe("rollback (T-D12)", () => {
  it("an older image than the name brought before is refused, though its signature is good", async () => {
    await publish("new", daysAgo(1));
    const { id } = await world.fetch(name);
    await publish("old", daysAgo(5));
    const refusal = fails("ROLLBACK", /older/, { hint: /--allow-rollback/ });
    await assert.rejects(world.fetch(name), refusal);
    assert.equal((await world.fetch(name, "never")).id, id);
    await removeImage(world.store, id, new Map());
    await assert.rejects(world.fetch(name), refusal, "removing the image makes nobody forget");
  });

  it("--allow-rollback takes it, and goes on from its age", async () => {
    await publish("new", daysAgo(1));
    await world.fetch(name);
    const old = await publish("old", daysAgo(5));
    assert.equal((await world.fetch(name, "update", { allowRollback: true })).id, old.id);
    assert.equal((await world.fetch(name)).id, old.id);
    await publish("older", daysAgo(6));
    await assert.rejects(world.fetch(name), fails("ROLLBACK"));
  });

  it("the same image, and a newer one, pass", async () => {
    await publish("a", daysAgo(3));
    await world.fetch(name);
    await world.fetch(name);
    const { id } = await publish("b", daysAgo(2));
    assert.equal((await world.fetch(name)).id, id);
  });

  it("explicit versions, URLs and pinned dependencies pass, and count for nobody else", async () => {
    await publish("now", daysAgo(2));
    await world.fetch(name);
    const old = await publish("1", daysAgo(9), "1");
    assert.equal((await world.fetch(`${name}:1`)).id, old.id);
    await publish("2", daysAgo(0), "2");
    await world.fetch(`${name}:2`);
    await world.fetch(name);
    const { id } = await world.publish({ name, content: "pinned" }, { signedAt: daysAgo(8) });
    await assert.rejects(world.fetch(name), fails("ROLLBACK"));
    assert.equal((await world.fetch(`https://example.com${world.pathOf(name)}`)).id, id);
    await removeImage(world.store, id, new Map());
    const app = { name: "example.com/app", dependencies: [{ imageName: name, imageID: id }] };
    await world.publish(app);
    assert.ok(await world.fetch(app.name));
  });

  it("other labels are another question", async () => {
    await publish("now", daysAgo(1));
    await world.fetch(name);
    const labels = [
      { name: "os", value: "linux" },
      { name: "arch", value: "ppc64" },
    ];
    await world.publish({ name, labels }, { signedAt: daysAgo(4), at: `/images/${name}-latest-linux-ppc64.aci` });
    assert.ok(await world.fetch(`${name},arch=ppc64`));
  });

  it("a dependency without a version is held to it too", async () => {
    await publish("new", daysAgo(1));
    const { id } = await world.fetch(name);
    await removeImage(world.store, id, new Map());
    await publish("old", daysAgo(5));
    await world.publish({ name: "example.com/app", dependencies: [{ imageName: name }] });
    await assert.rejects(world.fetch("example.com/app"), fails("ROLLBACK"));
  });

  it("an image that nobody vouched for has no time, and a mark that is torn is none", async () => {
    await publish("new", daysAgo(1));
    await world.fetch(name);
    await publish("old", daysAgo(5));
    await world.fetch(name, "update", { insecure: { image: true, http: false } });
    await assert.rejects(world.fetch(name), fails("ROLLBACK"));
    for (const file of readdirSync(newestOf(world.store))) writeFileSync(join(newestOf(world.store), file), "{}");
    assert.ok(await world.fetch(name));
  });

  it("DUR-4: the mark is there before the image is", async () => {
    await publish("new", daysAgo(1));
    const manifests = manifestsOf(world.store);
    rmSync(manifests, { recursive: true });
    writeFileSync(manifests, "");
    await assert.rejects(world.fetch(name), fails("IO_FAILED"));
    assert.equal(readdirSync(newestOf(world.store)).length, 1);
  });
});
