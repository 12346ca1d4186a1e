import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
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

  const withAttribute = (name: string, value: Buffer): AsyncGenerator<Buffer> =>
    chunks(tar([{ name: "f", pax: [[`SCHILY.xattr.${name}`, value]] }]), 100_000);

  it("X05: an attribute larger than a file can have is one clear failure that names both", async () => {
    await assert.rejects(
      unpack(withAttribute("user.big", Buffer.alloc(70_000, "x")), scene.at("target"), { owner: true }),
      isFailure("LIMIT_EXCEEDED", /^f: the file system has no room for the 70000 bytes of .* user\.big$/),
    );
  });

  it("X05: an ACL of 8000 entries is set, or refused in the same way where the file system holds less", async () => {
    const acl = longAcl(8000);
    const work = unpack(withAttribute("system.posix_acl_access", acl), scene.at("target"), { owner: true });
    if (holdsAttribute(scene.at("target"), acl.length)) {
      await work;
      const read = ["--only-values", "-n", "system.posix_acl_access", "f"];
      assert.deepEqual(execFileSync("getfattr", read, { cwd: scene.at("target") }), acl);
    } else {
      await assert.rejects(
        work,
        isFailure(
          "LIMIT_EXCEEDED",
          /^f: the file system has no room for the 64004 bytes of .* system\.posix_acl_access$/,
        ),
      );
    }
  });
});

/** Whether a file below `directory` can have an attribute of `size` bytes. */
function holdsAttribute(directory: string, size: number): boolean {
  const line = ["-n", "user.probe", "-v", "x".repeat(size), directory];
  const holds = spawnSync("setfattr", line, { stdio: "ignore" }).status === 0;
  if (holds) execFileSync("setfattr", ["-x", "user.probe", directory]);
  return holds;
}

/** The kernel's form of an ACL with `count` entries, most of which name a user. */
function longAcl(count: number): Buffer {
  const entry = (tag: number, id: number): Buffer => {
    const bytes = Buffer.alloc(8);
    bytes.writeUInt16LE(tag, 0);
    bytes.writeUInt16LE(6, 2);
    bytes.writeUInt32LE(id, 4);
    return bytes;
  };
  const nobody = 0xffff_ffff;
  const users = Array.from({ length: count - 4 }, (_, id) => entry(0x02, id + 1));
  const others = [0x04, 0x10, 0x20].map((tag) => entry(tag, nobody));
  return Buffer.concat([Buffer.from([2, 0, 0, 0]), entry(0x01, nobody), ...users, ...others]);
}
