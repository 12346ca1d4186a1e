import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { silentLog } from "../../src/base/log.ts";
import { imageMembers, type MemberOptions } from "../../src/image/members.ts";
import type { PackEntry } from "../../src/shim/pack.ts";
import { showPath, type TarMember } from "../../src/tar/entry.ts";
import { fails } from "../helpers/failures.ts";
import { chunks } from "../helpers/tar-bytes.ts";

const none = Buffer.alloc(0);
const options: MemberOptions = { manifest: Buffer.from("{}"), ownerRoot: false, log: silentLog };

async function* packed(
  ...entries: readonly (Omit<Partial<PackEntry>, "path"> & { path: string })[]
): AsyncGenerator<PackEntry> {
  const common = { mode: 0o644, uid: 5, gid: 6, mtime: { seconds: 100n, nanoseconds: 7 }, size: 0n, link: none };
  const root = { path: ".", type: "directory" } as const;
  for (const { path, ...fields } of [root, ...entries]) {
    yield { type: "file", ...common, xattrs: [], body: chunks(none), ...fields, path: Buffer.from(path) };
  }
}

async function members(entries: AsyncIterable<PackEntry>, changes: Partial<MemberOptions> = {}) {
  const found: TarMember[] = [];
  for await (const member of imageMembers(entries, { ...options, ...changes })) found.push(member);
  return found;
}

describe("imageMembers", () => {
  it("the manifest is first, then rootfs and what is below it", async () => {
    const found = await members(packed({ path: "a" }, { path: "b", type: "hardlink", link: Buffer.from("a") }));
    assert.deepEqual(
      found.map(({ path, link }) => `${showPath(path)} ${showPath(link)}`),
      ["manifest ", "rootfs ", "rootfs/a ", "rootfs/b rootfs/a"],
    );
  });
  it("ACI-4: files keep owner and time, to the nanosecond", async () => {
    const [, , file] = await members(packed({ path: "a" }));
    assert.deepEqual([file?.uid, file?.gid, file?.mtime], [5, 6, { seconds: 100n, nanoseconds: 7 }]);
  });
  it("the manifest is root's, of time 0 or of SOURCE_DATE_EPOCH", async () => {
    const [manifest] = await members(packed());
    assert.deepEqual([manifest?.uid, manifest?.mode, manifest?.mtime.seconds], [0, 0o644, 0n]);
    const [dated] = await members(packed(), { sourceDateEpoch: 50 });
    assert.equal(dated?.mtime.seconds, 50n);
  });
  it("with SOURCE_DATE_EPOCH later times become it, to the nanosecond", async () => {
    const time = (seconds: bigint, nanoseconds: number) => ({ seconds, nanoseconds });
    const entries = packed({ path: "a", mtime: time(49n, 9) }, { path: "b", mtime: time(50n, 9) }, { path: "c" });
    const found = await members(entries, { sourceDateEpoch: 50 });
    assert.deepEqual(
      found.slice(2).map(({ mtime }) => mtime),
      [time(49n, 9), time(50n, 0), time(50n, 0)],
    );
  });
  it("--owner-root makes everything root's", async () => {
    const found = await members(packed({ path: "a" }), { ownerRoot: true });
    assert.deepEqual(new Set(found.flatMap(({ uid, gid }) => [uid, gid])), new Set([0]));
  });
  it("X01, X02, X07: attributes that are no image's are left out, and said once", async () => {
    const said: string[] = [];
    const log = { ...silentLog, warn: (text: string) => said.push(text) };
    const xattrs = ["user.a", "trusted.overlay.opaque", "security.selinux"].map((name) => ({ name, value: none }));
    const found = await members(packed({ path: "a", xattrs }, { path: "b", xattrs }), { log });
    assert.deepEqual(
      found[2]?.xattrs.map(({ name }) => name),
      ["user.a"],
    );
    assert.deepEqual(said, [
      "left out the attribute trusted.overlay.opaque of 2 files",
      "left out the attribute security.selinux of 2 files",
    ]);
  });
  it("D06: what the reader would refuse is refused", async () => {
    const whiteout = { path: "w", type: "character", device: { major: 0, minor: 0 } } as const;
    await assert.rejects(members(packed(whiteout)), fails("IMAGE_INVALID", /^rootfs\/w: .*0:0/));
  });
  it("P12: a path that only rootfs/ makes too long is refused", async () => {
    const path = Array.from({ length: 16 }, () => "p".repeat(255)).join("/");
    await members(packed({ path: path.slice(0, 4088) }));
    await assert.rejects(members(packed({ path: path.slice(0, 4089) })), fails("LIMIT_EXCEEDED"));
  });
});
