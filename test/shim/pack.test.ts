import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { linkSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, it } from "node:test";
import { Failure } from "../../src/base/failure.ts";
import { type PackEntry, pack } from "../../src/shim/pack.ts";
import { fails } from "../helpers/failures.ts";
import { type Scratch, scratch } from "../helpers/shim.ts";

let scene: Scratch;
beforeEach(() => {
  scene = scratch();
});
afterEach(() => scene.remove());

async function collect(
  entries: AsyncIterable<PackEntry>,
): Promise<ReadonlyMap<string, Omit<PackEntry, "body"> & { content: Buffer }>> {
  const found = new Map<string, Omit<PackEntry, "body"> & { content: Buffer }>();
  for await (const { body, ...entry } of entries) {
    const parts: Uint8Array[] = [];
    for await (const part of body) parts.push(Uint8Array.from(part));
    found.set(String(entry.path), { ...entry, content: Buffer.concat(parts) });
  }
  return found;
}

describe("pack", () => {
  it("gives every entry with its properties and content", async () => {
    const big = Buffer.alloc(1_500_000, "abcdefg");
    mkdirSync(scene.at("d"));
    writeFileSync(scene.at("d/big"), big, { mode: 0o640 });
    linkSync(scene.at("d/big"), scene.at("link"));
    symlinkSync("d/big", scene.at("soft"));
    execFileSync("touch", ["-d", "@-1.5", scene.at("d/big")]);
    execFileSync("mknod", [scene.at("null"), "c", "1", "3"]);
    execFileSync("mkfifo", [scene.at("pipe")]);
    execFileSync("setfattr", ["-n", "user.a", "-v", "0x00ff", scene.at("d/big")]);
    const found = await collect(pack(scene.path));
    assert.deepEqual([...found.keys()], [".", "d", "d/big", "link", "null", "pipe", "soft"]);
    const file = found.get("d/big");
    assert.ok(file !== undefined);
    assert.ok(file.content.equals(big));
    assert.deepEqual(
      [file.type, file.mode, file.uid, file.size, file.device],
      ["file", 0o640, 0, 1_500_000n, undefined],
    );
    assert.deepEqual(file.mtime, { seconds: -2n, nanoseconds: 500_000_000 });
    assert.deepEqual(file.xattrs, [{ name: "user.a", value: Buffer.from([0, 0xff]) }]);
    assert.deepEqual(
      [found.get("link")?.type, String(found.get("link")?.link), found.get("link")?.size],
      ["hardlink", "d/big", 0n],
    );
    assert.deepEqual([found.get("soft")?.type, String(found.get("soft")?.link)], ["symlink", "d/big"]);
    assert.deepEqual([found.get("null")?.type, found.get("null")?.device], ["character", { major: 1, minor: 3 }]);
    assert.deepEqual([found.get("pipe")?.type, found.get(".")?.type], ["fifo", "directory"]);
  });

  it("P16: names stay bytes", async () => {
    const name = Buffer.from([0x61, 0xff, 0xfe]);
    writeFileSync(Buffer.concat([Buffer.from(`${scene.path}/`), name]), "");
    const paths: Buffer[] = [];
    for await (const { path } of pack(scene.path)) paths.push(Buffer.from(path));
    assert.deepEqual(paths, [Buffer.from("."), name]);
  });

  it("ACI-4: an attribute whose name is no text is refused, not renamed", async () => {
    writeFileSync(scene.at("f"), "");
    const dump = Buffer.from("# file: f\nuser.\xe9=0x01\n", "latin1");
    execFileSync("setfattr", ["--restore=-"], { cwd: scene.path, input: dump });
    await assert.rejects(collect(pack(scene.path)), fails("UNSUPPORTED", /^f: .* not UTF-8/, { hint: /setfattr/ }));
    execFileSync("setfattr", ["--restore=-"], { cwd: scene.path, input: Buffer.from("# file: f\nuser.é=0x01\n") });
  });

  it("a body that nobody reads, or not to its end, is skipped", async () => {
    for (let n = 0; n < 5; n++) writeFileSync(scene.at(`f${n}`), Buffer.alloc(300_000, String(n)));
    const firsts: string[] = [];
    for await (const { path, body } of pack(scene.path)) {
      if (String(path) === "f1") continue;
      for await (const part of body) {
        firsts.push(String.fromCharCode(part[0] ?? 0));
        break;
      }
    }
    assert.deepEqual(firsts, ["0", "2", "3", "4"]);
  });

  it("a failure in the middle is thrown with its path, whether bodies are read or not", async () => {
    writeFileSync(scene.at("a"), Buffer.alloc(200_000));
    mkdirSync(scene.at("b"));
    writeFileSync(scene.at("b/mount"), "");
    execFileSync("mkdir", ["-p", `c/${"d/".repeat(1100)}`], { cwd: scene.path });
    const isDeep = (error: unknown): boolean =>
      error instanceof Failure && error.code === "SHIM_FAILED" && /nested too deeply/.test(error.message);
    await assert.rejects(collect(pack(scene.path)), isDeep);
    await assert.rejects(async () => {
      for await (const _ of pack(scene.path));
    }, isDeep);
  });

  it("a consumer that leaves ends the shim", async () => {
    for (let n = 0; n < 50; n++) writeFileSync(scene.at(`f${n}`), Buffer.alloc(200_000));
    const children = (): string =>
      execFileSync("ps", ["--no-headers", "--ppid", String(process.pid), "-o", "comm"], { encoding: "utf8" });
    for await (const _ of pack(scene.path)) {
      assert.match(children(), /perigee-shim/);
      break;
    }
    assert.doesNotMatch(children(), /perigee-shim/);
  });

  it("ends when told to", async () => {
    for (let n = 0; n < 50; n++) writeFileSync(scene.at(`f${n}`), Buffer.alloc(200_000));
    const controller = new AbortController();
    await assert.rejects(
      async () => {
        for await (const _ of pack(scene.path, { signal: controller.signal })) controller.abort();
      },
      (error) => error instanceof Failure && error.code === "INTERRUPTED",
    );
  });
});
