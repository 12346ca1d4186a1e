import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  lchownSync,
  linkSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { copyTree } from "../../src/image/copy.ts";
import { pack } from "../../src/shim/pack.ts";
import { fails } from "../helpers/failures.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

async function trees(t: TestContext): Promise<readonly [source: string, target: string]> {
  const directory = await temporaryDirectory(t);
  const [source, target] = [join(directory, "source"), join(directory, "target")];
  mkdirSync(source);
  mkdirSync(target);
  return [source, target];
}

/** One line an entry: path, type, mode, owner less `shift`, size, link, extended attributes. */
async function listing(tree: string, shift = 0): Promise<readonly string[]> {
  const lines: string[] = [];
  for await (const { path, type, mode, uid, gid, size, link, xattrs } of pack(tree)) {
    const attributes = xattrs.map(({ name, value }) => `${name}=${value.toString("hex")}`);
    lines.push([path, type, mode.toString(8), uid - shift, gid - shift, size, link, ...attributes].join(" "));
  }
  return lines;
}

describe("copyTree", () => {
  it("keeps everything but the owners, which are shifted", async (t) => {
    const [source, target] = await trees(t);
    mkdirSync(join(source, "bin"));
    writeFileSync(join(source, "bin", "program"), "text");
    lchownSync(join(source, "bin", "program"), 1, 2);
    chmodSync(join(source, "bin", "program"), 0o4751);
    linkSync(join(source, "bin", "program"), join(source, "bin", "same"));
    symlinkSync("../outside", join(source, "link"));
    lchownSync(join(source, "link"), 3, 4);
    execFileSync("mkfifo", [join(source, "pipe")]);
    chmodSync(source, 0o711);
    const before = await listing(source);
    await copyTree(source, target, 100_000);
    assert.deepEqual(await listing(target, 100_000), before);
    assert.equal(readFileSync(join(target, "bin", "same"), "utf8"), "text");
    assert.equal(statSync(join(target, "bin", "program")).ino, statSync(join(target, "bin", "same")).ino);
  });

  it("gives file capabilities to the root of the pod instead of the host's", async (t) => {
    const [source, target] = await trees(t);
    writeFileSync(join(source, "ping"), "");
    execFileSync("setcap", ["cap_net_raw+ep", join(source, "ping")]);
    const [, own] = await listing(source);
    assert.match(own ?? "", /security\.capability=01000002/);
    await copyTree(source, target, 0x7000_0000);
    const [, copied] = await listing(target);
    assert.match(copied ?? "", /security\.capability=01000003[0-9a-f]{32}00000070$/);
  });

  it("copies nothing of a tree that is not there", async (t) => {
    const [source, target] = await trees(t);
    await assert.rejects(copyTree(join(source, "none"), target, 0), fails("NOT_FOUND"));
    assert.deepEqual((await listing(target)).length, 1);
  });

  it("ends when it is interrupted", async (t) => {
    const [source, target] = await trees(t);
    await assert.rejects(copyTree(source, target, 0, AbortSignal.abort()), fails("INTERRUPTED"));
  });
});
