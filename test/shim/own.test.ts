import assert from "node:assert/strict";
import { mkdirSync, statSync, symlinkSync } from "node:fs";
import { afterEach, beforeEach, describe, it } from "node:test";
import { giveDirectory } from "../../src/shim/own.ts";
import { fails } from "../helpers/failures.ts";
import { type Scratch, scratch } from "../helpers/shim.ts";

let scene: Scratch;
beforeEach(() => {
  scene = scratch();
});
afterEach(() => scene.remove());

const owner = { uid: 33, gid: 34, mode: 0o1750 };

describe("giveDirectory", () => {
  it("sets owner, group and mode", () => {
    mkdirSync(scene.at("a/b"), { recursive: true });
    giveDirectory(scene.path, "a/b", owner);
    const { uid, gid, mode } = statSync(scene.at("a/b"));
    assert.deepEqual({ uid, gid, mode: mode & 0o7777 }, owner);
    assert.equal(statSync(scene.at("a")).uid, 0);
  });

  it("follows no link, and leaves the directory for none", () => {
    mkdirSync(scene.at("real"));
    symlinkSync("real", scene.at("link"));
    for (const path of ["link", "../real", "missing", "/tmp"]) {
      assert.throws(() => giveDirectory(scene.path, path, owner), fails("SHIM_FAILED"));
    }
    assert.equal(statSync(scene.at("real")).uid, 0);
  });

  it("takes nothing but ids and a mode", () => {
    mkdirSync(scene.at("a"));
    assert.throws(() => giveDirectory(scene.path, "a", { ...owner, uid: 2 ** 32 - 1 }), fails("SHIM_FAILED"));
    assert.throws(() => giveDirectory(scene.path, "a", { ...owner, gid: -1 }), fails("SHIM_FAILED"));
    assert.equal(statSync(scene.at("a")).gid, 0);
  });
});
