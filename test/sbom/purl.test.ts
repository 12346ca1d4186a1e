import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { FoundPackage } from "../../src/sbom/package.ts";
import { purlOf } from "../../src/sbom/purl.ts";

const found = (fields: Partial<FoundPackage>): FoundPackage => ({
  type: "deb",
  name: "a",
  version: "1",
  places: [],
  ...fields,
});

describe("purlOf (SBOM-4)", () => {
  const cases: readonly (readonly [string, Partial<FoundPackage>, string])[] = [
    [
      "deb: the epoch is part of the version and its colon is not encoded, a plus is",
      { namespace: "debian", name: "attr", version: "1:2.4.47-2+b1", architecture: "amd64" },
      "pkg:deb/debian/attr@1:2.4.47-2%2Bb1?arch=amd64",
    ],
    [
      "deb: letters that names may have",
      {
        namespace: "debian",
        name: "libstdc++6",
        version: "12.2.0-14~1",
        architecture: "amd64",
        distribution: "debian-12",
      },
      "pkg:deb/debian/libstdc%2B%2B6@12.2.0-14~1?arch=amd64&distro=debian-12",
    ],
    [
      "apk",
      { type: "apk", namespace: "alpine", name: "curl", version: "7.83.0-r0", architecture: "x86" },
      "pkg:apk/alpine/curl@7.83.0-r0?arch=x86",
    ],
    [
      "rpm: the epoch is a qualifier, and qualifiers are sorted",
      {
        type: "rpm",
        namespace: "fedora",
        name: "centerim",
        version: "4.22.10-1.el6",
        architecture: "i686",
        epoch: 1,
        distribution: "fedora-25",
      },
      "pkg:rpm/fedora/centerim@4.22.10-1.el6?arch=i686&distro=fedora-25&epoch=1",
    ],
    ["rpm: epoch 0 that was written down", { type: "rpm", epoch: 0 }, "pkg:rpm/a@1?epoch=0"],
    [
      "npm: the @ of a scope is encoded",
      { type: "npm", namespace: "@angular", name: "animation", version: "12.3.1" },
      "pkg:npm/%40angular/animation@12.3.1",
    ],
    ["npm: build metadata", { type: "npm", version: "1.0.0+x" }, "pkg:npm/a@1.0.0%2Bx"],
    ["everything that is no letter", { version: "1!'()*/?#%@" }, "pkg:deb/a@1%21%27%28%29%2A%2F%3F%23%25%40"],
  ];
  for (const [why, fields, expected] of cases) it(why, () => assert.equal(purlOf(found(fields)), expected));
});
