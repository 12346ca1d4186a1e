import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { afterEach, beforeEach, describe, it } from "node:test";
import { Failure } from "../../src/base/failure.ts";
import { unpack } from "../../src/shim/unpack.ts";
import { tar } from "../helpers/raw-tar.ts";
import { type Scratch, scratch } from "../helpers/shim.ts";

let scene: Scratch;
beforeEach(() => {
  scene = scratch();
  mkdirSync(scene.at("target"));
});
afterEach(async () => {
  assert.deepEqual(readdirSync(scene.path), ["target"]);
  await scene.remove();
});

async function* chunks(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const isFailure = (code: string, expected: RegExp) => (error: unknown) =>
  error instanceof Failure && error.code === code && expected.test(error.message);

describe("unpack", () => {
  it("hands over every byte, in chunks of any size", async () => {
    const content = Buffer.alloc(700_001, "0123456789abcdef!");
    const archive = tar([
      { name: "a", body: content },
      { name: "d/b", body: "small" },
      { name: "c", body: content },
    ]);
    for (const size of [511, 70_000, 131_073, 300_000, archive.length]) {
      mkdirSync(scene.at("target", String(size)));
      const result = await unpack(chunks(archive, size), scene.at("target", String(size)), { owner: true });
      assert.deepEqual(result, { entries: 3, bytes: 1_400_007, skipped: [] });
      for (const name of ["a", "c"]) assert.ok(readFileSync(scene.at("target", String(size), name)).equals(content));
    }
  });

  it("names what was left out, as text", async () => {
    const archive = tar([{ name: "gerät", type: "3", major: 5, minor: 1 }]);
    const { skipped } = await unpack(chunks(archive, 512), scene.at("target"), { owner: true });
    assert.deepEqual(skipped, ["gerät: character device"]);
    await unpack(chunks(archive, 512), scene.at("target"), { owner: true, devices: true, sync: true });
    assert.ok(statSync(scene.at("target/gerät")).isCharacterDevice());
  });

  it("whiteouts are made only when asked for, and other devices not with them", async () => {
    const archive = tar([
      { name: "gone", type: "3", major: 0, minor: 0 },
      { name: "null", type: "3", major: 1, minor: 3 },
    ]);
    await assert.rejects(
      unpack(chunks(archive, 512), scene.at("target"), { owner: true, devices: true }),
      isFailure("SHIM_FAILED", /^gone: character device 0:0/),
    );
    const { skipped } = await unpack(chunks(archive, 512), scene.at("target"), { owner: true, whiteouts: true });
    assert.deepEqual(skipped, ["null: character device"]);
    assert.deepEqual(
      [statSync(scene.at("target/gone")).isCharacterDevice(), statSync(scene.at("target/gone")).rdev],
      [true, 0],
    );
  });

  it("owner false: files belong to the caller", async () => {
    await unpack(chunks(tar([{ name: "f", uid: 5 }]), 512), scene.at("target"), { owner: false });
    assert.equal(statSync(scene.at("target/f")).uid, process.getuid?.());
  });

  it("says why the shim refused, though it stops reading in the middle", async () => {
    const archive = tar([{ name: "../x" }, { name: "big", body: Buffer.alloc(20_000_000) }]);
    await assert.rejects(
      unpack(chunks(archive, 100_000), scene.at("target"), { owner: true }),
      isFailure("SHIM_FAILED", /^\.\.\/x: the path/),
    );
  });

  it("a full disk is DISK_FULL", async () => {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "perigee-test", scene.at("target")]);
    try {
      const archive = tar([{ name: "big", body: Buffer.alloc(20_000_000) }]);
      await assert.rejects(
        unpack(chunks(archive, 100_000), scene.at("target"), { owner: true }),
        isFailure("DISK_FULL", /big/),
      );
    } finally {
      execFileSync("umount", [scene.at("target")]);
    }
  });

  it("an error of the source is the error, and what it gave is never taken for the whole", async () => {
    async function* broken(): AsyncGenerator<Buffer> {
      yield tar([{ name: "a" }]);
      throw new Error("digest differs");
    }
    await assert.rejects(unpack(broken(), scene.at("target"), { owner: true }), /digest differs/);
  });

  it("ends when told to, in the middle", async () => {
    const controller = new AbortController();
    async function* endless(): AsyncGenerator<Buffer> {
      yield tar([{ name: "a" }]).subarray(0, 512);
      controller.abort();
      await new Promise(() => {}); // a download that stalls
    }
    const work = unpack(endless(), scene.at("target"), { owner: true, signal: controller.signal });
    await assert.rejects(work, isFailure("INTERRUPTED", /interrupted/));
  });

  it("T-K01: killed in the middle, what is there is below the directory, and shut", async () => {
    const controller = new AbortController();
    const archive = tar([
      { name: "d", type: "5", mode: 0o777 },
      { name: "d/a", body: "whole" },
      { name: "d/b", body: Buffer.alloc(8_000_000) },
    ]);
    async function* cut(): AsyncGenerator<Buffer> {
      yield archive.subarray(0, 4_000_000);
      controller.abort();
      yield archive.subarray(4_000_000);
    }
    await assert.rejects(unpack(cut(), scene.at("target"), { owner: true, signal: controller.signal }));
    for (const name of readdirSync(scene.at("target")))
      assert.equal(statSync(scene.at("target", name)).mode & 0o777, 0o700);
  });
});
