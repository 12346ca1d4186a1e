import assert from "node:assert/strict";
import { lstatSync, mkdirSync, readFileSync, readlinkSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { makeDraft, unpackLayer } from "../../src/recipe/layer.ts";
import { comparePaths, isWhiteout, viewOf } from "../../src/store/stack.ts";
import { fails } from "../helpers/failures.ts";
import { isRoot } from "../helpers/image-tree.ts";
import { RecipeWorld } from "../helpers/recipe-world.ts";

let world: RecipeWorld;
before(async () => {
  world = await RecipeWorld.open();
});
after(() => world.remove());

async function* bytes(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}
const plain = { mode: 0o644, uid: 0, gid: 0 };
const names = (draft: ReturnType<typeof makeDraft>) =>
  draft.members().map(({ path, type }) => `${type} ${path.toString("latin1")}`);

describe("makeDraft", () => {
  it("RECIPE-14: parents that are missing are made 0755, those that are there keep their mode", () => {
    const view = world.view({ "a/b/x": "1" });
    const draft = makeDraft(view, 7);
    draft.file("a/b/c/d/file", plain, 1, bytes("1"));
    assert.deepEqual(names(draft), [
      "directory .",
      "directory a",
      "directory a/b",
      "directory a/b/c",
      "directory a/b/c/d",
      "file a/b/c/d/file",
    ]);
    const own = lstatSync(world.path("layer0", "a")).mode & 0o7777;
    assert.deepEqual(
      draft
        .members()
        .map(({ mode }) => mode)
        .slice(1, 4),
      [own, own, 0o755],
    );
    assert.ok(draft.members().every(({ mtime }) => mtime.seconds === 7n));
  });
  it("RECIPE-14: a parent that is a link of the image is followed inside of it", () => {
    const layer = world.layer("links", { "usr/lib/x": "1" });
    symlinkSync("/usr/lib", join(layer.rootfs, "lib"));
    const draft = makeDraft(viewOf([layer]), 0);
    draft.file("lib/new", plain, 1, bytes("1"));
    assert.equal(names(draft).at(-1), "file usr/lib/new");
    assert.equal(draft.directory("lib", plain), "usr/lib");
  });
  it("a file never takes the place of a directory, nor a directory that of a file", () => {
    const draft = makeDraft(world.view({ "etc/x": "1" }), 0);
    assert.throws(() => draft.file("etc", plain, 1, bytes("1")), fails("USAGE", /a directory at \/etc/));
    assert.throws(() => draft.directory("etc/x", plain), fails("USAGE", /\/etc\/x of the image is no directory/));
    assert.throws(() => draft.file("etc/x/y", plain, 1, bytes("1")), fails("USAGE"));
  });
  it("RECIPE-15: what is removed must be there, and the root stays", () => {
    const draft = makeDraft(world.view({ "etc/x": "1" }), 0);
    assert.throws(() => draft.whiteout("etc/y"), fails("NOT_FOUND", /nothing at \/etc\/y/));
    assert.throws(() => draft.whiteout(""), fails("USAGE"));
    draft.whiteout("etc/x");
    assert.deepEqual(names(draft), ["directory .", "directory etc", "character etc/x"]);
  });
});

describe("unpackLayer", () => {
  it("the members become files, and the same members the same digest", async () => {
    const build = async (name: string, text: string) => {
      const draft = makeDraft(world.view({ "etc/x": "1" }), 7);
      draft.file("etc/new", { ...plain, mode: 0o600 }, text.length, bytes(text));
      draft.symlink("etc/link", "new", { uid: 0, gid: 0 });
      draft.whiteout("etc/x");
      mkdirSync(world.path(name));
      return await unpackLayer(draft.members(), world.path(name), { isRoot });
    };
    const [one, other, third] = [await build("one", "abc"), await build("other", "abc"), await build("third", "abd")];
    assert.equal(one.sha512, other.sha512);
    assert.notEqual(one.sha512, third.sha512);
    assert.equal(readFileSync(world.path("one/etc/new"), "utf8"), "abc");
    assert.equal(readlinkSync(world.path("one/etc/link")), "new");
    assert.ok(isWhiteout(lstatSync(world.path("one/etc/x"))));
    assert.equal(lstatSync(world.path("one/etc/new")).mtimeMs, 7000);
  });
});

it("paths are compared by components, bytes of each", () => {
  const sorted = ["", "a", "a/b", "a/b/c", "a-b", "a.b", "b"];
  assert.deepEqual([...sorted].reverse().sort(comparePaths), sorted);
});
