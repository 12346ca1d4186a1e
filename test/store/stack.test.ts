import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { pathBytes, showBytes, stackAt, viewOf } from "../../src/store/stack.ts";
import { fails } from "../helpers/failures.ts";
import { RecipeWorld } from "../helpers/recipe-world.ts";

let world: RecipeWorld;
before(async () => {
  world = await RecipeWorld.open();
});
after(() => world.remove());

describe("viewOf", () => {
  it("the topmost layer that has a path says what is there", () => {
    const low = world.layer("a-low", { "etc/a": "low", "etc/b": "low" });
    const top = world.layer("a-top", { "etc/a": "top" });
    const view = viewOf([low, top]);
    assert.equal(view.read("etc/a", 10)?.toString(), "top");
    assert.equal(view.read("etc/b", 10)?.toString(), "low");
    assert.deepEqual(view.names("etc"), ["a", "b"]);
    assert.equal(view.find("etc")?.kind, "directory");
    assert.equal(view.find("nothing"), undefined);
  });
  it("a whiteout, and a file in the place of a directory, hide all below them", () => {
    const low = world.layer("b-low", { "gone/x": "1", "was/x": "1", "kept/x": "1" });
    const top = world.layer("b-top", { was: "a file now" });
    execFileSync("mknod", [join(top.rootfs, "gone"), "c", "0", "0"]);
    const view = viewOf([low, top]);
    for (const path of ["gone", "gone/x", "was/x"]) assert.equal(view.find(path), undefined, path);
    assert.deepEqual(view.names(""), ["kept", "was"]);
    // Made anew above the whiteout, the directory is empty.
    const again = viewOf([low, top, world.layer("b-again", { "gone/y": "2" })]);
    assert.equal(again.find("gone/x")?.kind, undefined);
  });
  it("what shows at a directory is a stack of its own", () => {
    const low = world.layer("s-low", { "srv/x": "1", "gone/x": "1", file: "1" });
    const middle = world.layer("s-middle", { etc: "2" });
    const top = world.layer("s-top", { "srv/y": "2" });
    execFileSync("mknod", [join(top.rootfs, "gone"), "c", "0", "0"]);
    const shown = (path: string) => stackAt([low, middle, top], path).map(({ rootfs }) => rootfs);
    assert.deepEqual(shown("srv"), [join(low.rootfs, "srv"), join(top.rootfs, "srv")]);
    for (const path of ["gone", "file", "etc", "nothing", "gone/x"]) assert.deepEqual(shown(path), [], path);
  });
  it("a directory whose name is no UTF-8 is told as that", () => {
    const low = world.layer("u-low", {});
    mkdirSync(Buffer.concat([Buffer.from(`${low.rootfs}/`), Buffer.from([0xff])]));
    assert.throws(() => stackAt([low], "\u00ff"), fails("UNSUPPORTED", /not UTF-8/));
  });
  it("links are resolved inside, through layers, and end", () => {
    const low = world.layer("c-low", { "usr/lib/x": "1" });
    symlinkSync("usr/lib", join(low.rootfs, "lib"));
    symlinkSync("/lib/x", join(low.rootfs, "absolute"));
    symlinkSync("../../../../etc/passwd", join(low.rootfs, "out"));
    symlinkSync("loop", join(low.rootfs, "loop"));
    const view = viewOf([low]);
    assert.equal(view.resolve("lib/new/file"), "usr/lib/new/file");
    assert.equal(view.resolve("lib"), "lib");
    assert.equal(view.resolve("lib", { last: true }), "usr/lib");
    assert.equal(view.resolve("absolute", { last: true }), "usr/lib/x");
    assert.equal(view.read("out", 10), undefined);
    assert.equal(view.resolve("a/../../..", { last: true }), "");
    assert.throws(() => view.resolve("loop/x"), fails("IMAGE_INVALID", /40 links/));
  });
  it("reads no more than is allowed, and nothing that is no file", () => {
    const view = world.view({ file: "12345" });
    assert.throws(() => view.read("file", 4), fails("LIMIT_EXCEEDED"));
    mkdirSync(world.path("layer0", "directory"));
    assert.equal(view.read("directory", 10), undefined);
  });
});

it("paths of documents are bytes", () => {
  assert.equal(pathBytes("//a/./ü/"), "a/\u00c3\u00bc");
  assert.equal(showBytes(pathBytes("/ü\n")), "ü\\x0a");
});
