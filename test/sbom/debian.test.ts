import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { paragraphs, readCopyright, readDpkgStatus } from "../../src/sbom/debian.ts";

const read = (text: string | Buffer, licences: readonly (readonly [string, string])[] = []) => {
  const problems: string[] = [];
  const found = readDpkgStatus(Buffer.from(text), {
    distribution: { id: "debian", version: "12" },
    licences: new Map(licences),
    place: "var/lib/dpkg/status",
    problem: (sentence) => problems.push(sentence),
  });
  return { found, problems };
};

const entry = (...lines: readonly string[]) => `${lines.join("\n")}\n\n`;

describe("readDpkgStatus (SBOM-2)", () => {
  it("finds on this machine what dpkg-query finds", () => {
    const fields = ["db:Status-Status", "Package", "Version", "Architecture"].map((name) => `$\{${name}}`);
    const format = `${fields.join(" ")}\n`;
    const expected = execFileSync("dpkg-query", ["--show", "--showformat", format], { encoding: "utf8" })
      .split("\n")
      .filter((line) => line !== "" && !/^(?:config-files|not-installed) /.test(line))
      .map((line) => line.replace(/^\S+ /, ""));
    const { found, problems } = read(readFileSync("/var/lib/dpkg/status"));
    assert.deepEqual(
      found.map(({ name, version, architecture }) => `${name} ${version} ${architecture}`).sort(),
      expected.sort(),
    );
    assert.ok(found.length > 50);
    assert.deepEqual(problems, []);
  });
  it("says of a package what is written of it", () => {
    const text = entry(
      "Package: libx1",
      "Status: install ok installed",
      "Architecture: amd64",
      "Source: x (1:2-1)",
      "Version: 1:2-1+b1",
      "Maintainer: A B <a@example.com>",
      "Homepage: https://example.com",
      "Description: first",
      " second",
    );
    const [found] = read(text, [["libx1", "MIT"]]).found;
    assert.deepEqual(found, {
      type: "deb",
      namespace: "debian",
      name: "libx1",
      version: "1:2-1+b1",
      architecture: "amd64",
      distribution: "debian-12",
      licence: "MIT",
      source: "x 1:2-1",
      supplier: "A B <a@example.com>",
      homepage: "https://example.com",
      description: "first",
      places: ["var/lib/dpkg/status"],
    });
  });
  it("leaves out what was removed, and takes status.d's entries that have no status", () => {
    const text =
      entry("Package: a", "Status: deinstall ok config-files", "Version: 1") +
      entry("Package: b", "Status: purge ok not-installed") +
      entry("Package: c", "Status: install ok half-configured", "Version: 1") +
      entry("Package: d", "Version: 1");
    assert.deepEqual(
      read(text).found.map(({ name }) => name),
      ["c", "d"],
    );
  });
  it("names an entry that is none", () => {
    for (const text of [
      entry("Package: a b", "Version: 1"),
      entry("Package: a", "Version: 1 2"),
      entry("Version: 1"),
    ]) {
      assert.match(read(text).problems[0] ?? "", /without a valid name and version/);
    }
  });
  it("stops where no image is so large", () => {
    const { found, problems } = read("Package: a\nVersion: 1\n\n".repeat(100_001));
    assert.equal(found.length, 100_000);
    assert.match(problems[0] ?? "", /more than 100000/);
  });
});

describe("paragraphs", () => {
  it("reads fields, continuations, and lines that are neither", () => {
    const text = "A: 1\n 2\n\t3\nno field\n 4\nA: again\r\n\n\n\nB:x";
    assert.deepEqual(
      [...paragraphs(Buffer.from(text))].map((fields) => Object.fromEntries(fields)),
      [{ a: "1\n2\n3" }, { b: "x" }],
    );
  });
});

describe("readDpkgStatus of what is no database of dpkg (SBOM-2)", () => {
  it("warns, and gives what is an entry", () => {
    for (const text of ["garbage\n", "\0\u0001\u0002", " continued\n", ":\n"]) {
      assert.deepEqual(read(text).found, []);
      assert.match(read(text).problems[0] ?? "", /status has lines that are no fields/, text);
    }
    const { found, problems } = read("rubbish\nPackage: a\nVersion: 1\n");
    assert.deepEqual([found.length, problems.length], [1, 1]);
    assert.deepEqual(read("").problems, []);
  });
});

describe("readCopyright (SBOM-5)", () => {
  const format = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n";
  const cases: readonly (readonly [string, string, string | undefined])[] = [
    [
      "short names, each once",
      `${format}\nFiles: *\nLicense: MIT\n text\n\nFiles: a\nLicense: GPL-2+\n\nLicense: MIT`,
      "GPL-2+ AND MIT",
    ],
    ["a choice in brackets", `${format}\nFiles: *\nLicense: MIT\n\nFiles: a\nLicense: A or B`, "(A or B) AND MIT"],
    ["one choice alone", `${format}\nFiles: *\nLicense: A or B`, "A or B"],
    [
      "texts that are pointed at",
      "See `/usr/share/common-licenses/GPL-2'. and /usr/share/common-licenses/GPL-2.",
      "GPL-2",
    ],
    ["nothing", "All rights reserved", undefined],
    ["the form without a licence", format, undefined],
  ];
  for (const [why, text, expected] of cases) it(why, () => assert.equal(readCopyright(Buffer.from(text)), expected));

  it("reads those of this machine", () => {
    const path = "/usr/share/doc/dpkg/copyright";
    if (existsSync(path)) assert.match(readCopyright(readFileSync(path)) ?? "", /GPL-2\+/);
  });
});
