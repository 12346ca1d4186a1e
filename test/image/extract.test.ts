import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { createReadStream } from "node:fs";
import { chmod, lstat, mkdir, readdir, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { silentLog } from "../../src/base/log.ts";
import { readArchive } from "../../src/image/archive.ts";
import { buildArchive } from "../../src/image/build.ts";
import { extractArchive } from "../../src/image/extract.ts";
import { fails } from "../helpers/failures.ts";
import { describeTree, isRoot, makeLayout, manifestText, withoutOwners } from "../helpers/image-tree.ts";
import "../helpers/shim.ts";
import { chunks, type RawMember, tarBytes } from "../helpers/tar-bytes.ts";
import { makeTemporary } from "../helpers/temporary.ts";

let temporary: Awaited<ReturnType<typeof makeTemporary>>;
let rootfs = "";
let count = 0;
const at = (name: string) => join(temporary.path, name);

async function emptyDirectory(): Promise<string> {
  const directory = at(`out-${count++}`);
  await mkdir(directory);
  return directory;
}

async function extract(members: readonly RawMember[]) {
  const directory = await emptyDirectory();
  const result = await extractArchive(chunks(tarBytes({ members })), directory, { owner: isRoot });
  return { directory, ...result };
}

before(async () => {
  temporary = await makeTemporary();
  await mkdir(at("layout"));
  ({ rootfs } = makeLayout(at("layout")));
});
after(() => temporary.remove());

describe("extractArchive: a tree comes back", () => {
  const same = (tree: string) => {
    const [now, wanted] = [describeTree(tree), describeTree(rootfs)];
    if (isRoot) assert.deepEqual(now, wanted);
    else assert.deepEqual(withoutOwners(now), withoutOwners(wanted));
  };
  const build = (output: string, root: string) =>
    buildArchive({
      manifest: Buffer.from(manifestText),
      rootfs: root,
      output: at(output),
      overwrite: false,
      compression: "gzip",
      ownerRoot: false,
      log: silentLog,
    });

  it("ACI-4: modes, owners, times, links, devices, bytes of names; and built again it is the same image", async () => {
    const { id } = await build("first.aci", rootfs);
    const directory = await emptyDirectory();
    const result = await extractArchive(createReadStream(at("first.aci")), directory, {
      owner: isRoot,
      devices: isRoot,
      sync: true,
    });
    assert.deepEqual([result.id, result.skipped], [id, []]);
    same(directory);
    if (isRoot) assert.equal((await build("second.aci", directory)).id, id);
  });
  it("X03: file capabilities", { skip: !isRoot && "only root may set them" }, async () => {
    const directory = await emptyDirectory();
    await extractArchive(createReadStream(at("first.aci")), directory, { owner: true, devices: true });
    assert.match(execFileSync("getcap", [join(directory, "capable")], { encoding: "utf8" }), /cap_net_raw=ep/);
  });
  it("an image of actool: the same tree, and the ID of its tar", async () => {
    const built = spawnSync("actool", ["build", at("layout"), at("actool.aci")], { encoding: "utf8" });
    assert.equal(built.status, 0, built.stderr);
    const directory = await emptyDirectory();
    const { id, manifestBytes } = await extractArchive(createReadStream(at("actool.aci")), directory, {
      owner: isRoot,
      devices: isRoot,
    });
    assert.deepEqual(JSON.parse(String(manifestBytes)), JSON.parse(manifestText));
    const sum = execFileSync("sh", ["-c", 'gzip -dc "$0" | sha512sum', at("actool.aci")], { encoding: "utf8" });
    assert.equal(id, `sha512-${sum.slice(0, 128)}`);
    // actool rounds times to whole seconds and keeps no attributes.
    const rounded = (text: string): string =>
      text.replace(/^(\S+) (\d+) /, (_, mode, time) => `${mode} ${(BigInt(time) + 500_000_000n) / 1_000_000_000n} `);
    const seconds = (tree: ReadonlyMap<string, string>) =>
      new Map([...withoutOwners(tree)].map(([path, text]) => [path, rounded(text)]));
    assert.deepEqual(seconds(describeTree(directory)), seconds(describeTree(rootfs)));
  });
});

describe("extractArchive: what is not in the tree is said", () => {
  it("D01, D02: devices, and hard links to them", async () => {
    const { directory, skipped } = await extract([
      { name: "rootfs/mem", type: "3", major: 1, minor: 1 },
      { name: "rootfs/again", type: "1", link: "rootfs/mem" },
      { name: "rootfs/f" },
    ]);
    assert.deepEqual(await readdir(directory), ["f"]);
    assert.equal(skipped.length, 2);
    assert.match(skipped[0] ?? "", /^mem: /);
  });
  it("X01, X02, X07: attributes that are the host's business", async () => {
    const names = ["trusted.overlay.opaque", "user.overlay.redirect", "security.selinux"];
    const pax = names.map((name) => [`SCHILY.xattr.${name}`, "y"] as const);
    const { skipped } = await extract([{ name: "rootfs/d", type: "5", mode: 0o755, pax }]);
    assert.deepEqual([...skipped].sort(), names.map((name) => `d: ${name}`).sort());
  });
  it("X06: an ACL as text that is none", async () => {
    const { skipped } = await extract([{ name: "rootfs/f", pax: [["SCHILY.acl.access", "user::rw-"]] }]);
    assert.deepEqual(skipped, ["f: SCHILY.acl.access"]);
  });
});

describe("extractArchive: attacks", () => {
  it("S07, H04: links lead where they say, and nothing follows them", async () => {
    const { directory } = await extract([
      { name: "rootfs/l", type: "2", link: "/etc/passwd" },
      { name: "rootfs/h", type: "1", link: "rootfs/l" },
    ]);
    assert.equal(await readlink(join(directory, "l")), "/etc/passwd");
    assert.equal((await lstat(join(directory, "l"))).nlink, 2);
  });
  it("F14: a directory of mode 000 gets what is below it first", async () => {
    const { directory } = await extract([
      { name: "rootfs/d", type: "5", mode: 0 },
      { name: "rootfs/d/f", body: "x" },
    ]);
    assert.equal((await lstat(join(directory, "d"))).mode & 0o7777, 0);
    await chmod(join(directory, "d"), 0o700);
    assert.equal(await readFile(join(directory, "d/f"), "utf8"), "x");
  });
  it("P16: a name that is no UTF-8 keeps its bytes", async () => {
    const { directory } = await extract([{ name: "rootfs/\xff\xfe" }]);
    assert.deepEqual(await readdir(directory, { encoding: "buffer" }), [Buffer.from([0xff, 0xfe])]);
  });
  it("a refused image is reported as what it is, not as a failure of the shim", async () => {
    const members = [{ name: "rootfs/f", body: { repeat: "x", count: 600_000 } }, { name: "other" }];
    await assert.rejects(extract(members), fails("IMAGE_INVALID", /^other: /));
    const directory = await emptyDirectory();
    const cut = tarBytes({ members: [{ name: "rootfs/f", body: { repeat: "x", count: 600_000 } }], end: 0, cut: 1000 });
    await assert.rejects(extractArchive(chunks(cut), directory, { owner: isRoot }), fails("ARCHIVE_INVALID"));
  });
  it("nothing is outside of the directory afterwards", async () => {
    const before = await readdir(temporary.path);
    const directory = await emptyDirectory();
    for (const name of ["rootfs/../../escaped", "/escaped", "rootfs/a/../../escaped"]) {
      await assert.rejects(extractArchive(chunks(tarBytes({ members: [{ name }] })), directory, { owner: isRoot }));
    }
    assert.deepEqual(
      (await readdir(temporary.path)).filter((name) => name !== directory.split("/").at(-1)),
      before,
    );
  });
  it("an abort ends the shim", async () => {
    const controller = new AbortController();
    const bytes = tarBytes({ members: [{ name: "rootfs/f", body: { repeat: "x", count: 3_000_000 } }] });
    async function* source() {
      yield bytes.subarray(0, 2_000_000);
      controller.abort();
      yield bytes.subarray(2_000_000);
    }
    const options = { owner: isRoot, signal: controller.signal };
    await assert.rejects(extractArchive(source(), await emptyDirectory(), options), fails("INTERRUPTED"));
  });
  it("A14: an archive inside is a file", async () => {
    const inner = tarBytes({ members: [] });
    const { directory } = await extract([{ name: "rootfs/in.tar", body: { hex: inner.toString("hex") } }]);
    assert.ok((await readFile(join(directory, "in.tar"))).equals(inner));
    assert.equal((await readArchive(createReadStream(join(directory, "in.tar")))).entries, 1);
  });
});
