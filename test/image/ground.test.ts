import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { emptyGround, onGround } from "../../src/image/ground.ts";
import type { TarMember } from "../../src/tar/entry.ts";
import { chunks } from "../helpers/tar-bytes.ts";

describe("emptyGround (ACE-5, ACE-10)", () => {
  it("asks for the directories on the way once, outermost first", () => {
    const ground = emptyGround();
    assert.deepEqual(ground.lay("a/b/c/file", false), ["a", "a/b", "a/b/c"]);
    assert.deepEqual(ground.lay("a/b/c/other", false), []);
    assert.deepEqual(ground.lay("a/b/d/file", false), ["a/b/d"]);
    assert.deepEqual(ground.lay(".", true), []);
    assert.deepEqual(ground.lay("top", false), []);
  });

  it("knows the directories that were laid, and what replaced them with all below", () => {
    const ground = emptyGround();
    ground.lay("a", true);
    assert.deepEqual(ground.lay("a/b", true), []);
    assert.deepEqual(ground.lay("a/b/file", false), []);
    assert.deepEqual(ground.lay("a", false), []);
    assert.deepEqual(ground.lay("a/b/file", false), ["a", "a/b"]);
  });

  it("replaces a link on the way, and takes a directory that comes again for the one it has", () => {
    const ground = emptyGround();
    ground.lay("lib", false);
    assert.deepEqual(ground.lay("lib/x", false), ["lib"]);
    ground.lay("lib", true);
    assert.deepEqual(ground.lay("lib/y", false), []);
    assert.deepEqual(ground.lay("li", false), []);
  });

  it("tells what needs no look: a file beside the last, where no directory stands", () => {
    const ground = emptyGround();
    const beside = (path: string) => ground.isBeside(Buffer.from(path));
    assert.ok(!beside("top"));
    ground.lay("a/b/file", false);
    assert.ok(beside("a/b/other"));
    for (const path of ["a/b", "a/c/other", "a/bb/other", "a/b/c/other", "a/other", "other", "a/b"]) {
      assert.ok(!beside(path), path);
    }
    ground.lay("a/b/c", true);
    assert.ok(!beside("a/b/c"), "it would take the place of a directory");
  });

  it("A10: a thousand levels, a hundred thousand files", () => {
    const ground = emptyGround();
    const deep = Array.from({ length: 1000 }, () => "d").join("/");
    assert.equal(ground.lay(`${deep}/f`, false).length, 1000);
    for (let index = 0; index < 100_000; index += 1) assert.equal(ground.lay(`${deep}/f${index}`, false).length, 0);
  });
});

describe("onGround", () => {
  it("ACE-10: yields what no entry describes as 0755, owner 0, time 0", async () => {
    const none = Buffer.alloc(0);
    const mtime = { seconds: 7n, nanoseconds: 0 };
    const file: TarMember = {
      ...{ path: Buffer.from("a/b"), type: "file", mode: 0o600, uid: 5, gid: 5, mtime, size: 0, link: none },
      ...{ xattrs: [], body: chunks(none) },
    };
    const laid: string[] = [];
    for await (const { path, type, mode, uid, mtime: time } of onGround(
      (async function* () {
        yield file;
      })(),
    )) {
      laid.push(`${path} ${type} ${mode.toString(8)} ${uid} ${time.seconds}`);
    }
    assert.deepEqual(laid, ["a directory 755 0 0", "a/b file 600 5 7"]);
  });
});
