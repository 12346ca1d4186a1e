import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { placeOf } from "../../src/sbom/places.ts";

describe("placeOf (SBOM-2)", () => {
  const cases: readonly (readonly [string, string | undefined])[] = [
    ["etc/os-release", "os-release"],
    ["usr/lib/os-release", "os-release"],
    ["var/lib/dpkg/status", "dpkg"],
    ["var/lib/dpkg/status.d/base", "dpkg"],
    ["var/lib/dpkg/status.d/base.md5sums", undefined],
    ["x/var/lib/dpkg/status", undefined],
    ["var/lib/dpkg/status-old", undefined],
    ["usr/share/doc/a/copyright", "copyright"],
    ["usr/share/doc/a/b/copyright", undefined],
    ["lib/apk/db/installed", "apk"],
    ["usr/lib/apk/db/installed", "apk"],
    ["var/lib/rpm/rpmdb.sqlite", "rpm-sqlite"],
    ["usr/lib/sysimage/rpm/rpmdb.sqlite", "rpm-sqlite"],
    ["usr/share/rpm/rpmdb.sqlite-wal", "rpm-log"],
    ["var/lib/rpm/Packages.db", "rpm-ndb"],
    ["var/lib/rpm/Packages", "rpm-bdb"],
    ["var/lib/rpm/Packagesxdb", undefined],
    ["node_modules/a/package.json", "package.json"],
    ["srv/app/node_modules/@s/a/package.json", "package.json"],
    ["srv/node_modules/a/node_modules/b/package.json", "package.json"],
    ["srv/node_modules/a/dist/package.json", undefined],
    ["srv/node_modules/@s/package.json", undefined],
    ["srv/xnode_modules/a/package.json", undefined],
    ["srv/package.json", undefined],
    ["srv/package-lock.json", "package-lock"],
    ["package-lock.json", "package-lock"],
    ["srv/my-package-lock.json", undefined],
    ["node_modules/a/package-lock.json", undefined],
    ["srv/node_modules/.package-lock.json", "package-lock"],
  ];
  for (const [path, kind] of cases) it(path, () => assert.equal(placeOf(path)?.kind, kind));
  it("is quick on a path made to be slow", () => {
    const begin = performance.now();
    placeOf(`${"node_modules/@".repeat(300)}/package.json`);
    assert.ok(performance.now() - begin < 500);
  });
});
