import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { imageSbom } from "../../src/api/sbom.ts";
import { loadSettings } from "../../src/api/settings.ts";
import { openStore } from "../../src/store/layout.ts";
import { fails } from "../helpers/failures.ts";
import { importReal, makeImage, type RealFile } from "../helpers/images.ts";
import { makeRpmDatabase } from "../helpers/rpm.ts";
import { assertCyclonedx, assertSpdx } from "../helpers/sbom.ts";
import "../helpers/shim.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

const files: readonly RealFile[] = [
  { path: "etc", type: "directory" },
  { path: "etc/os-release", type: "symlink", target: "../usr/lib/os-release" },
  { path: "lib", type: "directory" },
  { path: "lib/apk", type: "directory" },
  { path: "lib/apk/db", type: "directory" },
  { path: "lib/apk/db/installed", content: "P:musl\nV:1.2.5-r0\nA:x86_64\nL:MIT\n\n" },
  { path: "srv", type: "directory" },
  { path: "srv/content", content: '{"name": "@s/a", "version": "1.0.0", "license": "ISC"}' },
  { path: "srv/node_modules", type: "directory" },
  { path: "srv/node_modules/@s", type: "directory" },
  { path: "srv/node_modules/@s/a", type: "directory" },
  { path: "srv/node_modules/@s/a/package.json", type: "link", target: "srv/content" },
  { path: "usr", type: "directory" },
  { path: "usr/lib", type: "directory" },
  { path: "usr/lib/os-release", content: "ID=alpine\nVERSION_ID=3.20\n" },
];

async function scene(t: TestContext) {
  const home = await temporaryDirectory(t);
  const image = await makeImage(
    { name: "example.com/web", version: "1.0", dependencies: [{ imageName: "example.com/base", labels: [] }] },
    files,
  );
  const file = join(home, "web.aci");
  await writeFile(file, image.archive ?? "");
  const settings = await loadSettings({ dir: join(home, "data") });
  return { home, image, file, settings };
}

