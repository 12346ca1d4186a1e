import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { hostPlatform } from "../../src/oci/platform.ts";
import { fails } from "../helpers/failures.ts";
import {
  addToIndex,
  blob,
  file,
  hostArchitecture,
  layer,
  makeParts,
  ociTypes,
  writeBlobs,
  writeLayout,
} from "../helpers/oci-images.ts";
import { resolveLocal as resolve } from "../helpers/oci-source.ts";
import { tar } from "../helpers/raw-tar.ts";

const work = mkdtempSync(join(tmpdir(), "perigee-oci-layout-"));
after(() => rmSync(work, { recursive: true }));
let count = 0;
const fresh = () => join(work, `l${count++}`);

const layers = [layer([file("a")])];

describe("OCI-20: image layouts", () => {
  it("the only image needs no name, and tells its own", async () => {
    const place = fresh();
    const digest = writeLayout(place, { layers, tag: "1.0" });
    const { manifestDigest, tag, imageName } = await resolve(`oci:${place}`);
    assert.deepEqual([manifestDigest, tag, imageName], [digest, "1.0", place.split("/").at(-1)]);
  });
  it("of several one is named, and a whole name is its name", async () => {
    const place = fresh();
    writeLayout(place, { layers, tag: "a" });
    const second = writeLayout(place, { layers: [], tag: "example.com/web:2" });
    const found = await resolve(`oci:${place}:example.com/web:2`);
    assert.deepEqual([found.manifestDigest, found.imageName, found.tag], [second, "example.com/web", "2"]);
    await assert.rejects(resolve(`oci:${place}`), fails("AMBIGUOUS", /several/, { hint: /:a/ }));
    await assert.rejects(resolve(`oci:${place}:none`), fails("NOT_FOUND", /no image none/));
  });
  it("OCI-2: a digest pins the manifest, or the index that it is found by", async () => {
    const place = fresh();
    const digest = writeLayout(place, { layers });
    const other = writeLayout(place, { layers: [] });
    assert.equal((await resolve(`oci:${place}@${digest}`)).manifestDigest, digest);
    assert.equal((await resolve(`oci:${place}@${other}`)).manifestDigest, other);
    await assert.rejects(resolve(`oci:${place}@sha256:${"0".repeat(64)}`), fails("NOT_FOUND"));
  });
  it("OCI-6: an index in the index is asked for this platform, and only for it", async () => {
    const place = fresh();
    const here = makeParts({ layers, entry: { platform: { os: "linux", architecture: hostArchitecture } } });
    const there = makeParts({ layers: [], entry: { platform: { os: "linux", architecture: "s390x" } } });
    const inner = blob({ schemaVersion: 2, mediaType: ociTypes.index, manifests: [there.entry, here.entry] });
    writeBlobs(place, [...here.blobs, inner]);
    addToIndex(place, { mediaType: ociTypes.index, digest: inner.digest, size: inner.size });
    assert.equal((await resolve(`oci:${place}`)).manifestDigest, here.manifest.digest);
    const foreign = fresh();
    writeLayout(foreign, { layers, entry: { platform: { os: "linux", architecture: "s390x" } } });
    await assert.rejects(resolve(`oci:${foreign}`), fails("NOT_FOUND", /not made for/));
  });
  it("T-D17: an index that promises another platform than the config says is refused", async () => {
    const place = fresh();
    writeLayout(place, {
      ...{ layers, document: { architecture: "s390x" } },
      entry: { platform: { os: "linux", architecture: hostArchitecture } },
    });
    await assert.rejects(resolve(`oci:${place}`), fails("NAME_MISMATCH", /s390x/));
  });
  it("an index that leads to itself over and over is refused", async () => {
    const place = fresh();
    let inner = makeParts({ layers }).manifest;
    for (let depth = 0; depth < 6; depth += 1) {
      const { digest, size } = inner;
      inner = blob({
        schemaVersion: 2,
        mediaType: ociTypes.index,
        manifests: [{ mediaType: ociTypes.index, digest, size }],
      });
      writeBlobs(place, [inner]);
    }
    addToIndex(place, { mediaType: ociTypes.index, digest: inner.digest, size: inner.size });
    await assert.rejects(resolve(`oci:${place}`), fails("IMAGE_INVALID", /index in an index/));
  });
  it("what is no layout is told so", async () => {
    const place = fresh();
    await assert.rejects(resolve(`oci:${place}`), fails("NOT_FOUND", /no OCI image layout/));
    mkdirSync(place);
    writeFileSync(join(place, "oci-layout"), '{"imageLayoutVersion":"2.0.0"}');
    await assert.rejects(resolve(`oci:${place}`), fails("IMAGE_INVALID", /not as images/, { cause: /2\.0\.0/ }));
    writeFileSync(join(place, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
    await assert.rejects(resolve(`oci:${place}`), fails("IMAGE_INVALID", /not as images/, { cause: /index\.json/ }));
  });
  it("OCI-9: a manifest or a config of other bytes than its digest says is refused", async () => {
    for (const kind of ["manifest", "config"] as const) {
      const place = fresh();
      const made = makeParts({ layers, tag: "t" });
      writeLayout(place, { layers, tag: "t" });
      const path = join(place, "blobs", made[kind].digest.replace(":", "/"));
      writeFileSync(path, made[kind].bytes.toString().replace("linux", "LINUX").replace("2", "3"));
      await assert.rejects(resolve(`oci:${place}`), fails("DIGEST_MISMATCH"), kind);
    }
  });
  it("a blob that is a link or a FIFO is not opened", async () => {
    const place = fresh();
    const digest = writeLayout(place, { layers });
    const path = join(place, "blobs", digest.replace(":", "/"));
    rmSync(path);
    symlinkSync("/etc/passwd", path);
    await assert.rejects(resolve(`oci:${place}`), fails("IO_FAILED"));
    rmSync(path);
    execFileSync("mkfifo", [path]);
    await assert.rejects(resolve(`oci:${place}`), fails("IMAGE_INVALID", /no regular file/));
  });
});

describe("OCI-20: the same in one file", () => {
  it("is read like a directory", async () => {
    const place = fresh();
    const digest = writeLayout(place, { layers, tag: "t" });
    execFileSync("tar", ["-cf", `${place}.tar`, "-C", place, "."]);
    assert.equal((await resolve(`oci-archive:${place}.tar:t`)).manifestDigest, digest);
    assert.equal((await resolve(`oci-archive:${place}.tar@${digest}`)).manifestDigest, digest);
  });
  it("a compressed one is refused with the way out", async () => {
    writeFileSync(
      join(work, "a.gz"),
      execFileSync("gzip", ["-c"], { input: tar([{ name: "oci-layout", body: "{}" }]) }),
    );
    await assert.rejects(
      resolve(`oci-archive:${join(work, "a.gz")}`),
      fails("UNSUPPORTED", /gzip/, { hint: /gzip -dc/ }),
    );
  });
  it("a member that stands there twice is refused: two readers would take two", async () => {
    const twice = tar([
      { name: "index.json", body: "{}" },
      { name: "./index.json", body: "[]" },
    ]);
    writeFileSync(join(work, "twice.tar"), twice);
    await assert.rejects(resolve(`oci-archive:${join(work, "twice.tar")}`), fails("ARCHIVE_INVALID", /twice/));
  });
  it("one that is not there, cut off or no tar is refused", async () => {
    await assert.rejects(resolve(`oci-archive:${join(work, "none")}`), fails("NOT_FOUND"));
    writeFileSync(join(work, "cut.tar"), tar([{ name: "oci-layout", body: "x".repeat(2000) }]).subarray(0, 1500));
    await assert.rejects(resolve(`oci-archive:${join(work, "cut.tar")}`), fails("ARCHIVE_INVALID"));
    writeFileSync(join(work, "html.tar"), "<html></html>");
    await assert.rejects(resolve(`oci-archive:${join(work, "html.tar")}`), fails("ARCHIVE_INVALID"));
  });
  it("the words for this machine are those of images made here", () => assert.equal(hostPlatform().os, "linux"));
});
