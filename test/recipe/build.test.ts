import assert from "node:assert/strict";
import { createReadStream, existsSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { readArchive } from "../../src/image/archive.ts";
import { fails } from "../helpers/failures.ts";
import { RecipeWorld } from "../helpers/recipe-world.ts";

let world: RecipeWorld;
beforeEach(async () => {
  world = await RecipeWorld.open();
  world.context({ "site/index.html": "one", "site/style.css": "two" });
});
afterEach(() => world.remove());

const steps = () => [
  { copy: { from: "site", to: "/srv" } },
  { write: { to: "/etc/motd", content: "welcome\n" } },
  { remove: "/srv/style.css" },
];

async function contents(path: string) {
  const found = new Map<string, string>();
  await readArchive(createReadStream(path), async (members) => {
    for await (const member of members) {
      let text = "";
      for await (const chunk of member.body) text += Buffer.from(chunk).toString();
      found.set(member.path.toString(), text);
    }
  });
  return found;
}

describe("buildRecipe", () => {
  it("an image of its steps: what was removed is not in it, nor any whiteout", async () => {
    const { id, path, size } = await world.build({ steps: steps() });
    const found = await contents(path);
    assert.deepEqual([...found.keys()], [".", "etc", "etc/motd", "srv", "srv/index.html"]);
    assert.equal(found.get("srv/index.html"), "one");
    assert.equal((await readArchive(createReadStream(path))).id, id);
    assert.equal(readFileSync(path).length, size);
  });
  it("RECIPE-52: again it does nothing and gives the same bytes", async () => {
    const first = await world.build({ steps: steps() });
    const bytes = readFileSync(first.path);
    const second = await world.build({ steps: steps() });
    assert.deepEqual(
      first.steps.map(({ cached }) => cached),
      [false, false, false],
    );
    assert.deepEqual(
      [second.steps.map(({ cached }) => cached), second.cached, second.id],
      [[true, true, true], true, first.id],
    );
    assert.ok(readFileSync(second.path).equals(bytes));
  });
  it("RECIPE-52: a changed step does again only what follows; one that gives the same, not even that", async () => {
    const first = await world.build({ steps: steps() });
    world.context({ "site/index.html": "changed" });
    const second = await world.build({ steps: steps() });
    assert.deepEqual(
      second.steps.map(({ cached }) => cached),
      [false, false, false],
    );
    assert.notEqual(second.id, first.id);
    const [copy, , remove] = steps();
    const third = await world.build({
      steps: [copy, { write: { to: "/etc/motd", content: "other\n" } }, remove].filter((step) => step !== undefined),
    });
    assert.deepEqual(
      third.steps.map(({ cached }) => cached),
      [true, false, false],
    );
    // Written otherwise, but with the same result: what follows is known.
    const fourth = await world.build({
      steps: [copy, { write: { to: "//etc/motd", content: "other\n", mode: "0644" } }, remove].filter(
        (step) => step !== undefined,
      ),
    });
    assert.deepEqual(
      fourth.steps.map(({ cached }) => cached),
      [true, false, true],
    );
    assert.equal(fourth.id, third.id);
  });
  it("a field that changes only the manifest does no step again", async () => {
    const first = await world.build({ steps: steps() });
    const second = await world.build({ steps: steps(), exec: ["/other"] });
    assert.deepEqual([second.steps.every(({ cached }) => cached), second.cached], [true, false]);
    assert.notEqual(second.id, first.id);
  });
  it("--no-cache does all again with the same result", async () => {
    const first = await world.build({ steps: steps() });
    const second = await world.build({ steps: steps() }, { useCache: false });
    assert.deepEqual(
      [second.steps.map(({ cached }) => cached), second.cached, second.id],
      [[false, false, false], false, first.id],
    );
  });
  it("elsewhere, from nothing, it is the same image", async () => {
    const first = await world.build({ steps: steps() });
    rmSync(join(world.data, "build"), { recursive: true });
    assert.equal((await world.build({ steps: steps() })).id, first.id);
  });
  it("SOURCE_DATE_EPOCH is the time of everything", async () => {
    const { path } = await world.build({ steps: steps() }, {}, { sourceDateEpoch: 77 });
    const times = new Set<bigint>();
    await readArchive(createReadStream(path), async (members) => {
      for await (const { mtime } of members) times.add(mtime.seconds);
    });
    assert.deepEqual(times, new Set([77n]));
  });
  it("an archive of the cache that a disk changed is not handed out", async () => {
    const { path } = await world.build({ steps: steps() });
    const name = world.cached("store/trees").find((tree) => /^archive-/.test(tree)) ?? "";
    const stored = join(world.data, "build/store/trees", name, "image.aci");
    truncateSync(stored, 100);
    rmSync(path);
    await assert.rejects(world.build({ steps: steps() }), fails("DIGEST_MISMATCH", /step cache/));
    assert.ok(!existsSync(path));
  });
  it("an output that is in the way is refused before any work", async () => {
    writeFileSync(world.path("made.aci"), "mine");
    await assert.rejects(world.build({ steps: steps() }, { overwrite: false }), fails("ALREADY_EXISTS"));
    assert.deepEqual(world.heard, []);
    assert.equal(readFileSync(world.path("made.aci"), "utf8"), "mine");
  });
  it("RECIPE-53: a failure leaves nothing but the cache", async () => {
    await assert.rejects(world.build({ steps: [...steps(), { remove: "/absent" }] }), fails("NOT_FOUND", /step 4/));
    assert.deepEqual(readdirSync(world.directory).sort(), ["context", "data"]);
    assert.deepEqual([world.cached("store/staging"), world.cached("store/trash")], [[], []]);
    // What was done before it is not done again.
    assert.deepEqual(
      (await world.build({ steps: steps() })).steps.map(({ cached }) => cached),
      [true, true, true],
    );
  });
  it("an abort ends it", async () => {
    const ended = AbortSignal.abort();
    await assert.rejects(world.build({ steps: steps() }, { signal: ended }), fails("INTERRUPTED"));
  });
});
