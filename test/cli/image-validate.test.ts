import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import validate from "../../src/cli/commands/image-validate.ts";
import { commandContext } from "../helpers/command-context.ts";
import { fails } from "../helpers/failures.ts";
import { minimalManifest, tarBytes } from "../helpers/tar-bytes.ts";
import { makeTemporary } from "../helpers/temporary.ts";

let temporary: Awaited<ReturnType<typeof makeTemporary>>;
const at = (name: string) => join(temporary.path, name);

before(async () => {
  temporary = await makeTemporary();
  await writeFile(at("good.aci"), tarBytes({ members: [] }));
  await writeFile(at("manifest"), minimalManifest);
  await writeFile(at("bad"), '{"acKind": "ImageManifest",\n "acVersion": "0.8.11", "name": "A"}');
});
after(() => temporary.remove());

describe("perigee image validate", () => {
  async function run(args: readonly string[], options: Readonly<Record<string, string>> = {}) {
    const context = commandContext({ args, options });
    const result = await validate.run(context);
    return { lines: validate.text(result, context), json: validate.json?.(result), status: validate.status?.(result) };
  }

  it("says of each good file what it is", async () => {
    const { lines, status } = await run([at("good.aci"), at("manifest")]);
    assert.equal(status, 0);
    assert.match(lines[0] ?? "", /good\.aci: valid image example\.com\/a sha512-[0-9a-f]{128}$/);
    assert.match(lines[1] ?? "", /manifest: valid manifest example\.com\/a$/);
  });
  it("ACI-23: says of a bad one the place, the field and the rule", async () => {
    const { lines, status } = await run([at("bad")]);
    assert.equal(status, 1);
    assert.match(lines[0] ?? "", /bad: not a valid manifest$/);
    assert.match(lines[1] ?? "", /^ {2}error\[MANIFEST_INVALID\]: /);
    assert.match(lines[2] ?? "", /^ {2}cause: 2:33 name: TYPE-1: /);
  });
  it("the first bad file gives the status", async () => {
    assert.equal((await run([at("good.aci"), at("missing"), at("bad")])).status, 3);
  });
  it("gives data", async () => {
    const { json } = await run([at("manifest"), at("missing")]);
    assert.deepEqual(json, [
      { file: at("manifest"), type: "manifest", valid: true, id: null, name: "example.com/a", error: null },
      {
        file: at("missing"),
        type: null,
        valid: false,
        id: null,
        name: null,
        error: {
          code: "NOT_FOUND",
          message: `${at("missing")} is not there`,
          cause: `ENOENT: no such file or directory, stat '${at("missing")}'`,
          hint: `check the spelling; it would be in ${temporary.path}`,
        },
      },
    ]);
  });
  it("--type is one of three", async () => {
    assert.equal((await run([at("manifest")], { type: "manifest" })).status, 0);
    assert.equal((await run([at("manifest")], { type: "appimage" })).status, 1);
    await assert.rejects(
      run([at("manifest")], { type: "image" }),
      fails("USAGE", /image/, { hint: /appimage\|layout/ }),
    );
  });
});
