import assert from "node:assert/strict";
import { resolve } from "node:path";
import { describe, it } from "node:test";
import { identifierOf, parseOciReference, showOciReference, storedNameOf } from "../../src/oci/reference.ts";
import { fails } from "../helpers/failures.ts";

const pin = `sha256:${"a".repeat(64)}`;

describe("references to Docker and OCI images (OCI-1, OCI-2, CLI-85)", () => {
  const shown: Readonly<Record<string, string>> = {
    "docker://busybox": "docker://docker.io/library/busybox:latest",
    "docker://busybox:1.36": "docker://docker.io/library/busybox:1.36",
    "docker://someone/thing": "docker://docker.io/someone/thing:latest",
    "docker://index.docker.io/busybox": "docker://docker.io/library/busybox:latest",
    "docker://localhost/a": "docker://localhost/a:latest",
    "docker://localhost:5000/a/b__c:t": "docker://localhost:5000/a/b__c:t",
    "docker://[::1]:5000/a": "docker://[::1]:5000/a:latest",
    "docker://Registry.Example.com/a": "docker://registry.example.com/a:latest",
    [`docker://example.com/a@${pin}`]: `docker://example.com/a@${pin}`,
    [`docker://example.com/a:t@${pin}`]: `docker://example.com/a:t@${pin}`,
    "oci:/srv/image:1.0": "oci:/srv/image:1.0",
    "oci:/srv/image:example.com/web:1.0": "oci:/srv/image:example.com/web:1.0",
    [`oci:/srv/image@${pin}`]: `oci:/srv/image@${pin}`,
    "oci:image": `oci:${resolve("image")}`,
    "oci-archive:/srv/a.tar": "oci-archive:/srv/a.tar",
    "docker-archive:/srv/a.tar:web:2": "docker-archive:/srv/a.tar:web:2",
  };
  for (const [text, expected] of Object.entries(shown)) {
    it(`${text} has one spelling`, () => {
      const reference = parseOciReference(text);
      assert.ok(reference !== undefined);
      assert.equal(showOciReference(reference), expected);
      assert.deepEqual(parseOciReference(expected), reference);
    });
  }

  const broken: Readonly<Record<string, RegExp>> = {
    "docker:busybox": /two slashes/,
    "docker://": /no repository/,
    "docker://UPPER/case": /no repository/,
    "docker://a//b": /no repository/,
    "docker://example.com/../a": /no repository/,
    "docker://example.com/a:": /no tag/,
    "docker://example.com/a:b c": /no tag/,
    "docker://example.com/a@sha256:12": /no digest/,
    "docker://example.com/a@md5:d41d8cd98f00b204e9800998ecf8427e": /no digest/,
    [`docker://example.com/a@${pin.toUpperCase()}`]: /no digest/,
    "docker://user:secret@example.com/a": /no digest/,
    "docker://exa mple.com/a": /no registry host/,
    "docker://-x.com/a": /no registry host/,
    [`docker://example.com/${"a".repeat(300)}`]: /no repository/,
    "oci:": /path is missing/,
    "oci:dir:": /name behind the colon/,
    "oci-archive:": /path is missing/,
    "oci:a@sha256:12": /no digest/,
  };
  for (const [text, why] of Object.entries(broken)) {
    it(`${text.slice(0, 60)} is refused`, () => {
      assert.throws(() => parseOciReference(text), fails("USAGE", why, { hint: /docker:\/\// }));
    });
  }

  it("other texts are none", () => {
    for (const text of ["example.com/docker", "sha512-00", "./oci", "https://example.com/a.aci", "ocidir", "web:1.0"]) {
      assert.equal(parseOciReference(text), undefined, text);
    }
  });
});

describe("names in the store (OCI-31)", () => {
  const names: Readonly<Record<string, string>> = {
    "docker.io/library/busybox": "docker.io/library/busybox",
    "localhost:5000/a__b/c--d": "localhost_5000/a_b/c-d",
    "UPPER.case": "upper.case",
    ".hidden-": "hidden",
    "…": "image",
    "": "image",
  };
  for (const [name, expected] of Object.entries(names)) {
    it(`${JSON.stringify(name)} is called ${expected}`, () => assert.equal(identifierOf(name), expected));
  }
  it("an image of a registry is found by host and repository", () => {
    const reference = parseOciReference("docker://localhost:5000/a/b:3");
    assert.ok(reference !== undefined);
    assert.equal(storedNameOf(reference), "localhost_5000/a/b");
    const local = parseOciReference("oci:/a");
    assert.ok(local !== undefined);
    assert.equal(storedNameOf(local), undefined);
  });
});
