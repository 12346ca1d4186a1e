import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { FailureCode } from "../../src/base/failure.ts";
import { parseImageName, parseReference, type Reference } from "../../src/fetch/reference.ts";
import { fails } from "../helpers/failures.ts";
import { vectors } from "../helpers/vectors.ts";

interface Case {
  readonly why: string;
  readonly text: string;
  readonly expected?: Reference;
  readonly error?: FailureCode;
}

/** JSON has no undefined. */
const withoutUndefined = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

describe("parseReference", () => {
  for (const { why, text, expected, error } of vectors<Case>("references/references")) {
    it(`${why}: ${JSON.stringify(text)}`, () => {
      if (error === undefined) assert.deepEqual(withoutUndefined(parseReference(text)), expected);
      else assert.throws(() => parseReference(text), fails(error));
    });
  }

  it("a relative path is one with ./, one that ends in .aci, or that of a file that is there", () => {
    assert.deepEqual(parseReference("./web"), { kind: "file", path: join(process.cwd(), "web") });
    assert.deepEqual(parseReference("../web.aci"), { kind: "file", path: join(process.cwd(), "..", "web.aci") });
    assert.deepEqual(parseReference("web.aci"), { kind: "file", path: join(process.cwd(), "web.aci") });
    const directory = mkdtempSync(join(tmpdir(), `perigee-reference-${process.pid}-`));
    const home = process.cwd();
    try {
      process.chdir(directory);
      assert.equal(parseReference("image:1").kind, "name");
      writeFileSync("image:1", "");
      assert.deepEqual(parseReference("image:1"), { kind: "file", path: join(directory, "image:1") });
    } finally {
      process.chdir(home);
      rmSync(directory, { recursive: true });
    }
  });

  it("says what an image is, and an image of Docker too", () => {
    assert.throws(() => parseReference("Nonsense"), fails("USAGE", /lower-case/, { hint: /NAME\[:VERSION\]/ }));
    assert.throws(() => parseReference("docker://X"), fails("USAGE", /repository/, { hint: /docker:\/\/\[HOST/ }));
  });

  it("T-D04: does not repeat credentials", () => {
    assert.throws(
      () => parseReference("https://me:hunter2@example.com/x.aci"),
      (error: unknown) => fails("USAGE")(error) && !/hunter2/.test(`${error}`),
    );
  });

  it("makes control characters visible", () => {
    assert.throws(() => parseReference("a\u001b[2Jb"), fails("USAGE", /\\x1b/));
  });
});

describe("parseImageName", () => {
  it("takes a name only, whatever files are there", () => {
    assert.equal(parseImageName("example.com/web:1").kind, "name");
    assert.throws(() => parseImageName("./web.aci"), fails("USAGE"));
    assert.throws(() => parseImageName("/web"), fails("USAGE"));
  });
  it("refuses names longer than 512 characters", () => {
    assert.equal(parseImageName("a".repeat(512)).name.length, 512);
    assert.throws(() => parseImageName("a".repeat(513)), fails("USAGE"));
  });
});
