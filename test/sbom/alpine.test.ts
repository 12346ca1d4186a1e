import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readApkInstalled } from "../../src/sbom/alpine.ts";

const read = (text: string) => {
  const problems: string[] = [];
  const found = readApkInstalled(Buffer.from(text), {
    distribution: { id: "alpine", version: "3.20.1" },
    place: "lib/apk/db/installed",
    problem: (sentence) => problems.push(sentence),
  });
  return { found, problems };
};

const musl = `C:Q1Ff3EmMmSBFmcWqZLL/Ux1fLN0Tw=
P:musl
V:1.2.5-r0
A:x86_64
S:411066
I:667648
T:the musl c library (libc) implementation
U:https://musl.libc.org/
L:MIT
o:musl
m:Natanael Copa <ncopa@example.com>
F:lib
R:ld-musl-x86_64.so.1
a:0:0:755
Z:Q1BTO7f4xB6xbRnmQKY2nB0wAYAvE=
P:not-a-package
`;

describe("readApkInstalled (SBOM-2)", () => {
  it("says of a package what is written of it, and takes no file for a field", () => {
    const { found, problems } = read(`${musl}\nP:libcrypto3\nV:3.3.1-r0\nA:x86_64\nL:Apache-2.0\no:openssl\n\n`);
    assert.deepEqual(found[0], {
      type: "apk",
      namespace: "alpine",
      name: "musl",
      version: "1.2.5-r0",
      architecture: "x86_64",
      distribution: "alpine-3.20.1",
      licence: "MIT",
      source: "musl 1.2.5-r0",
      supplier: "Natanael Copa <ncopa@example.com>",
      homepage: "https://musl.libc.org/",
      description: "the musl c library (libc) implementation",
      places: ["lib/apk/db/installed"],
    });
    assert.deepEqual([found[1]?.name, found[1]?.source], ["libcrypto3", "openssl 3.3.1-r0"]);
    assert.deepEqual(problems, []);
  });
  it("names an entry that is none", () => {
    for (const text of ["P:a\n", "P:a b\nV:1\n", "V:1\n"]) {
      assert.match(read(text).problems[0] ?? "", /without a valid name and version/);
    }
  });
  it("SBOM-2: warns of what is no database of apk", () => {
    for (const text of ["garbage\n", "\0\u0001\u0002", "P:a\nV:1\nF:lib\nrubbish\n"]) {
      assert.match(read(text).problems[0] ?? "", /lines that are no fields/, text);
    }
    assert.deepEqual(read("").problems, []);
  });
  it("stops where no image is so large", () => {
    const { found, problems } = read("P:a\nV:1\n\n".repeat(100_001));
    assert.equal(found.length, 100_000);
    assert.match(problems[0] ?? "", /more than 100000/);
  });
});
