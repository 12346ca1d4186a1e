import assert from "node:assert/strict";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { requireTargets } from "../../src/pod/mount-targets.ts";
import { fails } from "../helpers/failures.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

async function makeRoot(context: TestContext): Promise<string> {
  const root = await temporaryDirectory(context);
  mkdirSync(join(root, "directory"));
  writeFileSync(join(root, "file"), "");
  symlinkSync("/directory", join(root, "to-directory"));
  symlinkSync("file", join(root, "to-file"));
  // Outside of the root /etc/passwd is a file and /etc a directory; inside there is neither.
  symlinkSync("/etc/passwd", join(root, "outward"));
  return root;
}

const check = (root: string, target: string, type: "directory" | "file") =>
  requireTargets(root, [{ app: "web", volume: "data", target, type }]);

describe("POD-31: what a volume is mounted on", () => {
  it("is of its kind, behind links too, or is missing", async (t) => {
    const root = await makeRoot(t);
    for (const target of ["/directory", "/to-directory", "/to-directory/new/below", "/new", "/outward"]) {
      check(root, target, "directory");
    }
    for (const target of ["/file", "/to-file", "/directory/new", "/outward"]) check(root, target, "file");
  });

  it("is refused when it is not, naming both", async (t) => {
    const root = await makeRoot(t);
    for (const target of ["/file", "/to-file"]) {
      assert.throws(
        () => check(root, target, "directory"),
        fails("MANIFEST_INVALID", new RegExp(`web: volume data, a directory, .* ${target}$`), {
          cause: /the image has a file there/,
          hint: /--mount volume=data,target=/,
        }),
      );
    }
    assert.throws(
      () => check(root, "/to-directory", "file"),
      fails("MANIFEST_INVALID", /a file, /, { cause: /a directory/ }),
    );
  });

  it("has no file above it", async (t) => {
    const root = await makeRoot(t);
    assert.throws(
      () => check(root, "/to-file/below/it", "directory"),
      fails("MANIFEST_INVALID", /\/to-file\/below\/it$/, { cause: /the image has a file at \/to-file$/ }),
    );
  });
});
