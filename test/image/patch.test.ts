import assert from "node:assert/strict";
import { chmod, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { gzipSync } from "node:zlib";
import { silentLog } from "../../src/base/log.ts";
import { type PatchedArchive, patchArchive } from "../../src/image/patch.ts";
import { fails } from "../helpers/failures.ts";
import { fakeId, sha512 } from "../helpers/images.ts";
import { memberBytes, minimalManifest, type RawMember, tarBytes } from "../helpers/tar-bytes.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

const changed = Buffer.from(
  JSON.stringify({ acKind: "ImageManifest", acVersion: "0.8.11", name: "example.com/changed", x: "y".repeat(2000) }),
);

const rootfs: readonly RawMember[] = [
  { name: "rootfs", type: "5", mode: 0o755 },
  { name: "rootfs/gnu", magic: "gnu", longName: `rootfs/${"n".repeat(150)}`, body: "with a long name" },
  { name: "rootfs/pax", pax: [["mtime", "1.5"]], body: { repeat: "z", count: 300_000 } },
  { name: "rootfs/old", magic: "old", uid: 7 },
];
const manifest: RawMember = { name: "./manifest", body: minimalManifest, mode: 0o600, uid: 12, gid: 13, mtime: 99 };

interface Setup {
  readonly home: string;
  patch(tar: Buffer, changes?: Partial<Parameters<typeof patchArchive>[0]>): Promise<PatchedArchive>;
}

async function setUp(t: TestContext): Promise<Setup> {
  const home = await temporaryDirectory(t);
  const [input, output] = [join(home, "in.aci"), join(home, "out.aci")];
  return {
    home,
    patch: async (archive, changes = {}) => {
      await writeFile(input, archive);
      const options = { input, output, overwrite: false, compression: "none", change: () => changed } as const;
      return await patchArchive({ ...options, task: "writing", log: silentLog, ...changes });
    },
  };
}

const archive = (members: readonly RawMember[]) => tarBytes({ bare: true, members });

describe("patchArchive", () => {
  for (const [where, before, after] of [
    ["first", [], rootfs],
    ["last, as actool writes it", rootfs, []],
    ["in the middle", rootfs.slice(0, 2), rootfs.slice(2)],
  ] as const) {
    it(`PATCH-1: keeps every other byte, and the entry's owner, mode and time: the manifest ${where}`, async (t) => {
      const { home, patch } = await setUp(t);
      const patched = await patch(gzipSync(archive([...before, manifest, ...after])));
      const expected = archive([...before, { ...manifest, name: "manifest", body: String(changed) }, ...after]);
      assert.deepEqual(await readFile(join(home, "out.aci")), expected);
      assert.equal(patched.id, `sha512-${sha512(expected)}`);
      assert.equal(patched.from, `sha512-${sha512(archive([...before, manifest, ...after]))}`);
      assert.equal(patched.name, "example.com/changed");
    });
  }

  it("keeps a global header before the manifest, and refuses one amid its headers", async (t) => {
    const { home, patch } = await setUp(t);
    const global = [["mtime", "1234"]] as const;
    await patch(archive([{ ...manifest, global }, ...rootfs]));
    const bytes = await readFile(join(home, "out.aci"));
    const head = memberBytes({ ...manifest, global }).subarray(0, 1024);
    assert.deepEqual(bytes.subarray(0, 1024), head);
    const amid = { ...manifest, global, pax: [["comment", "x"]], lead: ["pax", "global"] } as const;
    await assert.rejects(
      patch(archive([amid, ...rootfs]), { overwrite: true }),
      fails("UNSUPPORTED", /global header/, { hint: /extract/ }),
    );
    assert.deepEqual(await readFile(join(home, "out.aci")), bytes);
  });

  it("keeps what follows the end marker, so that nothing but the manifest makes the ID", async (t) => {
    const { home, patch } = await setUp(t);
    const tar = Buffer.concat([archive([manifest, ...rootfs]), Buffer.alloc(5120)]);
    await patch(tar, { change: (bytes) => bytes });
    const again = await readFile(join(home, "out.aci"));
    assert.equal(again.length, tar.length);
    assert.deepEqual(again.subarray(1024), tar.subarray(1024));
  });

  it("replaces its own input, whole", async (t) => {
    const { home, patch } = await setUp(t);
    const own = join(home, "in.aci");
    await patch(archive([manifest, ...rootfs]), { output: own, overwrite: true, compression: "gzip" });
    assert.deepEqual(await readdir(home), ["in.aci"]);
    await chmod(own, 0o600);
    await patchArchive({
      ...{ input: own, output: own, overwrite: true, compression: "none", task: "writing", log: silentLog },
      change: (bytes) => bytes,
    });
    assert.equal((await stat(own)).mode & 0o777, 0o600, "a private image stays private");
    const again = await patchArchive({
      ...{ input: own, output: join(home, "out.aci"), overwrite: false, compression: "none", task: "writing" },
      change: (bytes) => bytes,
      log: silentLog,
    });
    assert.equal(again.name, "example.com/changed");
    assert.equal(again.id, again.from, "the same manifest is the same image");
  });

  it("PATCH-2: leaves nothing when the archive, the new manifest or the expectation is wrong", async (t) => {
    const { home, patch } = await setUp(t);
    const tar = archive([manifest, ...rootfs]);
    await assert.rejects(patch(tar.subarray(0, -600)), fails("ARCHIVE_INVALID"));
    await assert.rejects(patch(tar, { change: () => Buffer.from("{}") }), fails("MANIFEST_INVALID", /new manifest/));
    await assert.rejects(patch(tar, { change: () => Buffer.alloc(5 * 1024 * 1024, " ") }), fails("LIMIT_EXCEEDED"));
    await assert.rejects(patch(tar, { expected: fakeId("other") }), fails("DIGEST_MISMATCH"));
    await assert.rejects(patch(tar, { input: join(home, "none") }), fails("NOT_FOUND"));
    await assert.rejects(patch(tar, { input: home }), fails("IO_FAILED"));
    await assert.rejects(patch(tar, { signal: AbortSignal.abort() }), fails("INTERRUPTED"));
    await assert.rejects(patch(tar, { output: join(home, "in.aci") }), fails("ALREADY_EXISTS"));
    assert.deepEqual(await readdir(home), ["in.aci"]);
  });
});