describe("imageSbom", () => {
  it("reads an archive and a stored image, hard links with it", async (t) => {
    const { settings, image, file } = await scene(t);
    const fromFile = await imageSbom(settings, { image: file });
    assert.deepEqual(
      fromFile.packages.map(({ purl, licence }) => [purl, licence]),
      [
        ["pkg:apk/alpine/musl@1.2.5-r0?arch=x86_64&distro=alpine-3.20", "MIT"],
        ["pkg:npm/%40s/a@1.0.0", "ISC"],
      ],
    );
    assert.deepEqual([fromFile.id, fromFile.name, fromFile.problems], [image.id, "example.com/web", []]);
    await importReal(await openStore(settings.directories.data), image);
    const stored = await imageSbom(settings, { image: "example.com/web:1.0" });
    for (const [kind, assertForm] of [
      ["spdx", assertSpdx],
      ["cyclonedx", assertCyclonedx],
    ] as const) {
      assert.equal(stored.document(kind), fromFile.document(kind));
      assertForm(JSON.parse(stored.document(kind)));
      assert.ok(stored.document(kind).includes(String(image.id).slice(7)));
    }
  });
  it("reads a directory, which has no ID yet, and follows no link out of it", async (t) => {
    const { home, settings } = await scene(t);
    const directory = join(home, "layout");
    const manifest = { acKind: "ImageManifest", acVersion: "0.8.11", name: "example.com/rpm" };
    await mkdir(join(directory, "rootfs/var/lib/rpm"), { recursive: true });
    await writeFile(join(directory, "manifest"), JSON.stringify(manifest));
    await writeFile(
      join(directory, "rootfs/var/lib/rpm/rpmdb.sqlite"),
      makeRpmDatabase(home, [{ name: "perigee-one", version: "1", release: "2", licence: "MIT" }]),
    );
    execFileSync("ln", ["-s", "/var/lib/dpkg", join(directory, "rootfs/var/lib/dpkg")]);
    const { id, packages } = await imageSbom(settings, { image: directory });
    assert.deepEqual([id, packages.map(({ purl }) => purl)], [undefined, ["pkg:rpm/perigee-one@1-2?arch=noarch"]]);
  });
  it("reads a root file system that dpkg installed into", async (t) => {
    const { home, settings } = await scene(t);
    const [root, directory] = [join(home, "deb"), join(home, "layout")];
    await mkdir(join(root, "DEBIAN"), { recursive: true });
    await mkdir(join(root, "usr/share/doc/perigee-test"), { recursive: true });
    await writeFile(join(root, "usr/share/doc/perigee-test/copyright"), "/usr/share/common-licenses/GPL-2");
    const control =
      "Package: perigee-test\nVersion: 2:1.0+b1\nArchitecture: all\nMaintainer: A <a@example.com>\nDescription: x\n";
    await writeFile(join(root, "DEBIAN/control"), control);
    execFileSync("dpkg-deb", ["--build", "--root-owner-group", root, join(home, "a.deb")], { stdio: "pipe" });
    for (const path of ["info", "updates", "triggers"])
      await mkdir(join(directory, "rootfs/var/lib/dpkg", path), { recursive: true });
    await writeFile(join(directory, "rootfs/var/lib/dpkg/status"), "");
    await writeFile(
      join(directory, "manifest"),
      '{"acKind":"ImageManifest","acVersion":"0.8.11","name":"example.com/deb"}',
    );
    const dpkg = [
      "--root",
      join(directory, "rootfs"),
      "--force-not-root",
      "--force-bad-path",
      "--unpack",
      join(home, "a.deb"),
    ];
    execFileSync("dpkg", ["--log", join(home, "log"), ...dpkg], { stdio: "pipe" });
    const { packages } = await imageSbom(settings, { image: directory });
    assert.deepEqual(
      packages.map(({ purl, licence }) => [purl, licence]),
      [["pkg:deb/debian/perigee-test@2:1.0%2Bb1?arch=all", "GPL-2"]],
    );
  });
  it("SBOM-6: has no time but SOURCE_DATE_EPOCH or the image's own", async (t) => {
    const { settings, home } = await scene(t);
    const directory = join(home, "layout");
    await mkdir(join(directory, "rootfs"), { recursive: true });
    const write = (annotations: object) =>
      writeFile(
        join(directory, "manifest"),
        JSON.stringify({ acKind: "ImageManifest", acVersion: "0.8.11", name: "example.com/a", annotations }),
      );
    const created = async (epoch?: number) => {
      const { document } = await imageSbom({ ...settings, sourceDateEpoch: epoch }, { image: directory });
      return JSON.parse(document("spdx")).creationInfo.created;
    };
    await write([]);
    assert.equal(await created(), "1970-01-01T00:00:00Z");
    await write([{ name: "created", value: "2020-01-02T03:04:05.678+01:00" }]);
    assert.equal(await created(), "2020-01-02T02:04:05Z");
    assert.equal(await created(60), "1970-01-01T00:01:00Z");
  });
  it("refuses what is no image, and one that becomes another while it is read", async (t) => {
    const { settings, home, file } = await scene(t);
    await writeFile(join(home, "bad.aci"), "x");
    await assert.rejects(imageSbom(settings, { image: join(home, "bad.aci") }), fails("ARCHIVE_INVALID"));
    await assert.rejects(imageSbom(settings, { image: join(home, "none.aci") }), fails("NOT_FOUND"));
    await assert.rejects(imageSbom(settings, { image: "example.com/none" }), fails("NOT_FOUND"));
    await assert.rejects(imageSbom(settings, { image: home }), fails("IMAGE_INVALID", /manifest is missing/));
    const signal = AbortSignal.abort();
    await assert.rejects(imageSbom(settings, { image: file, signal }), fails("INTERRUPTED"));
    await rename(file, join(home, "moved.aci"));
    await assert.rejects(imageSbom(settings, { image: file }), fails("NOT_FOUND"));
  });
});
