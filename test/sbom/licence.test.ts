import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { licenceOf } from "../../src/sbom/licence.ts";

describe("licenceOf (SBOM-5)", () => {
  const known: readonly (readonly [string, string])[] = [
    ["MIT", "MIT"],
    ["mit", "MIT"],
    ["Expat", "MIT"],
    ["GPL-2+", "GPL-2.0-or-later"],
    ["GPLv2+ and MIT", "GPL-2.0-or-later AND MIT"],
    ["ASL 2.0", "Apache-2.0"],
    ["MIT OR Apache-2.0 AND ISC", "MIT OR Apache-2.0 AND ISC"],
    ["(MIT or GPL-2) AND ISC", "(MIT OR GPL-2.0-only) AND ISC"],
    ["((MIT))", "((MIT))"],
    ["GPL-2.0-only WITH Linux-syscall-note", "GPL-2.0-only WITH Linux-syscall-note"],
    ["GPL-3+ with GCC-exception-3.1 AND MIT", "GPL-3.0-or-later WITH GCC-exception-3.1 AND MIT"],
  ];
  for (const [words, expression] of known) {
    it(words, () => assert.deepEqual(licenceOf(words), { expression }));
  }
  for (const words of [
    "Public domain",
    "MIT and ISC or GPL-2",
    "MIT AND",
    "OR MIT",
    "(MIT",
    "MIT)",
    "()",
    "MIT MIT",
    "MIT WITH something",
    "MIT WITH (ISC)",
    "AND",
    "GPL",
    "SEE LICENSE IN LICENSE.md",
    "(".repeat(4000),
    "é\u0000",
  ]) {
    it(`a text of its own: ${JSON.stringify(words.slice(0, 30))}`, () => {
      const licence = licenceOf(words);
      assert.match(licence?.expression ?? "", /^LicenseRef-[A-Za-z0-9.-]+$/);
      assert.equal(licence?.text, words);
    });
  }
  it("texts whose letters are the same stay two", () => {
    assert.notEqual(licenceOf("a b")?.expression, licenceOf("a/b")?.expression);
  });
  it("nothing is nothing", () => assert.equal(licenceOf(" \n"), undefined));
});
