import assert from "node:assert/strict";
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, it } from "node:test";
import { Failure } from "../../src/base/failure.ts";
import { removeTrees } from "../../src/shim/remove.ts";
import { type Scratch, scratch } from "../helpers/shim.ts";

let scene: Scratch;
beforeEach(() => {
  scene = scratch();
});
afterEach(() => scene.remove());

describe("removeTrees", () => {
  it("removes by name, more names than one command line holds at once; missing is success", async () => {
    const names = Array.from({ length: 600 }, (_, n) => `tree-${n}`);
    for (const name of names.slice(1)) mkdirSync(scene.at(name, "x"), { recursive: true });
    writeFileSync(scene.at("kept"), "");
    await removeTrees(scene.path, names);
    assert.deepEqual(readdirSync(scene.path), ["kept"]);
  });

  it("a name that begins with `-` is a name", async () => {
    mkdirSync(scene.at("--force"));
    await removeTrees(scene.path, ["--force"]);
    assert.deepEqual(readdirSync(scene.path), []);
  });

  it("a link is removed, not what it leads to", async () => {
    mkdirSync(scene.at("real/x"), { recursive: true });
    symlinkSync("real", scene.at("link"));
    await removeTrees(scene.path, ["link"]);
    assert.deepEqual(readdirSync(scene.path), ["real"]);
  });

  it("a path is refused before anything is removed", async () => {
    mkdirSync(scene.at("a/b"), { recursive: true });
    for (const bad of ["a/b", "..", ".", "", "/"]) {
      await assert.rejects(
        removeTrees(scene.path, ["a", bad]),
        (error) => error instanceof Failure && error.code === "INTERNAL",
      );
    }
    assert.deepEqual(readdirSync(scene.path), ["a"]);
  });
});
