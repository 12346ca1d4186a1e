import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { describe, it } from "node:test";
import { allPlaces, placesFor, prefixPlace, rootPlace } from "../../src/trust/places.ts";
import { failure, temporary } from "../helpers/trust.ts";

describe("places of trusted keys", () => {
  const path = temporary();

  it("TRUST-1, TRUST-2: root, then every prefix of the name by whole components", () => {
    assert.deepEqual(
      placesFor("example.com/foo/bar").map(({ scope, path: parts }) => `${scope}: ${parts.join("/")}`),
      [
        "root: trustedkeys/root.d",
        "example.com: trustedkeys/prefix.d/example.com",
        "example.com/foo: trustedkeys/prefix.d/example.com/foo",
        "example.com/foo/bar: trustedkeys/prefix.d/example.com/foo/bar",
      ],
    );
    assert.equal(prefixPlace("example.com/foo").scope, "example.com/foo");
  });

  it("nothing that is no name has one", () => {
    for (const text of ["..", "", "/etc", "a//b", "a/../b", "A", "a\0b", "-a"]) {
      assert.throws(() => placesFor(text), failure("USAGE", /./), text);
      assert.throws(() => prefixPlace(text), failure("USAGE", /./), text);
    }
  });

  it("all of them are the directories that any of the configuration directories has, each once", () => {
    mkdirSync(path("a", "trustedkeys", "prefix.d", "example.com", "web"), { recursive: true, mode: 0o755 });
    mkdirSync(path("b", "trustedkeys", "prefix.d", "example.com"), { recursive: true, mode: 0o755 });
    mkdirSync(path("b", "trustedkeys", "prefix.d", "example.org"), { recursive: true, mode: 0o755 });
    assert.deepEqual(
      allPlaces([path("a"), path("b")])
        .map(({ scope }) => scope)
        .sort(),
      ["example.com", "example.com/web", "example.org", "root"],
    );
    assert.deepEqual(allPlaces([path("nowhere")]), [rootPlace]);
  });

  it("LIMIT: a tree without end is refused", () => {
    for (let index = 0; index < 70; index++) {
      for (let inner = 0; inner < 60; inner++) {
        mkdirSync(path("many", "trustedkeys", "prefix.d", `a${index}`, `b${inner}`), { recursive: true, mode: 0o755 });
      }
    }
    assert.throws(() => allPlaces([path("many")]), failure("LIMIT_EXCEEDED", /4096/));
  });
});
